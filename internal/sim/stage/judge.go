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
			bad("promise 3: the journal was restored to an earlier state, and %s, which lives, is not told", name)
		}
	}
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
