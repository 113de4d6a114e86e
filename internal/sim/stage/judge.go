package stage

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rekey/internal/provider/assisted"
	"rekey/internal/provider/infisical"
	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

// Judge compares the world and the journal with the promises and returns every
// one that was broken. It knows the world's truth, which the program does not.
func (s *Stage) Judge(result runner.Result) []string {
	var broken []string
	bad := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	st := result.State

	s.World.Look(func(w *sim.State) {
		if p := st.Opened.Spec.Purpose; p != "" && p != sop.AfterRevoke {
			if s.LostTail && st.Closed != nil && st.Closed.Ending == rotation.RefusedRun {
				return // it began anew in a world that it had changed, and touched nothing more
			}
			if st.Opened.Spec.Issuer.Kind == infisical.KindClientSecret {
				if s.purposeOfClientSecret(w, st, bad); p != sop.ToRehearse {
					return
				}
			}
			s.judgePurpose(w, st, bad)
			return
		}
		s.outages(w, st, bad)
		for _, who := range w.Infisical.Identities {
			if who.Locks > 0 {
				bad("promise 1: failed logins locked the identity %s for everybody", who.ClientID)
			}
		}
		if s.LostTail && st.Closed != nil && st.Closed.Ending == rotation.RefusedRun {
			s.endingAnew(w, st, bad)
			return
		}
		if strings.HasSuffix(st.Opened.Spec.Issuer.Kind, "-api-token") {
			s.judgeAPIToken(w, st, bad)
		} else {
			s.ending(w, st, bad)
		}
		journal := s.Log.Text()
		for name, secret := range secrets(w) {
			if strings.Contains(journal, secret) {
				bad("promise 4: %s stands in the journal", name)
			}
		}
	})
	return broken
}

// ending judges promises 3 and 6.
func (s *Stage) ending(w *sim.State, st *rotation.State, bad func(string, ...any)) {
	switch {
	case st.Closed == nil && st.Stuck == nil:
		bad("promise 6: the run ended without an ending")
		return
	case st.Stuck != nil:
		if len(st.Stuck.Live) < 3 && st.Plan.Strategy == rotation.Replace || len(st.Stuck.Live) < 2 || !strings.HasPrefix(st.Stuck.Next, "rekey ") || st.Stuck.Why == "" {
			bad("promise 6: stuck without saying what is live and what to do: %+v", st.Stuck)
		}
		return
	}
	if st.Opened.Spec.Issuer.Kind == infisical.KindClientSecret {
		s.endingOfClientSecret(w, st, bad)
		return
	}
	if st.Opened.Spec.Issuer.Vendor == "heroku" {
		s.endingOfAuthorization(w, st, bad)
		return
	}
	if st.Opened.Spec.Issuer.Kind == assisted.KindKey {
		s.endingByHand(w, st, bad)
		return
	}
	if st.Closed.Ending == rotation.RefusedRun {
		if len(w.Cloudflare.Deleted) > 0 || len(w.Cloudflare.Tokens) != 3 || len(w.Heroku.Apps[0].Releases) != 1 {
			bad("promise 8: refused, but something was changed")
		}
		return
	}
	accept := func(t *sim.Token) []string { return []string{t.Secret} }
	if st.Plan.Strategy == rotation.RollWithGrace && st.Closed.Ending == rotation.RolledBack {
		// Going back from a roll leaves the old secret on a long clock.
		accept = func(t *sim.Token) []string {
			if t.PrevSecret != "" && t.PrevUntil.Sub(w.At) > 20*24*time.Hour {
				return []string{t.PrevSecret}
			}
			if t.SecretVersion == 1 {
				return []string{t.Secret}
			}
			return nil
		}
	}
	live, broken := agreement(w, st.Opened.Spec, accept, absent(st))
	for _, b := range broken {
		bad("%s", b)
	}
	if live == nil {
		return
	}
	isNew := strings.Contains(live.Name, st.Run)
	if st.Plan.Strategy == rotation.Replace && isNew != (st.Closed.Ending == rotation.Rotated) {
		bad("promise 6: the ending is %q, but %s is live", st.Closed.Ending, live.Name)
	}
	if !live.Enabled {
		bad("promise 3: the live token is switched off")
	}
	if in, want := namedIn(w, live.ID), len(st.Plan.Seen.Admission.Places); in != want {
		bad("promise 3: the live token is named in %d places, want %d", in, want)
	}
	if got := stored(w, "UNRELATED"); got != "not ours" {
		bad("what is not ours was changed: UNRELATED is %q", got)
	}
}

// endingAnew judges a run that began anew in a world that it had changed, because its
// journal was set back: what it had made is named, at least, to whoever has to decide.
func (s *Stage) endingAnew(w *sim.State, st *rotation.State, bad func(string, ...any)) {
	var live []string
	for _, t := range w.Cloudflare.Tokens {
		live = append(live, t.Name)
	}
	for _, t := range w.Cloudflare.APITokens {
		live = append(live, t.Name)
	}
	for _, a := range w.Heroku.Authorizations {
		live = append(live, a.Description)
	}
	for _, who := range w.Infisical.Identities {
		for _, c := range who.Secrets {
			if !c.Revoked {
				live = append(live, c.Description)
			}
		}
	}
	told := fmt.Sprint(st.Closed.Refusals)
	if slices.ContainsFunc(st.Closed.Refusals, func(r rotation.Refusal) bool { return r.Code == rotation.MadeNotSeen }) {
		return // it could not look, and says so
	}
	for _, name := range live {
		if strings.Contains(name, st.Run) && !strings.Contains(told, name) {
			bad("promise 3: the journal was set back, and %s, which lives, is not told", name)
		}
	}
}

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

// secrets are all values that must not appear anywhere.
func secrets(w *sim.State) map[string]string {
	out := map[string]string{
		"the Cloudflare API token": w.Cloudflare.Token, "the Heroku token": w.Heroku.Token,
		"the identity's secret": w.Infisical.ClientSecret, "the session cookie": w.Edge.Session,
	}
	for _, list := range [][]*sim.Token{w.Cloudflare.Tokens, w.Cloudflare.Deleted} {
		for _, t := range list {
			out["the secret of "+t.Name] = t.Secret
			if t.PrevSecret != "" {
				out["the secret before of "+t.Name] = t.PrevSecret
			}
		}
	}
	for _, list := range [][]*sim.APIToken{w.Cloudflare.APITokens, w.Cloudflare.DeletedAPITokens} {
		for _, t := range list {
			out["the API token "+t.Name] = t.Value
		}
	}
	for _, list := range [][]*sim.Authorization{w.Heroku.Authorizations, w.Heroku.Revoked} {
		for _, a := range list {
			out["the token of "+a.Description] = a.Token
		}
	}
	for _, list := range [][]*sim.PortalKey{w.Portal.Keys, w.Portal.Ended} {
		for _, k := range list {
			out["the key "+k.Name] = k.Value
		}
	}
	for _, who := range w.Infisical.Identities {
		for _, c := range who.Secrets {
			out["the client secret "+c.Description+" of "+who.ClientID] = c.Value
		}
	}
	for t := range w.Infisical.Access {
		out["an access token"] = t
	}
	return out
}

// Secrets returns every secret of the world, by what it is.
func (s *Stage) Secrets() map[string]string {
	var out map[string]string
	s.World.Look(func(w *sim.State) { out = secrets(w) })
	return out
}
