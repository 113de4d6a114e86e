package reference

import (
	"net/http"
	"time"

	"rekey/internal/world"
)

// Double is what the three know and do.
type Double struct {
	*world.State
	Can
	M Memory

	call func(vendor, op string, changes bool, effect func() error) error
	// skewed: the issuer has told its clock.
	skewed bool
	first  string  // the secret in use at first
	other  *Memory // of another account
	// Ahead are the moments at which the app held what a store did not.
	Ahead []string
	given string // what the app holds before any run
}

// Memory is what the double remembers.
type Memory struct {
	Tokens    []*Token             `json:"tokens"`
	Rules     []*Rule              `json:"rules"`
	Folders   map[string][]Version `json:"folders"` // by folder/slot; the newest last
	Effect    map[string]string    `json:"effect"`  // what readers of a store have, by folder/slot
	Vars      map[string]Var       `json:"vars"`
	Mark      int                  `json:"mark"`
	Processes []*Process           `json:"processes"`
	Image     *Process             `json:"image,omitempty"` // what was run before the last write
	Known     View                 `json:"known"`
	Coming    []View               `json:"coming,omitempty"`
}

// Token is one generation.
type Token struct {
	ID, Name, Secret, Before string
	Until                    time.Time // of the secret before; zero: it has none
	Forever                  bool      // the secret before has no end by itself
	Version                  int
	On                       bool
	Ended                    bool
	Created, LastSeen        time.Time
	Hidden                   int       // lists that do not show it yet
	Shown                    time.Time // from when on lists show it
	Others                   bool      // somebody else made it during the run
}

// Rule names those that it accepts.
type Rule struct {
	ID, Name string
	Revision int
	Names    []string
	Everyone bool
}

// Version is one value of a slot; gone: the slot was removed.
type Version struct {
	Value   string
	Gone    bool
	Written time.Time
	Stamp   map[string]string
}

// Var is what the app holds.
type Var struct {
	Value   string
	Written time.Time
	Stamp   map[string]string
}

// Process is one of the app's.
type Process struct {
	ID      string
	Mark    int
	Env     map[string]string
	Started time.Time
	Up      time.Time
	Stops   time.Time
}

// View is what the edge knows.
type View struct {
	At     time.Time
	Tokens []Token
	Named  map[string]bool
	All    bool
}

// begin makes what there is at first.
func (d *Double) begin() {
	born := d.At.AddDate(0, 0, -92)
	token := func(name string) *Token {
		t := d.token(name, "secret-"+d.Random(8))
		t.Created = born
		return t
	}
	old, others := token("ours-"+born.Format(time.DateOnly)), token("theirs")
	d.first = old.Secret
	d.M.Rules = []*Rule{
		{ID: "rule-1", Name: "ours and theirs", Names: []string{others.ID, old.ID}}, {ID: "rule-2", Name: "theirs", Names: []string{others.ID}},
		{ID: "rule-3", Name: "ours", Names: []string{old.ID}},
	}
	switch {
	case !d.Admits:
		d.M.Rules = nil
	case d.Everyone:
		d.M.Rules = []*Rule{{ID: "rule-1", Name: "every token", Everyone: true}}
	}
	d.M.Folders, d.M.Effect, d.M.Vars = map[string][]Version{}, map[string]string{}, map[string]Var{"UNRELATED": {Value: "not ours"}}
	d.given = old.ID + ":" + old.Secret
	for _, n := range []string{Credential, Former} {
		if n == Credential || !d.Absent {
			for slot, v := range map[string]string{n: old.Secret, n + "__ID": old.ID} {
				d.M.Folders["folder/"+slot] = []Version{{Value: "long-ago"}, {Value: v}}
				if d.Followed {
					d.M.Folders["second/"+slot] = []Version{{Value: "long-ago"}, {Value: v}}
				}
				if d.Followed && !d.MirrorEmpty {
					d.M.Folders[mirrorKey+"/"+slot] = []Version{{Value: v, Written: born}}
				}
			}
		}
		d.M.Vars[n] = Var{Value: old.ID + ":" + old.Secret, Written: born}
	}
	d.M.Folders["folder/UNRELATED"] = []Version{{Value: "not ours"}}
	for key := range d.M.Folders {
		d.effect(key)
	}
	d.M.Mark = 7
	for range 2 {
		d.start().Up = d.At
	}
	for _, p := range d.M.Processes {
		p.Started = born
	}
}

func (d *Double) token(name, secret string) *Token {
	t := &Token{ID: "id-" + d.Random(6), Name: name, Secret: secret, Version: 1, On: true, Created: d.At}
	d.M.Tokens = append(d.M.Tokens, t)
	return t
}

// Name of the double.
func (*Double) Name() string { return "reference" }

// Memory is all that it remembers.
func (d *Double) Memory() any { return &d.M }

// Routes: it is asked by function calls.
func (*Double) Routes(*http.ServeMux) {}

// Begin lets the edge know what there is.
func (d *Double) Begin() {
	delay := d.Knobs.EdgeDelay
	d.Knobs.EdgeDelay = 0
	d.publish()
	d.Knobs.EdgeDelay = delay
}

// publish lets the edge learn of a change, at once or after its delay.
func (d *Double) publish() {
	v := View{At: d.At.Add(d.Knobs.EdgeDelay.Std()), Named: map[string]bool{}, All: !d.Admits}
	for _, t := range d.M.Tokens {
		if !t.Ended {
			v.Tokens = append(v.Tokens, *t)
		}
	}
	for _, r := range d.M.Rules {
		v.All = v.All || r.Everyone
		for _, id := range r.Names {
			v.Named[id] = true
		}
	}
	if d.Knobs.EdgeDelay <= 0 {
		d.M.Known, d.M.Coming = v, nil
		return
	}
	d.M.Coming = append(d.M.Coming, v)
}

// accepts tells why a pair is not accepted; "" if it is.
func (v *View) accepts(id, secret string, at time.Time) string { return v.opens(id, secret, at, v.All) }

// opens does so for a place that rules decide on, or that every token opens.
func (v *View) opens(id, secret string, at time.Time, every bool) string {
	for i := range v.Tokens {
		t := &v.Tokens[i]
		switch {
		case t.ID != id:
		case !t.On:
			return t.Name + " is switched off"
		case secret == "" || t.Secret != secret && (t.Before != secret || !t.Forever && !t.Until.After(at)):
			return t.Name + " has another secret"
		case !every && !v.Named[id]:
			return "no rule names " + t.Name
		default:
			return ""
		}
	}
	return "there is no such token"
}
