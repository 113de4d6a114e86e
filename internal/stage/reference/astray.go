package reference

import "rekey/internal/world"

// Astray leads what is asked to somebody else's account: tokens, rules, slots and processes
// of the same names with other ids and secrets. The edge is one for all.
func (d *Double) Astray() (back func()) {
	ours := d.M
	if d.other == nil {
		x := &Double{State: &world.State{Seed: d.Seed + 1<<20, At: d.At, Knobs: d.Knobs, Env: map[string]string{}}, Can: d.Can}
		x.begin()
		d.other = &x.M
	}
	d.M = *d.other
	d.M.Known, d.M.Coming = ours.Known, ours.Coming
	ahead := d.Ahead
	return func() {
		theirs := d.M
		d.other, d.M, d.Ahead = &theirs, ours, ahead
	}
}
