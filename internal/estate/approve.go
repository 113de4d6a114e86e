package estate

import (
	"cmp"
	"context"
	"database/sql"
	"slices"

	"rekey/internal/approvals"
	"rekey/internal/history"
	"rekey/internal/sop"
)

// Answering is what somebody says to a request for an agreement.
type Answering struct {
	// About is the request's id, the run that waits, or the credential.
	About string `json:"about"`
	// Seen is the digest of what he has seen, so that nobody agrees to something else;
	// "": whatever is asked now.
	Seen   string `json:"seen,omitempty"`
	Reason string `json:"reason,omitempty"` // for the record; a refusal wants one
}

// Approvals returns the requests that somebody can still answer, or that are agreed to
// and not begun yet.
func (e *Estate) Approvals(ctx context.Context) ([]Approval, error) {
	out := []Approval{}
	err := e.ifJournal(ctx, func(book history.Book) error {
		all, err := e.liveApprovals(ctx, book)
		for _, s := range all {
			if s.Live() {
				out = append(out, s)
			}
		}
		return err
	})
	slices.SortFunc(out, func(a, b Approval) int {
		return cmp.Or(a.Request.At.Compare(b.Request.At), cmp.Compare(a.Request.ID, b.Request.ID))
	})
	return out, err
}

// liveApprovals are the newest requests of each gate that have not expired, those
// included that were refused, taken back or used.
func (e *Estate) liveApprovals(ctx context.Context, book history.Book) (out []Approval, err error) {
	asked, err := newest[approvals.Request](ctx, e, book, approvals.Asked)
	if err != nil {
		return nil, err
	}
	for name, last := range asked {
		if !e.now().Before(last.Until) {
			continue
		}
		s, err := e.approval(ctx, book, name, last.Gate, last.Run)
		if err != nil {
			return nil, err
		}
		if last.Gate == approvals.Retiring {
			st, err := book.State(ctx, last.Run)
			if err != nil {
				return nil, failed(err)
			}
			if st.Closed != nil || st.Confirmed != nil || st.Asked != nil {
				continue // nothing waits for it any more
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// Approve agrees to what somebody asks for.
func (e *Estate) Approve(ctx context.Context, a Answering) (Approval, error) {
	return e.answer(ctx, a, approvals.Given, Served{})
}

// ApproveServed is Approve, and has a worker woken for the run that waits.
func (e *Estate) ApproveServed(ctx context.Context, a Answering, by Served) (Approval, error) {
	return e.answer(ctx, a, approvals.Given, by)
}

// Refuse refuses it.
func (e *Estate) Refuse(ctx context.Context, a Answering) (Approval, error) {
	if a.Reason == "" {
		return Approval{}, &Error{Code: NoReason}
	}
	return e.answer(ctx, a, approvals.Refused, Served{})
}

// TakeBack takes one's own agreement back, or one's own request.
func (e *Estate) TakeBack(ctx context.Context, a Answering) (Approval, error) {
	return e.answer(ctx, a, approvals.TakenBack, Served{})
}

// answer notes an answer, if its giver may give it. What is looked at cannot change
// until it is written.
func (e *Estate) answer(ctx context.Context, a Answering, kind string, by Served) (s Approval, err error) {
	w, err := e.surround(sop.Spec{})
	if err != nil {
		return s, err
	}
	defer w.close()
	if err := w.named(ctx); err != nil {
		return s, err
	}
	who, err := e.who(ctx)
	if err != nil {
		return s, err
	}
	asked, err := e.liveApprovals(ctx, w.book)
	if err != nil {
		return s, err
	}
	i := slices.IndexFunc(asked, func(s Approval) bool {
		return s.Live() && (a.About == s.Request.ID || a.About == s.Request.Run || a.About == s.Request.Credential)
	})
	if i < 0 {
		return s, &Error{Code: NothingAsked, Name: a.About}
	}
	r := asked[i].Request
	now := e.now().UTC()
	id := e.config.Identity
	person := approvals.Person{Who: who, Roles: id != nil, Proof: id.Proves(), Seen: a.Seen}
	said := approvals.Answer{ID: r.ID, At: now, By: who, SignedIn: approvals.SignedIn(who), Reason: a.Reason, AsAsker: kind == approvals.Given && approvals.Same(who, r.By)}
	note, err := history.NoteOf(now, r.Credential, kind, said)
	if err != nil {
		return s, failed(err)
	}
	err = w.book.AddWith(context.WithoutCancel(ctx), func(ctx context.Context, book history.Book, tx *sql.Tx) error {
		before, err := e.approval(ctx, book, r.Credential, r.Gate, r.Run)
		if err != nil {
			return err
		}
		if before.Request.ID != r.ID {
			return &Error{Code: OtherAsked, Credential: r.Credential, Run: r.Run, Approval: &before}
		}
		var why approvals.Against
		switch kind {
		case approvals.Given:
			why = approvals.MayGive(before, person, now)
		case approvals.Refused:
			why = approvals.MayRefuse(before, person)
		default:
			why = approvals.MayTakeBack(before, person)
		}
		if err := e.against(why, before, person); err != nil {
			return err
		}
		if s, err = e.approvalWith(ctx, book, r.Credential, r.Gate, r.Run, approvals.Note{Kind: kind, Answer: &said}); err != nil {
			return err
		}
		if err := e.done(ctx, tx, s); err != nil || r.Run == "" {
			return err
		}
		return by.beside(ctx, tx, Said{Run: r.Run, Credential: r.Credential})
	}, note)
	if err != nil {
		if coded := codedError(err); coded != nil {
			return s, coded
		}
		return s, &Error{Code: Unwritable, Err: err}
	}
	return s, nil
}

// against words what stands against an answer.
func (e *Estate) against(why approvals.Against, s Approval, p approvals.Person) error {
	r := s.Request
	out := &Error{Credential: r.Credential, Run: r.Run, Who: &p.Who, Approval: &s}
	switch why {
	case approvals.None:
		return nil
	case approvals.Nothing:
		out.Code, out.Name = NothingAsked, r.ID
	case approvals.OtherPlan:
		out.Code = OtherAsked
	case approvals.LacksRole:
		out.Code, out.Name = NotApprover, r.Rule.Role
		for _, w := range e.config.Identity.Roles[r.Rule.Role] {
			out.Known = append(out.Known, w.String())
		}
	case approvals.Unproven:
		out.Code = NotProven
	case approvals.IsAsker:
		out.Code = OwnRequest
	case approvals.Stale:
		out.Code = NotFresh
	case approvals.Already:
		out.Code = AgreedAlready
	default:
		out.Code = NotTheirs
	}
	return out
}
