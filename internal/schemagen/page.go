package schemagen

import (
	"fmt"
	"strings"

	"rekey/internal/provider"
	"rekey/internal/rotation"
)

// Page is a vendor's page for people: its own doc.md, the capability sheets that
// the program goes by, and how its conformance run is pointed at the real service.
func Page(d provider.Descriptor) []byte {
	var b strings.Builder
	b.WriteString("<!-- Made from internal/provider/" + d.Name + " by go generate ./internal/sop; edit doc.md there. -->\n\n")
	b.WriteString(strings.TrimSpace(d.Doc) + "\n")
	if len(d.Issuers) > 0 {
		b.WriteString("\n## Capability sheet\n\n" +
			"What can be issued, and what a plan may therefore be made of.\n\n" +
			"| kind | bundle | strategy if none is said | second one beside | in place | switched off and on | rules decide | last used is told | verifies itself | live at once |\n" +
			"| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
		for _, s := range d.Issuers {
			limit := "no limit known"
			if s.MaxLive > 0 {
				limit = fmt.Sprintf("%d", s.MaxLive)
			}
			roll, usual := s.Roll, s.Roll
			if roll == "" {
				roll = "no"
			}
			if s.Create {
				usual = rotation.Replace
			}
			bundle := strings.Join(s.Fields, ", ")
			if len(s.Optional) > 0 {
				bundle += ", and if wanted " + strings.Join(s.Optional, ", ")
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", s.Kind, bundle, usual,
				yes(s.Create), roll, yes(s.Disable), yes(s.Admits), yes(s.LastSeen), yes(s.Verifies), limit)
		}
	}
	b.WriteString("\n## Trying it on the real service\n\n" +
		"The conformance run makes, changes and removes things of its own, named\n" +
		"`rekey-conformance-…` (in a store and in a consumer `REKEY_CONFORMANCE_A` and `_B`),\n" +
		"cleans up what an earlier one left, and itself. Use throwaway credentials, in the\n" +
		"variables that its test names:\n\n" +
		"    REKEY_LIVE=" + d.Name + live(d) + " go test ./internal/provider/" + d.Name + " -run TestConform/live -v\n")
	return []byte(b.String())
}

func live(d provider.Descriptor) string {
	out := ""
	if d.Store != nil {
		out += ` REKEY_LIVE_STORE='{"path":"/rekey-conformance","environment":"dev"}'`
	}
	if d.Consumer != nil {
		out += ` REKEY_LIVE_CONSUMER='{"app":"an-app-of-yours"}'`
	}
	return out
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
