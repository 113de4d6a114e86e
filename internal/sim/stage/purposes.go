package stage

import (
	"strings"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

// judgePurpose judges runs that do not rotate.
func (s *Stage) judgePurpose(w *sim.State, st *rotation.State, bad func(string, ...any)) {
	journal := s.Log.Text()
	for name, secret := range secrets(w) {
		if strings.Contains(journal, secret) {
			bad("promise 4: %s stands in the journal", name)
		}
	}
	if st.Closed == nil && st.Stuck == nil {
		bad("promise 6: the run ended without an ending")
		return
	}
	if st.Stuck != nil && (len(st.Stuck.Live) == 0 || !strings.HasPrefix(st.Stuck.Next, "rekey ") || st.Stuck.Why == "") {
		bad("promise 6: stuck without saying what is live and what to do: %+v", st.Stuck)
	}
	if st.Opened.Spec.Purpose == sop.ToRepair {
		judgeRepair(w, st, bad)
		return
	}
	if st.Opened.Spec.Purpose == sop.ToForget {
		judgeForgotten(w, st, bad)
		return
	}
	if len(w.Heroku.Apps[0].Releases) != 1 || stored(w, "UNRELATED") != "not ours" {
		bad("a consumer or a slot of others was written")
	}
	if st.Opened.Spec.Purpose == sop.ToRehearse {
		judgeRehearsal(w, st, bad)
		return
	}
	judgeRevoked(w, st, bad)
}

// judgeRehearsal: nothing of production was touched, nobody was out, and nothing
// of the rehearsal is left once it has ended.
func judgeRehearsal(w *sim.State, st *rotation.State, bad func(string, ...any)) {
	for _, o := range w.Outages {
		bad("promise 1: a rehearsal put %s out: %s", o.Process, o.Why)
	}
	real := 0
	for _, t := range w.Cloudflare.Tokens {
		switch {
		case !strings.HasPrefix(t.Name, sop.RehearsalPrefix):
			real++
			if !t.Enabled {
				bad("a rehearsal switched %s off", t.Name)
			}
		case st.Closed != nil:
			bad("promise 3: %s is left of the rehearsal", t.Name)
		}
	}
	if real != 3 {
		bad("a rehearsal left %d of 3 real tokens", real)
	}
	for _, x := range w.Infisical.Secrets {
		if x.Path == "/rekey-rehearsal" && st.Closed != nil {
			bad("promise 3: %s is left in the rehearsal's folder", x.Key)
		}
		if x.Path != "/rekey-rehearsal" && len(x.Versions) > 2 {
			bad("a rehearsal wrote %s", x.Key)
		}
	}
	if in := namedStrays(w); in != "" {
		bad("a rule names %s", in)
	}
}

// judgeRevoked: where it says revoked, it is off or gone; the others are untouched.
func judgeRevoked(w *sim.State, st *rotation.State, bad func(string, ...any)) {
	if st.Plan == nil {
		return
	}
	working := false
	for _, t := range w.Cloudflare.Tokens {
		if t.ID == st.Plan.Old.ID {
			working = t.Enabled
		} else if !t.Enabled {
			bad("%s was switched off, and it was not meant", t.Name)
		}
	}
	gone := 0
	for _, t := range w.Cloudflare.Deleted {
		if gone++; t.ID != st.Plan.Old.ID {
			bad("%s was deleted, and it was not meant", t.Name)
		}
	}
	switch {
	case st.Closed != nil && st.Closed.Ending == rotation.Revoked && working:
		bad("it says revoked, and it works")
	case st.Closed != nil && st.Closed.Ending == rotation.RolledBack && !working:
		bad("it says rolled back, and it does not work")
	case st.Opened.Spec.Purpose == sop.ToDelete && st.Closed != nil && st.Closed.Ending == rotation.Revoked && gone == 0:
		bad("it was to end for good, and did not")
	}
}
