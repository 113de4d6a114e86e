package stage

import (
	"fmt"
	"slices"
	"strings"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

// Agreement judges promise 3 for one credential from the world alone: exactly one
// live token bears its name, and store and app hold that one under every name.
func Agreement(w *sim.State, spec sop.Spec) (live *sim.Token, broken []string) {
	return agreement(w, spec, func(t *sim.Token) []string { return []string{t.Secret} }, nil)
}

// absent are the store's slots that a run which went back has to leave absent.
func absent(st *rotation.State) map[string]bool {
	out := map[string]bool{}
	if st.Closed.Ending == rotation.RolledBack && st.Plan != nil {
		for _, s := range st.Plan.Seen.Store.Slots {
			out[s.Slot] = !s.Present
		}
	}
	return out
}

// agreement takes which of the live token's secrets is the right one, and which
// slots hold nothing.
func agreement(w *sim.State, spec sop.Spec, accept func(*sim.Token) []string, absent map[string]bool) (live *sim.Token, broken []string) {
	bad := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	var ours []*sim.Token
	for _, t := range w.Cloudflare.Tokens {
		if strings.HasPrefix(t.Name, "raxx-"+spec.Scope+"-svc-") {
			ours = append(ours, t)
		}
	}
	if len(ours) != 1 {
		bad("promise 3: %d live tokens bear our name: %s", len(ours), names(ours))
		return nil, broken
	}
	live = ours[0]
	right := accept(live)
	if len(right) == 0 {
		bad("promise 1: the secret in use will not live for long")
		return live, broken
	}
	for _, n := range append([]string{spec.Name}, spec.Former...) {
		for slot, want := range map[string]string{n: right[0], n + "__CLIENT_ID": live.ClientID} {
			if absent[slot] {
				want = ""
			}
			if got := stored(w, slot); got != want {
				bad("promise 3: the store's %s is not of the live token", slot)
			}
		}
		if current(w.Heroku.Apps[0])[n] != live.ClientID+":"+right[0] {
			bad("promise 3: the app's %s is not of the live token", n)
		}
	}
	if in := namedStrays(w); in != "" {
		bad("promise 3: a rule still names %s, which is not live", in)
	}
	return live, broken
}

func names(ts []*sim.Token) string {
	var out []string
	for _, t := range ts {
		out = append(out, t.Name)
	}
	return strings.Join(out, ", ")
}

// Stored is what the store holds under a name.
func Stored(w *sim.State, key string) string { return stored(w, key) }

func stored(w *sim.State, key string) string {
	for _, s := range w.Infisical.Secrets {
		if s.Key == key {
			return s.Versions[len(s.Versions)-1].Value
		}
	}
	return ""
}

func current(a *sim.HerokuApp) map[string]string {
	vars := map[string]string{}
	for _, r := range a.Releases {
		if r.Status == "succeeded" {
			vars = r.Vars
		}
	}
	return vars
}

// namedIn counts the rules that name a token.
func namedIn(w *sim.State, id string) int {
	n := 0
	for _, r := range allRules(w) {
		if strings.Contains(string(r["include"]), id) {
			n++
		}
	}
	return n
}

// namedStrays returns a token id that a rule names although no such token lives.
func namedStrays(w *sim.State) string {
	for _, t := range w.Cloudflare.Deleted {
		if namedIn(w, t.ID) > 0 {
			return t.Name
		}
	}
	return ""
}

func allRules(w *sim.State) []sim.Rules {
	out := append([]sim.Rules{}, w.Cloudflare.Policies...)
	out = append(out, w.Cloudflare.Groups...)
	out = append(out, w.Cloudflare.ZoneGroups...)
	for _, a := range slices.Concat(w.Cloudflare.Apps, w.Cloudflare.ZoneApps) {
		out = append(out, a.Policies...)
	}
	return out
}
