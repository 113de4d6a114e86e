package reference

import (
	"maps"
	"slices"
	"strings"
	"time"

	"rekey/internal/world"
)

// Events are what the edge learns, ends of secrets, and processes that start and stop.
func (d *Double) Events(offer func(time.Time, func())) {
	if len(d.M.Coming) > 0 {
		v := d.M.Coming[0]
		offer(v.At, func() { d.M.Known, d.M.Coming = v, d.M.Coming[1:] })
	}
	for i := range d.M.Known.Tokens {
		if t := &d.M.Known.Tokens[i]; t.Until.After(d.At) && !t.Forever {
			offer(t.Until, func() {})
		}
	}
	for _, p := range d.M.Processes {
		if p.Stops.After(d.At) {
			offer(p.Stops, func() {})
		}
	}
}

// Processes are those of the app, living and ended.
func (d *Double) Processes(yield func(world.Process)) {
	for _, p := range d.M.Processes {
		yield(world.Process{App: "app", ID: p.ID, Env: p.Env, Started: p.Started, Stops: p.Stops})
	}
}

// Denied tells which of the app's variables the edge refuses.
func (d *Double) Denied(env map[string]string, tell func(name, why string)) {
	for _, name := range []string{Credential, Former} {
		pair, ok := env[name]
		if !ok {
			tell(name, "it has none")
			continue
		}
		id, secret, _ := strings.Cut(pair, ":")
		if why := d.M.Known.accepts(id, secret, d.At); why != "" {
			tell(name, why)
		}
	}
}

// Used notes the use of what a process holds.
func (d *Double) Used(env map[string]string, at time.Time) {
	for _, name := range []string{Credential, Former} {
		id, secret, _ := strings.Cut(env[name], ":")
		if t := d.find(id); t != nil && at.After(t.LastSeen) && d.M.Known.accepts(id, secret, at) == "" {
			t.LastSeen = at
		}
	}
}

func (d *Double) find(id string) *Token {
	for _, t := range d.M.Tokens {
		if t.ID == id && !t.Ended {
			return t
		}
	}
	return nil
}

// Generations are the tokens.
func (d *Double) Generations() []world.Generation {
	out := make([]world.Generation, 0, len(d.M.Tokens))
	for _, t := range d.M.Tokens {
		g := world.Generation{Kind: kindToken, ID: t.ID, Name: t.Name, Live: !t.Ended, On: t.On && !t.Ended,
			Fields: map[string]string{fieldSecret: t.Secret}, Public: map[string]string{fieldID: t.ID}}
		if t.Before != "" && (t.Forever || t.Until.After(d.At)) {
			if g.Earlier = t.Before; !t.Forever { // it has no end by itself
				g.Until = t.Until
			}
		}
		for _, r := range d.M.Rules {
			if slices.Contains(r.Names, t.ID) {
				g.Named++
			}
		}
		out = append(out, g)
	}
	return out
}

// Kept are the values that readers of the stores have, and what the app holds.
func (d *Double) Kept(yield func(world.Kept)) {
	for _, key := range slices.Sorted(maps.Keys(d.M.Folders)) {
		all := d.M.Folders[key]
		folder, slot, _ := strings.Cut(key, "/")
		if !strings.HasPrefix(folder, mirrorName) {
			folder = "store:" + folder
		}
		if last := all[len(all)-1]; !last.Gone || d.M.Effect[key] != "" {
			yield(world.Kept{Where: folder, Slot: slot, Value: d.M.Effect[key]})
		}
	}
	for slot, v := range d.M.Vars {
		yield(world.Kept{Where: consumerKey, Slot: slot, Value: v.Value})
	}
}
