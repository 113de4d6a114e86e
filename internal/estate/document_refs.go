package estate

import (
	"rekey/internal/byhand"
	"rekey/internal/refs"
	"rekey/internal/sop"
	"rekey/internal/wire"
)

// references tells of every reference that these credentials need whether it is set
// here: by name, and never its value.
func (e *Estate) references(specs []sop.Spec) map[string]string {
	w := &work{Estate: e, calls: map[string]int{}}
	defer w.close()
	_, lookup, err := w.surroundings()
	where := "in this environment"
	if e.simulated() {
		where = "in the simulated world"
	}
	finder := &refs.Finder{Dir: e.config.Dir, Env: lookup, Simulated: e.config.Simulate != ""}
	return finderStates(e.config, specs, finder, where, err == nil)
}

func finderStates(config *sop.Config, specs []sop.Spec, f *refs.Finder, where string, reachable bool) map[string]string {
	out := map[string]string{}
	for _, spec := range specs {
		hands, err := wire.ByHand(spec, config.Vendors)
		if err != nil {
			continue // told when its page is made
		}
		var all []string
		recipes := []byhand.Recipe{hands.Issuer, hands.Store}
		for _, of := range []map[string]byhand.Recipe{hands.Further, hands.Consumers} {
			for _, r := range of {
				recipes = append(recipes, r)
			}
		}
		for _, r := range recipes {
			for _, in := range r.Inputs {
				all = append(all, in.Refs...)
			}
		}
		for _, c := range spec.Verify {
			for _, rs := range c.Headers {
				all = append(all, byhand.Texts(rs)...)
			}
		}
		for _, r := range all {
			if _, known := out[r]; !known {
				if state := refState(f, sop.Ref(r), where, reachable); state != "" {
					out[r] = state
				}
			}
		}
	}
	return out
}

func refState(f *refs.Finder, r sop.Ref, where string, reachable bool) string {
	if r.Check() != nil {
		return "" // a text
	}
	switch scheme, _ := r.Split(); scheme {
	case "env", "file":
		switch {
		case !reachable:
			return "not known: the simulated world does not answer"
		case f.IsSet(r) && scheme == "env":
			return "is set " + where
		case f.IsSet(r):
			return "is there"
		case scheme == "env":
			return "is not set " + where
		}
		return "is not there"
	case "cmd":
		return "is run when needed; not checked"
	}
	return "is read when needed; not checked"
}
