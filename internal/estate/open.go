package estate

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"rekey/internal/approvals"
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Open opens a run of whatever purpose and carries it out.
func (e *Estate) Open(ctx context.Context, o Opening, f Face) (Ended, error) {
	w, c, err := e.begin(ctx, o, here{behind: f.Behind})
	if err != nil {
		return Ended{}, err
	}
	defer w.close()
	return w.carryOut(ctx, c, f)
}

// here is in which way something is said to a run: by the process that carries it out
// then, which locks the credential, or to a service, whose workers do.
type here struct {
	behind  func(why error) // of the process that carries out: as Face.Behind
	service *Served         // nil: the process that says it carries it out
}

// begin opens a run. Unless there is an error, the caller closes what it returns.
func (e *Estate) begin(ctx context.Context, o Opening, by here) (w *work, c carrying, err error) {
	if emergency(o.Purpose) && o.Reason == "" {
		return nil, c, &Error{Code: NoReason, Purpose: o.Purpose}
	}
	if err := reasoned(o.Without, o.Reason); err != nil {
		return nil, c, err
	}
	spec, err := e.wished(ctx, o.Wish, o.Reviewed)
	if err != nil {
		return nil, c, err
	}
	if o.Confirm != "" && o.Confirm != spec.Name {
		return nil, c, &Error{Code: OtherName, Name: o.Confirm, Credential: spec.Name}
	}
	gated, closed := approvals.Wanted(spec, approvals.Start), e.inWindow(spec, o.Outside)
	if closed != nil && !gated {
		return nil, c, closed
	}
	if w, err = e.prepare(spec, o.saw); err != nil {
		return nil, c, err
	}
	defer func() {
		if err != nil {
			w.close()
			w = nil
		}
	}()
	if err := w.named(ctx); err != nil {
		return w, c, err
	}
	if by.service == nil {
		if err := w.lock(); err != nil {
			return w, c, err
		}
		if err := w.openLeases(ctx); err != nil {
			return w, c, err
		}
	}
	if err := w.may(ctx, sop.OpOf(spec.Purpose), o.Without, spec); err != nil {
		return w, c, err
	}
	if by.behind != nil {
		w.lookBack(ctx, by.behind)
	}
	// Others are asked before a window opens: in one that opens at night nobody would answer.
	if gated {
		if o.Reviewed, err = w.agreedToStart(ctx, o); err != nil {
			return w, c, err
		}
	}
	if closed != nil {
		return w, c, closed
	}
	w.seen = nil // the run asks anew
	// The id is made here, whatever a plan says: what bears it may be taken away.
	run, err := e.runID()
	if err != nil {
		return w, c, err
	}
	opened := &rotation.Opened{Credential: spec.Name, Spec: spec, Actor: w.by.Name, By: &w.by, Reason: o.Reason, Ticket: o.Ticket, Tool: e.here.Tool, Overrides: o.overrides(), Simulated: e.simulated(), Request: askedBy(ctx)}
	if o.Reviewed != nil {
		opened.Expect, opened.Plan = o.Reviewed.Digest(), o.Reviewed.Run
	}
	// Where others have to agree before the old one is revoked, one word is none.
	if by.service != nil && o.Confirm != "" && !approvals.Wanted(spec, approvals.Retiring) {
		opened.Word = &rotation.Word{How: confirming(ctx)}
	}
	first := rotation.Event{At: e.now().UTC(), Run: run, Kind: rotation.KindOpened, Opened: opened}
	recorder := &history.Recorder{Book: w.book, Credential: spec.Name, Words: true}
	w.recorder = recorder
	recorder.With = w.opening(by, run, o.Reviewed)
	// Looked at and written in one transaction: of several that begin together, those
	// that must not go on beside each other do not.
	err = recorder.Begin(context.WithoutCancel(ctx), func(ctx context.Context, book history.Book, tx *sql.Tx) error {
		if err := e.done(ctx, tx, Begun{Run: run}); err != nil {
			return err
		}
		if gated {
			if err := w.startHolds(ctx, book, approvals.StartDigest(o.Reviewed)); err != nil {
				return err
			}
		}
		if err := w.newestIs(ctx, book, o.After); err != nil {
			return err
		}
		return w.mayBegin(ctx, book, opened, o.Alongside)
	}, first)
	if refused, coded := errors.AsType[*Error](err); coded {
		return w, c, refused
	}
	if err != nil {
		return w, c, &Error{Code: Unwritable, Err: err}
	}
	state := rotation.NewState()
	w.holding(state)
	return w, carrying{state: state, recorder: recorder, first: []rotation.Event{first}, confirm: o.Confirm, reviewed: o.Reviewed}, nil
}

// overrides are the rules that a run sets aside, for the record: the words stand in
// journals, and are those of the command line.
func (o Opening) overrides() []string {
	var out []string
	for _, x := range []struct {
		said bool
		word string
	}{{o.Outside, "--outside-window"}, {o.Alongside, "--alongside"}, {o.Purpose == sop.AfterRevoke, "--after-revoke"}, {o.Without, "--without-role"}, {o.Strategy != "", "--strategy " + o.Strategy}} {
		if x.said {
			out = append(out, x.word)
		}
	}
	for _, d := range o.Despite {
		out = append(out, "--despite "+d)
	}
	return out
}

// inWindow refuses to begin a run while none of its windows is open. An emergency, a
// repair and a rehearsal do not wait.
func (e *Estate) inWindow(spec sop.Spec, anyway bool) error {
	now := e.now()
	if spec.Purpose != "" && spec.Purpose != sop.ToForget || anyway || sop.Open(spec.Windows, now) {
		return nil
	}
	return &Error{Code: WindowClosed, Credential: spec.Name, Spec: &spec, Opens: sop.NextOpen(spec.Windows, now)}
}

// newestIs refuses a run that was asked for before another one was begun.
func (w *work) newestIs(ctx context.Context, book history.Book, after string) error {
	if after == "" {
		return nil
	}
	newest, err := book.NewestRun(ctx, w.spec.Name)
	if err == nil && newest != after && (newest != "" || after != NoRunYet) {
		err = &Error{Code: NotNewest, Credential: w.spec.Name, Run: newest}
	}
	return err
}

// mayBegin refuses a run beside others that are open: of the same credential, of the
// same plan, or of the same consumers.
func (w *work) mayBegin(ctx context.Context, book history.Book, o *rotation.Opened, alongside bool) error {
	open, err := book.Going(ctx)
	if err != nil {
		return err
	}
	for _, r := range open {
		if r.Credential == w.spec.Name {
			st, err := book.State(ctx, r.Run)
			return &Error{Code: RunOpen, Credential: w.spec.Name, Run: r.Run, Final: err == nil && st.Final}
		}
	}
	if o.Plan != "" {
		run, err := book.CarriedOut(ctx, w.spec.Name, o.Plan)
		if err != nil {
			return err
		}
		if run != "" {
			return &Error{Code: PlanDone, Run: run}
		}
	}
	if alongside {
		return nil
	}
	return w.alone(ctx, book, open)
}

// alone refuses to change a consumer while another open run changes it: two
// restarts at once, and if one breaks nobody knows which.
func (w *work) alone(ctx context.Context, book history.Book, open []history.Going) error {
	open = slices.DeleteFunc(slices.Clone(open), func(r history.Going) bool { return !writesConsumers(r.Purpose) })
	if !writesConsumers(w.spec.Purpose) || len(open) == 0 {
		return nil
	}
	ours, err := things(ctx, book, w.spec)
	if err != nil {
		return err
	}
	for _, r := range open {
		// As it was opened: the configuration may have changed, or be another one.
		theirs, err := things(ctx, book, r.Spec)
		if err != nil {
			return err
		}
		busy := slices.Concat(theirs...)
		for i, c := range w.spec.Consumers {
			if slices.ContainsFunc(ours[i], func(n string) bool { return slices.Contains(busy, n) }) {
				return &Error{Code: PlaceBusy, Credential: r.Credential, Run: r.Run, Place: c.Key}
			}
		}
	}
	return nil
}

func writesConsumers(p sop.Purpose) bool {
	return p != sop.ToRevoke && p != sop.ToDelete && p != sop.ToRehearse
}

// lock makes sure that only one process works on the credential, until it is closed.
func (w *work) lock() error {
	unlock, err := w.book.J.Lock(w.spec.Name)
	if errors.Is(err, journal.ErrLocked) {
		return &Error{Code: Busy, Credential: w.spec.Name}
	}
	if err == nil {
		w.closes = append(w.closes, unlock)
	}
	return failed(err)
}
