package estate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"rekey/internal/approvals"
	"rekey/internal/history"
	"rekey/internal/rotation"
	"rekey/internal/runner"
)

// Approval is how a request for somebody's agreement stands.
type Approval = approvals.State

// approvalNotes are the journal's notes about the approvals of a credential.
func approvalNotes(ctx context.Context, book history.Book, credential string) ([]approvals.Note, error) {
	notes, err := book.Notes(ctx, credential, approvals.Kinds()...)
	if err != nil {
		return nil, failed(err)
	}
	out := make([]approvals.Note, 0, len(notes))
	for _, n := range notes {
		a := approvals.Note{Kind: n.Kind}
		if n.Kind == approvals.Asked {
			a.Request = new(approvals.Request)
			err = json.Unmarshal(n.Body, a.Request)
		} else {
			a.Answer = new(approvals.Answer)
			err = json.Unmarshal(n.Body, a.Answer)
		}
		if err != nil {
			return nil, failedf("the journal's note about the approval of %s cannot be read: %w", credential, err)
		}
		out = append(out, a)
	}
	return out, nil
}

// approval is how the newest request of a gate stands.
func (e *Estate) approval(ctx context.Context, book history.Book, credential string, gate approvals.Gate, run string) (Approval, error) {
	return e.approvalWith(ctx, book, credential, gate, run)
}

// approvalWith is how it stands with what is being written.
func (e *Estate) approvalWith(ctx context.Context, book history.Book, credential string, gate approvals.Gate, run string, more ...approvals.Note) (Approval, error) {
	notes, err := approvalNotes(ctx, book, credential)
	if err != nil {
		return Approval{}, err
	}
	notes = append(notes, more...)
	var unread error
	s := approvals.Of(notes, gate, run, func(id string) bool {
		if gate != approvals.Start {
			return false // the run waits still, whatever was begun
		}
		by, err := book.CarriedOut(ctx, credential, id)
		unread = err
		return by != ""
	}, e.now())
	return s, failed(unread)
}

// agreedToStart returns the plan that people have agreed to, and that comes out again
// just now. Where nobody has, they are asked: AwaitsApproval, and nothing is opened.
func (w *work) agreedToStart(ctx context.Context, o Opening) (*rotation.Plan, error) {
	run, err := w.runID()
	if err != nil {
		return nil, err
	}
	seen, err := w.runner().Observe(ctx, w.spec)
	if err != nil {
		return nil, &Error{Code: NotSeen, Credential: w.spec.Name, Purpose: w.spec.Purpose, Problems: runner.Problems(err), Asks: w.unanswered}
	}
	plan, refusals := rotation.Compile(w.spec, seen, w.crew.Can, run)
	if len(refusals) > 0 {
		return nil, &Error{Code: Refused, Credential: w.spec.Name, Purpose: w.spec.Purpose, Refusals: refusals}
	}
	if o.Reviewed != nil && o.Reviewed.Digest() != plan.Digest() {
		return nil, &Error{Code: Refused, Credential: w.spec.Name, Purpose: w.spec.Purpose, Refusals: changedSince(o.Reviewed, &plan)}
	}
	want := &approvals.Request{
		ID: plan.Run, Gate: approvals.Start, Credential: w.spec.Name, Digest: approvals.StartDigest(&plan), Plan: &plan,
		By: w.by, Reason: o.Reason, Ticket: o.Ticket, Rule: *w.spec.Approvals,
	}
	s, err := w.ask(ctx, want)
	if err != nil {
		return nil, err
	}
	if !s.Holds(want.Digest) {
		return nil, awaits(s)
	}
	return s.Request.Plan, nil
}

func changedSince(before, now *rotation.Plan) (out []rotation.Refusal) {
	for _, d := range rotation.Differences(before, now) {
		out = append(out, rotation.Refusal{Code: rotation.PlanChanged, What: d, Then: "make the plan again, and review it"})
	}
	return out
}

// startHolds is looked at in the transaction that opens a run: what people have agreed to
// may have been taken back since.
func (w *work) startHolds(ctx context.Context, book history.Book, digest string) error {
	s, err := w.approval(ctx, book, w.spec.Name, approvals.Start, "")
	if err == nil && !s.Holds(digest) {
		err = awaits(s)
	}
	return err
}

// awaits is what is refused until somebody agrees.
func awaits(s Approval) error {
	out := &Error{Code: AwaitsApproval, Approval: &s}
	if s.Request != nil {
		out.Credential, out.Run = s.Request.Credential, s.Request.Run
	}
	if s.Standing == approvals.Denied {
		out.Code = ApprovalRefused
	}
	return out
}

// ask notes a request in the journal, unless the same is asked, agreed to or refused
// already, and returns how it stands.
func (w *work) ask(ctx context.Context, want *approvals.Request) (s Approval, err error) {
	now := w.now().UTC()
	want.At, want.Until = now, now.Add(want.Rule.Expire)
	settled := errors.New("nothing has to be asked")
	for {
		if s, err = w.approval(ctx, w.book, want.Credential, want.Gate, want.Run); err != nil || !s.Again(want.Digest, now) {
			return s, err
		}
		if s.Request != nil && s.Request.Plan != nil && want.Plan != nil && s.Standing != approvals.Used {
			want.Changed = approvals.Changed(s.Request.Plan, want.Plan)
		}
		var notes []history.Note
		if s.Standing == approvals.Over {
			n, err := history.NoteOf(now, want.Credential, approvals.Expired, approvals.Answer{ID: s.Request.ID, At: now})
			if err != nil {
				return s, failed(err)
			}
			notes = append(notes, n)
		}
		n, err := history.NoteOf(now, want.Credential, approvals.Asked, want)
		if err != nil {
			return s, failed(err)
		}
		err = w.book.AddIf(context.WithoutCancel(ctx), func(ctx context.Context, book history.Book) error {
			newest, err := w.approval(ctx, book, want.Credential, want.Gate, want.Run)
			if err == nil && (newest.Standing != s.Standing || newest.Request != nil && newest.Request.ID != s.Request.ID) {
				err = settled // somebody else was faster: look again
			}
			return err
		}, append(notes, n)...)
		if err != nil && !errors.Is(err, settled) {
			return s, &Error{Code: Unwritable, Err: err}
		}
	}
}

// retiring is whether people have agreed that something is taken from the old credential.
type retiring struct {
	wanted bool
	state  Approval
}

// retiringWanted tells whether a run waits for people before it takes anything from the
// old credential. The configuration says so as it is now; what the run is for, as it was
// opened.
func (w *work) retiringWanted(state *rotation.State) bool {
	spec := w.spec
	spec.Purpose = state.Opened.Spec.Purpose
	return approvals.Wanted(spec, approvals.Retiring)
}

// agreedToRetire tells whether people have agreed to what a run asks for now, and asks
// them where nobody was asked yet.
func (w *work) agreedToRetire(ctx context.Context, state *rotation.State, ask rotation.Ask) (g retiring, err error) {
	if g.wanted = w.retiringWanted(state); !g.wanted {
		return g, nil
	}
	spec := w.spec
	id, err := w.runID()
	if err != nil {
		return g, err
	}
	want := &approvals.Request{
		ID: id, Gate: approvals.Retiring, Credential: spec.Name, Run: state.Run, Digest: approvals.RetiringDigest(state.Plan, ask, state.Named),
		Final: append(append([]string{}, ask.For...), ask.Final...), Reason: state.Opened.Reason, Ticket: state.Opened.Ticket, Rule: *spec.Approvals,
	}
	if state.Opened.By != nil {
		want.By = *state.Opened.By
	}
	g.state, err = w.ask(ctx, want)
	return g, err
}

// says is why a run waits for them.
func (g retiring) says() string {
	switch s := g.state; s.Standing {
	case approvals.Denied:
		return fmt.Sprintf("everything is proven; %s has refused that the old one is revoked", s.Refusal.By.Name)
	default:
		return fmt.Sprintf("everything is proven; the old one is revoked when %s approved it, until %s", people(s.Missing), s.Until.UTC().Format(time.RFC3339))
	}
}

func people(n int) string {
	if n == 1 {
		return "one person more has"
	}
	return fmt.Sprintf("%d people more have", n)
}

// mayConfirm refuses a person's word where a run waits for others' agreement: it would
// change nothing.
func (w *work) mayConfirm(ctx context.Context, state *rotation.State) error {
	if !w.retiringWanted(state) {
		return nil
	}
	s, err := w.approval(ctx, w.book, w.spec.Name, approvals.Retiring, state.Run)
	if err != nil || s.Standing != approvals.Waiting && s.Standing != approvals.Denied {
		return err // nobody was asked, or nobody answered in time: the run asks
	}
	return awaits(s)
}
