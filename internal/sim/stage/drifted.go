package stage

import (
	"errors"
	"maps"
	"strings"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/sim"
)

// The SOP's first credential, and the name that it had before.
const driftedName, driftedFormer = "CF_ACCESS_SVC_CONSOLE", "CF_ACCESS_SERVICE_TOKEN_CONSOLE"

// NewDrifted returns a stage on which somebody changed the app and one name in the
// store by hand: the store's own name is right.
func NewDrifted(seed int64, knobs sim.Knobs) *Stage {
	s := New(seed, knobs)
	s.World.Look(func(w *sim.State) {
		Release(w.Heroku.Apps[0], w.At, map[string]string{driftedName: "somebody:else"})
		Put(w, driftedFormer, "set by hand")
	})
	return s
}

// NewDriftedStore returns a stage on which the app holds the live token and the
// store, under every name, one that nobody issued: the app is right.
func NewDriftedStore(seed int64, knobs sim.Knobs) *Stage {
	s := New(seed, knobs)
	s.World.Look(func(w *sim.State) {
		for _, n := range []string{driftedName, driftedFormer} {
			Put(w, n, "forgotten")
			Put(w, n+"__CLIENT_ID", "0123456789abcdef0123456789abcdef.access")
		}
	})
	s.Target("heroku:" + s.appName())
	return s
}

// NewRuleLost returns a stage on which a rotation is over, and somebody who knows
// nothing of it has written the rule from an older copy.
func NewRuleLost(seed int64, knobs sim.Knobs) *Stage {
	s := New(seed, knobs)
	result, err := s.Play(driftedName)
	events, read := s.Log.Events()
	if err = errors.Join(err, read); err != nil {
		panic(err)
	}
	s.Earlier, s.Log, s.Calls = events, &Log{}, 0
	s.World.Look(func(w *sim.State) { Dismissed(w, result.State.Made.Handle.ID) })
	return s
}

// Dismissed removes a token from every rule, as somebody's own tool does.
func Dismissed(w *sim.State, id string) {
	for _, list := range [][]sim.Rules{w.Cloudflare.Policies, w.Cloudflare.Groups} {
		for _, r := range list {
			r["include"] = []byte(strings.ReplaceAll(strings.ReplaceAll(string(r["include"]), `,{"service_token":{"token_id":"`+id+`"}}`, ""), `{"service_token":{"token_id":"`+id+`"}}`, ""))
		}
	}
	w.Edge.Known = sim.View{At: w.Edge.Known.At, Tokens: w.Edge.Known.Tokens, Apps: w.Edge.Known.Apps, Policies: w.Cloudflare.Policies, Groups: w.Cloudflare.Groups}
}

func (s *Stage) appName() (name string) {
	s.World.Look(func(w *sim.State) { name = w.Heroku.Apps[0].Name })
	return name
}

// Put writes a value into the store, as a person would.
func Put(w *sim.State, key, value string) {
	for _, x := range w.Infisical.Secrets {
		if x.Key == key {
			x.Versions = append(x.Versions, sim.Version{Value: value, At: w.At})
		}
	}
}

// Release sets config vars of an app as a person would: a release of its own, on
// which everything runs.
func Release(a *sim.HerokuApp, at time.Time, set map[string]string) {
	last := a.Releases[len(a.Releases)-1]
	r := *last
	r.Version, r.Description, r.CreatedAt, r.Vars = last.Version+1, "Set config vars", at, maps.Clone(last.Vars)
	maps.Copy(r.Vars, set)
	a.Releases = append(a.Releases, &r)
	for _, p := range a.Processes {
		p.Release, p.Env = r.Version, r.Vars
	}
}

// judgeRepair: it made and ended nothing. Repaired means that everybody holds the
// live one; anything else that ended wrote nothing.
func judgeRepair(w *sim.State, st *rotation.State, bad func(string, ...any)) {
	if stored(w, "UNRELATED") != "not ours" {
		bad("a slot of others was written")
	}
	if st.Closed == nil || st.Plan == nil {
		return
	}
	live, broken := Agreement(w, st.Opened.Spec)
	if live != nil && namedIn(w, live.ID) == 0 {
		broken = append(broken, "no rule names the live token")
	}
	switch st.Closed.Ending {
	case rotation.Repaired:
		for _, b := range broken {
			bad("%s", b)
		}
	default:
		for id := range st.Steps {
			if step, ok := st.Plan.Step(id); ok && step.Final && st.Steps[id].Status == rotation.Ended {
				bad("it says %s, and wrote %s", st.Closed.Ending, id)
			}
		}
	}
}
