package cloudflare_test

import (
	"net/http"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/provider/cloudflare"
)

// TestAnAnswerAboutSomethingElseIsBelievedNowhere: in Cloudflare's own envelope, with
// success, empty or about another token or place. Nothing of it is known then, and of
// a change it is not known whether it was made.
func TestAnAnswerAboutSomethingElseIsBelievedNowhere(t *testing.T) {
	whole := `"name":"ci-deploy","status":"active","value":"v","client_id":"c","client_secret":"s","enabled":true,"include":[{"everyone":{}}],` +
		`"policies":[{"effect":"allow","resources":{"a":"*"},"permission_groups":[{"id":"p"}]}]`
	bodies := map[string]string{"empty": `{"success":true,"result":{}}`, "another": `{"success":true,"result":{"id":"another",` + whole + `}}`}
	for kind, name := range map[string]string{cloudflare.KindServiceToken: "ci-deploy", cloudflare.KindUserToken: "ci"} {
		n, i := opened(t, kind, nil)
		listed, err := i.List(t.Context())
		if err != nil || len(listed) == 0 {
			t.Fatal(name, listed, err)
		}
		h := listed[0]
		calls := map[string]func() error{
			"look":   func() error { _, err := i.Find(t.Context(), h); return err },
			"delete": func() error { return i.Revoke(t.Context(), h) },
			"switch": func() error { _, err := i.(provider.Switcher).Switch(t.Context(), h, false); return err },
		}
		if r, ok := i.(provider.Roller); ok && kind == cloudflare.KindServiceToken {
			calls["roll"] = func() error { _, _, err := r.Roll(t.Context(), h, epoch.Add(time.Hour)); return err }
		}
		if c, ok := i.(provider.Copier); ok {
			calls["create after another"] = func() error { _, _, err := c.CreateLike(t.Context(), "x", h); return err }
		}
		if a, ok := i.(provider.Adviser); ok && kind == cloudflare.KindServiceToken {
			calls["advise"] = func() error { _, err := a.Advise(t.Context(), h); return err }
		}
		var seen provider.Admission
		if a, ok := i.(provider.Admitter); ok && kind == cloudflare.KindServiceToken {
			if seen, err = a.Places(t.Context()); err != nil {
				t.Fatal(err)
			}
			calls["admit"] = func() error { _, err := a.Admit(t.Context(), seen.Places[0], "some-id"); return err }
		}
		for what, body := range bodies {
			for call, do := range calls {
				for _, writes := range []bool{false, true} { // only what changes is answered so
					n.between = func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
						if writes && r.Method == http.MethodGet {
							return send()
						}
						return says(r, http.StatusOK, "application/json", body), nil
					}
					if writes && (call == "look" || call == "advise" || call == "create after another" && what == "another") {
						continue // reads only; and whatever a create answers is new
					}
					if err := do(); cred.ClassOf(err) != cred.Unknown {
						t.Errorf("%s: %s answered with something %s (writes only: %v): %v", kind, call, what, writes, err)
					}
				}
			}
		}
	}
}
