package reference

import (
	"slices"
	"strings"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/world"
)

// Others are what people and other programs do at the three.
func (d *Double) Others() (out []world.Act) {
	add := func(name string, do func() bool) { out = append(out, world.Act{Name: name, Do: do}) }
	d.othersIssue(add)
	d.othersStore("folder", "the store", d.Absent, add)
	if d.Followed {
		d.othersStore("second", "the second store", d.Absent, add)
		d.othersStore(mirrorKey, "the mirror", d.Absent || d.MirrorEmpty, add)
	}
	if len(d.M.Processes) > 0 { // a guest may have taken its part
		d.othersConsume(add)
	}
	return out
}

// used is the generation that was in use before the run.
func (d *Double) used() *Token {
	for _, t := range d.M.Tokens {
		if strings.HasPrefix(t.Name, "ours-") {
			return t
		}
	}
	return nil
}

// made is the newest generation of a run that lives; nil: none was made.
func (d *Double) made() *Token {
	for _, t := range slices.Backward(d.M.Tokens) {
		if !t.Ended && t != d.used() && t.Name != "theirs" && !t.Others {
			return t
		}
	}
	return nil
}

// newest is what a run has made last, beside the one in use or in its place.
func (d *Double) newest() *Token {
	if t := d.made(); t != nil {
		return t
	}
	if t := d.used(); t.Secret != d.first && !t.Ended {
		return t
	}
	return nil
}

func (d *Double) othersIssue(add func(string, func() bool)) {
	for _, one := range []struct {
		which string
		of    func() *Token
	}{{"old", d.used}, {"new", d.made}} {
		does := func(name string, do func(t *Token) bool) {
			add(strings.ReplaceAll(name, "ONE", "the "+one.which+" one"), func() bool {
				t := one.of()
				if t == nil || t.Ended || !do(t) {
					return false
				}
				d.publish()
				return true
			})
		}
		does("end ONE", func(t *Token) bool {
			for _, r := range d.M.Rules {
				r.drop(t.ID)
			}
			t.Ended = true
			return true
		})
		if d.Disable {
			does("switch ONE off", func(t *Token) bool { on := t.On; t.On = false; return on })
			does("switch ONE on", func(t *Token) bool { on := t.On; t.On = true; return !on })
		}
		if d.Admits && !d.Everyone {
			does("take ONE out of a rule", func(t *Token) bool { return d.M.Rules[0].drop(t.ID) })
			does("take ONE out of every rule", func(t *Token) bool {
				out := false
				for _, r := range d.M.Rules {
					out = r.drop(t.ID) || out
				}
				return out
			})
			does("name ONE in every rule", func(t *Token) bool {
				in := false
				for _, r := range d.M.Rules {
					in = r.name(t.ID) || in
				}
				return in
			})
		}
		does("make another of the name of ONE", func(t *Token) bool {
			x := d.token(t.Name, "secret-"+d.Random(8))
			x.Others = true
			return true
		})
	}
	if d.Admits && !d.Everyone {
		add("edit a rule", func() bool {
			for _, t := range d.M.Tokens {
				if t.Name == "theirs" && d.M.Rules[2].name(t.ID) {
					d.publish()
					return true
				}
			}
			return false
		})
	}
	if d.Roll == "" {
		return
	}
	add("roll it", func() bool {
		t := d.used()
		t.Before, t.Until, t.Forever = t.Secret, d.At.Add(24*time.Hour), d.Lingers
		t.Secret, t.Version = "secret-"+d.Random(8), t.Version+1
		if d.Roll == rotation.RollAtOnce {
			t.Before = ""
		}
		d.publish()
		return true
	})
	add("end the earlier secret", func() bool {
		t := d.used()
		if t.Before == "" {
			return false
		}
		t.Before, t.Forever, t.Until = "", false, d.At
		d.publish()
		return true
	})
}

// drop takes one out of a rule, name adds it; false: it was so.
func (r *Rule) drop(id string) bool {
	was := len(r.Names)
	r.Names = slices.DeleteFunc(slices.Clone(r.Names), func(x string) bool { return x == id })
	if len(r.Names) == was {
		return false
	}
	r.Revision++
	return true
}

func (r *Rule) name(id string) bool {
	if slices.Contains(r.Names, id) {
		return false
	}
	r.Names = append(slices.Clone(r.Names), id)
	r.Revision++
	return true
}

func (d *Double) othersStore(path, name string, absent bool, add func(string, func() bool)) {
	put := func(slot string, v Version) bool {
		key := path + "/" + slot
		all := d.M.Folders[key]
		if len(all) > 0 && all[len(all)-1].Value == v.Value && all[len(all)-1].Gone == v.Gone || len(all) == 0 && v.Gone {
			return false
		}
		if len(all) > 0 && path != mirrorKey {
			v.Stamp = all[len(all)-1].Stamp // a person leaves what is noted beside it
		}
		v.Written = d.At
		d.M.Folders[key] = append(all, v)
		d.M.Effect[key] = v.Value
		return true
	}
	add("write a slot of "+name, func() bool { return put(Credential, Version{Value: "somebody-elses-" + d.Random(4)}) })
	add("remove a slot of "+name, func() bool { return put(Former+"__ID", Version{Gone: true}) })
	add("write beside ours in "+name, func() bool { return put("UNRELATED", Version{Value: "theirs-" + d.Random(4)}) })
	add("put the new value into "+name, func() bool {
		t, did := d.newest(), false
		if t == nil {
			return false
		}
		for _, n := range []string{Credential, Former} {
			did = put(n, Version{Value: t.Secret}) || did
			did = put(n+"__ID", Version{Value: t.ID}) || did
		}
		return did
	})
	add("put the old value back into "+name, func() bool {
		t, did := d.used(), false
		for _, n := range []string{Credential, Former} {
			if n == Credential || !absent {
				did = put(n, Version{Value: d.first}) || did
				did = put(n+"__ID", Version{Value: t.ID}) || did
			}
		}
		return did
	})
}

func (d *Double) othersConsume(add func(string, func() bool)) {
	put := func(values map[string]string) bool {
		vars, did := map[string]Var{}, false
		for k, v := range d.M.Vars {
			vars[k] = v
		}
		for k, v := range values {
			was, there := vars[k]
			switch {
			case v == "" && there:
				delete(vars, k)
			case v == "" || there && was.Value == v:
				continue
			default:
				vars[k] = Var{Value: v, Written: d.At}
			}
			did = true
		}
		if did {
			d.M.Mark++
			d.M.Vars = vars
			d.takeUp()
		}
		return did
	}
	add("write a slot of the consumer", func() bool { return put(map[string]string{Credential: "somebody:elses-" + d.Random(4)}) })
	add("remove a slot of the consumer", func() bool { return put(map[string]string{Former: ""}) })
	add("write beside ours at the consumer", func() bool { return put(map[string]string{"UNRELATED": "theirs-" + d.Random(4)}) })
	add("put the old value back at the consumer", func() bool {
		pair := d.used().ID + ":" + d.first
		return put(map[string]string{Credential: pair, Former: pair})
	})
	add("put the new value at the consumer", func() bool {
		t := d.newest()
		if t == nil {
			return false
		}
		pair := t.ID + ":" + t.Secret
		return put(map[string]string{Credential: pair, Former: pair})
	})
	add("restart the consumer", func() bool { d.replace(); return true })
	add("scale the consumer up", func() bool { d.start(); return true })
	if d.Restarts || d.Applied {
		add("scale the consumer up from a cached image", func() bool {
			if d.M.Image == nil {
				return false
			}
			d.startAs(d.M.Image)
			return true
		})
	}
	add("scale the consumer down", func() bool {
		run := d.running()
		if len(run) < 2 {
			return false
		}
		run[0].Stops = d.At.Add(d.Knobs.Shutdown.Std())
		return true
	})
}
