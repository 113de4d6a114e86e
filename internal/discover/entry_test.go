package discover

import (
	"strings"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// TestEntriesReadBack: whatever an app and its config vars are called, the lines are
// YAML of one entry, and what could not be told is a comment.
func TestEntriesReadBack(t *testing.T) {
	spec := sop.Spec{Name: "CF_ACCESS_SVC_CONSOLE", Former: []string{"CF_ACCESS_SERVICE_TOKEN_CONSOLE"}}
	for _, c := range []struct {
		copy  rotation.Copy
		key   string
		slots []string // as parsed, in order
	}{
		{rotation.Copy{Vendor: "heroku", Settings: []byte(`{"app":"on"}`), Slots: []rotation.CopySlot{
			{Slot: "yes", How: rotation.HoldsWhole, Template: "{client_secret}"},
			{Slot: "X", How: rotation.HoldsInside},
		}}, "heroku:on", []string{"yes={client_secret}"}},
		{rotation.Copy{Vendor: "heroku", Settings: []byte(`{"app":"0123"}`), Slots: []rotation.CopySlot{
			{Slot: "A", How: rotation.HoldsInside, Template: `{{"id":"{client_id}","secret":"{client_secret}"}}`},
			{Slot: "B", How: rotation.OnlyNames, Template: "{client_id}"},
			{Slot: "C", How: rotation.HoldsFormer, Template: ""},
		}}, "heroku:0123", []string{`A={{"id":"{client_id}","secret":"{client_secret}"}}`, "B={client_id}"}},
		// Both names of the credential: one slot that stands for both.
		{rotation.Copy{Vendor: "heroku", Settings: []byte(`{"pipeline":"raxx","stage":"review"}`), Slots: []rotation.CopySlot{
			{Slot: "CF_ACCESS_SERVICE_TOKEN_CONSOLE", How: rotation.HoldsWhole, Template: "{client_id}:{client_secret}"},
			{Slot: "CF_ACCESS_SVC_CONSOLE", How: rotation.HoldsWhole, Template: "{client_id}:{client_secret}"},
		}}, "heroku:raxx/review", []string{"CF_ACCESS_SVC_CONSOLE={client_id}:{client_secret}", "CF_ACCESS_SERVICE_TOKEN_CONSOLE={client_id}:{client_secret}"}},
	} {
		text := Entry(spec, c.copy)
		yaml := strings.Replace(sop.Example(), "    consumer:                             # what all consumers have in common\n      vendor: heroku\n      slots:\n        <name>: \"{client_id}:{client_secret}\"\n", "", 1)
		yaml = strings.Replace(yaml, "      - app: raxx-console-prod\n", "      "+strings.TrimSpace(strings.ReplaceAll(text, "\n", "\n      "))+"\n", 1)
		yaml = yaml[:strings.Index(yaml, "  CF_ACCESS_SVC_VAULT:")]
		config, err := sop.Parse("rekey.yaml", []byte(yaml))
		if err != nil {
			t.Errorf("%s\n%v", text, err)
			continue
		}
		p := config.Specs[0].Consumers[0]
		var got []string
		for _, s := range p.Slots {
			got = append(got, s.Name+"="+s.Template.String())
		}
		if p.Key != c.key || strings.Join(got, "\n") != strings.Join(c.slots, "\n") {
			t.Errorf("%s\nis read as %s with %q, want %q", text, p.Key, got, c.slots)
		}
	}
}
