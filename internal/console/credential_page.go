package console

import (
	"context"
	"net/http"
	"slices"
	"time"

	"rekey/internal/cred"
	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

type credentialBody struct {
	Listed
	Why      string            // why it may not be changed by whoever asks; "": it may
	Schedule *estate.Scheduled // how it stands with the schedule
	Spec     *sop.Spec
	SpecRun  string // the run that spec was read from
	Issues   []issue
	From, To time.Time // of the axis of the issues
	NowAt    float64
	Places   []place
	Runs     []runRow
	Of       int // runs there are
	Found    []foundView
}

// issue is one generation of the credential, on the axis of all of them.
type issue struct {
	Name, ID    string
	From, Ended time.Time
	Expires     time.Time
	At, Wide    float64 // how long it was in use
	Until       float64 // how long it would be valid still, after that
	InUse       bool
	Share       float64
}

// place holds it, by fingerprint.
type place struct {
	Key    string
	Role   string // store, consumer
	Slots  []slot
	Seen   time.Time
	Proven bool
}

type slot struct {
	Name   string
	Print  cred.Fingerprint
	Hidden bool
	Absent bool
}

// runsRead is how many of a credential's newest runs its page reads.
const runsRead = 8

func (c *Console) credentialPage(w http.ResponseWriter, r *http.Request) error {
	b, err := c.credentialOf(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	return show(c, w, http.StatusOK, "credential", frame(c, r, b.Credential, "/", b))
}

// rowNamed is the credential's row of the estate.
func (c *Console) rowNamed(ctx context.Context, name string) (Listed, error) {
	status, err := c.o.Ops.Status(ctx, estate.StatusAsked{Working: true})
	if err != nil {
		return Listed{}, err
	}
	i := slices.IndexFunc(status.Rows, func(x report.Row) bool { return x.Credential == name })
	if i < 0 {
		return Listed{}, &estate.Error{Code: estate.NoCredential, Credential: name, Err: errNotNamed(name)}
	}
	wanted, err := c.wanted(ctx)
	if err != nil {
		return Listed{}, err
	}
	out := rowOf(asking(status.Rows[i:i+1], wanted)[0], c.o.Now())
	if s, ok := wanted[name]; ok && (out.Attention == agrees || out.Attention == "asks") {
		out.wanted(s)
	}
	return out, nil
}

type errNotNamed string

func (e errNotNamed) Error() string { return "no credential is called " + string(e) }

func (c *Console) credentialOf(ctx context.Context, name string) (credentialBody, error) {
	now := c.o.Now()
	r, err := c.rowNamed(ctx, name)
	if err != nil {
		return credentialBody{}, err
	}
	b := credentialBody{Listed: r}
	me, err := c.o.Ops.Whoami(ctx)
	switch role, refused := me.Refused[name]; {
	case err != nil:
		b.Why = "It is not known who you are, so nothing can be changed."
	case refused:
		b.Why = "You may look at it. Changing it requires the role " + role + "."
	}
	schedule, err := c.o.Ops.Schedule(ctx)
	if err != nil {
		return b, err
	}
	for i, s := range schedule.Credentials {
		if s.Credential == name {
			b.Schedule = &schedule.Credentials[i]
		}
	}
	runs, err := c.o.Ops.RunsOf(ctx, name)
	if err != nil {
		return b, err
	}
	for _, s := range slices.Backward(runs) {
		x := runRowOf(s)
		x.as(r.Row)
		b.Runs = append(b.Runs, x)
	}
	b.Of = len(b.Runs)
	if err := c.history(ctx, &b, now); err != nil {
		return b, err
	}
	found, err := c.o.Ops.Findings(ctx)
	if err != nil {
		return b, err
	}
	for _, f := range found.Findings {
		if f.Credential == name {
			b.Found = append(b.Found, foundView{Finding: f})
		}
	}
	return b, nil
}

// history reads the newest runs: which issues there were, and what each place holds.
func (c *Console) history(ctx context.Context, b *credentialBody, now time.Time) error {
	var events []rotation.Event
	for _, s := range slices.Backward(b.Runs[:min(len(b.Runs), runsRead)]) { // oldest first
		logged, err := c.o.Ops.Log(ctx, s.Run)
		if err != nil {
			return err
		}
		events = append(events, logged.Events...)
		st := rotation.Fold(logged.Events)
		if st.Plan == nil || st.Opened.Spec.Purpose == sop.ToRehearse {
			continue
		}
		b.Spec, b.SpecRun = &st.Plan.Spec, s.Run
		b.Places = placesOf(st, logged.Events)
	}
	all := rotation.Generations(events)
	if len(all) == 0 && !b.Made.IsZero() { // no run yet: what a check has seen
		all = []rotation.Generation{{Handle: cred.Handle{Name: b.Token, Created: b.Made, Expires: b.Expires}, From: b.Made}}
	}
	b.issues(all, now)
	return nil
}

// issues lays the generations out on one axis, the newest first.
func (b *credentialBody) issues(all []rotation.Generation, now time.Time) {
	if len(all) == 0 {
		return
	}
	begin := func(g rotation.Generation) time.Time {
		if !g.Handle.Created.IsZero() && g.Handle.Created.Before(g.From) {
			return g.Handle.Created
		}
		return g.From
	}
	b.From, b.To = begin(all[0]), now
	for _, g := range all {
		if g.Ended.IsZero() && g.Handle.Expires.After(b.To) {
			b.To = g.Handle.Expires
		}
	}
	if due := b.Due.At; due.After(b.To) {
		b.To = due
	}
	length := float64(b.To.Sub(b.From))
	if length <= 0 {
		return
	}
	at := func(t time.Time) float64 { return min(max(float64(t.Sub(b.From))/length, 0), 1) }
	b.NowAt = at(now)
	for i, g := range slices.Backward(all) {
		x := issue{Name: g.Handle.Name, ID: g.Handle.ID, From: begin(g), Ended: g.Ended, Expires: g.Handle.Expires, At: at(begin(g)), Share: -1}
		end := g.Ended
		if end.IsZero() {
			end, x.InUse = now, i == len(all)-1
			if g.Handle.Expires.After(now) {
				x.Until = at(g.Handle.Expires) - at(now)
				x.Share = share(begin(g), g.Handle.Expires, now)
			}
		}
		x.Wide = max(at(end)-x.At, 0.004)
		b.Issues = append(b.Issues, x)
	}
}

// placesOf are store and consumers as a run saw or left them: what was read back last.
func placesOf(st *rotation.State, events []rotation.Event) (out []place) {
	p := st.Plan
	read := map[string]place{}
	for _, e := range events {
		if e.Outcome == nil || len(e.Outcome.Slots) == 0 {
			continue
		}
		step, known := p.Step(e.Outcome.Step)
		if !known {
			continue
		}
		key := step.Target
		switch step.Verb {
		case rotation.Store, rotation.Restore, rotation.Remove:
			key = p.Spec.Store.Key
		case rotation.Propagate, rotation.Settle, rotation.Return, rotation.Resettle:
		default:
			continue
		}
		x := place{Seen: e.At}
		for _, s := range e.Outcome.Slots {
			x.Slots = append(x.Slots, slot{Name: s.Slot, Print: s.Fingerprint, Hidden: s.Hidden, Absent: !s.Present})
		}
		read[key] = x
	}
	add := func(key, role string, seen []rotation.SlotSeen) {
		x := place{Key: key, Role: role, Seen: p.Seen.At}
		for _, s := range seen {
			x.Slots = append(x.Slots, slot{Name: s.Slot, Print: s.Fingerprint, Hidden: s.Hidden, Absent: !s.Present})
		}
		if after, ok := read[key]; ok {
			x.Seen, x.Slots = after.Seen, after.Slots
		}
		for _, s := range p.Steps {
			settled := s.Verb == rotation.Settle && s.Target == key || s.Verb == rotation.Store && role == "store"
			x.Proven = x.Proven || settled && st.Step(s.ID).Status == rotation.Ended && st.Mode == rotation.Forward
		}
		out = append(out, x)
	}
	add(p.Spec.Store.Key, "store", p.Seen.Store.Slots)
	for _, k := range p.Seen.Consumers {
		add(k.Key, "consumer", k.Slots)
	}
	return out
}

// check, compare and discover look at one credential; what they find is noted in the
// journal, and the page that one comes back to shows it.
func (c *Console) check(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	name := r.PathValue("name")
	checked, err := c.o.Ops.Check(r.Context(), estate.Wish{Credential: name, ByHand: seenIn(r.PostForm)})
	if err != nil {
		return err
	}
	if checked.Asks != nil {
		return c.askPage(w, r, askBody{Credential: name, For: "check everything that a run would need", Task: checked.Asks, Method: "post", To: credentialAt(name) + "/check", Hidden: hidden(r.PostForm)})
	}
	if checked.OK() {
		return done(w, r, credentialAt(name)+"#known")
	}
	p := problem{Title: name + " is not ready for a run", Why: "Everything was looked at just now, and this stands against it:", Refusals: checked.Refusals, Lines: checked.Problems, Live: []string{untouched}, Links: []link{toCredential(name), {"Findings", "/findings"}}}
	if len(checked.Refusals) == 0 {
		p.Why = "Not everything could be seen that a run would need:"
	}
	c.fail(w, r, http.StatusOK, p)
	return nil
}

func (c *Console) compare(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if _, err := c.o.Ops.Compare(r.Context(), []string{name}); err != nil {
		return err
	}
	return done(w, r, credentialAt(name)+"#known")
}

func (c *Console) discover(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if _, err := c.o.Ops.Discover(r.Context(), []string{name}); err != nil {
		return err
	}
	return done(w, r, credentialAt(name)+"#known")
}
