package estate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rekey/internal/history"
	"rekey/internal/report"
	"rekey/internal/sop"
)

// longestAcknowledged is for how long a finding may be let be at once: who wants it for
// longer looks at it again meanwhile.
const longestAcknowledged = 366 * 24 * time.Hour

// Findings are what the last looks have found.
type Findings struct {
	At       time.Time        `json:"at"`
	Findings []report.Finding `json:"findings"`
}

// Acknowledging is what somebody says about a finding.
type Acknowledging struct {
	Finding string `json:"finding"`
	// Seen is its state as he has seen it, so that he does not let something else be; "":
	// whatever it is now.
	Seen   string    `json:"seen,omitempty"`
	Reason string    `json:"reason,omitempty"` // for the record; only to take it back needs none
	Until  time.Time `json:"until,omitzero"`   // when it comes back by itself
	// TakeBack says that it is not to be let be any more.
	TakeBack bool `json:"take_back,omitempty"`
}

// Acknowledged is how a finding stands after that.
type Acknowledged struct {
	Finding report.Finding `json:"finding"`
}

// Findings tells what the last looks have found, and who lets it be.
func (e *Estate) Findings(ctx context.Context) (Findings, error) {
	known, err := e.known(ctx)
	if err != nil {
		return Findings{}, err
	}
	now := e.now()
	return Findings{At: now.UTC(), Findings: report.Findings(report.Rows(e.config.Specs, known, now), known, now)}, nil
}

// errSettled means that somebody else has written meanwhile.
var errSettled = errors.New("what people let be has changed meanwhile")

// Acknowledge notes that somebody knows of a finding and lets it be.
func (e *Estate) Acknowledge(ctx context.Context, a Acknowledging) (out Acknowledged, err error) {
	now := e.now().UTC()
	a.Reason = strings.TrimSpace(a.Reason)
	switch {
	case a.TakeBack:
	case a.Reason == "":
		return out, &Error{Code: NoReason}
	case !a.Until.After(now):
		return out, &Error{Code: BadUntil, Err: errors.New("say until when, as a time to come: it comes back then by itself")}
	case a.Until.After(now.Add(longestAcknowledged)):
		return out, &Error{Code: BadUntil, Err: fmt.Errorf("that is more than a year away: it is looked at again before %s", now.Add(longestAcknowledged).Format(time.DateOnly))}
	}
	w, err := e.surround(sop.Spec{})
	if err != nil {
		return out, err
	}
	defer w.close()
	if err := w.named(ctx); err != nil {
		return out, err
	}
	for {
		if out, err = w.acknowledge(ctx, a, now); !errors.Is(err, errSettled) {
			return out, err
		}
	}
}

func (w *work) acknowledge(ctx context.Context, a Acknowledging, now time.Time) (out Acknowledged, err error) {
	all, err := w.Findings(ctx)
	if err != nil {
		return out, err
	}
	i := slices.IndexFunc(all.Findings, func(f report.Finding) bool { return f.ID == a.Finding })
	if i < 0 {
		return out, &Error{Code: NoFinding, Name: a.Finding}
	}
	f := all.Findings[i]
	if f.Credential == "" {
		err = w.mayOne(ctx, sop.OpAcknowledge)
	} else if spec, unknown := w.config.Spec(f.Credential); unknown == nil {
		err = w.may(ctx, sop.OpAcknowledge, false, spec)
	} else {
		err = &Error{Code: NoFinding, Name: a.Finding}
	}
	switch {
	case err != nil:
		return out, err
	case a.Seen != "" && a.Seen != f.State:
		return out, &Error{Code: FindingChanged, Name: f.ID, Credential: f.Credential, Err: errors.New(f.What)}
	case a.TakeBack && f.Acknowledged == nil:
		return out, &Error{Code: NotAcknowledged, Name: f.ID, Credential: f.Credential}
	}
	newest, err := standing(ctx, w.book)
	if err != nil {
		return out, err
	}
	before := newest[f.Credential]
	body := report.Acknowledged{Said: report.SaidSeen, By: &w.by, Reason: a.Reason, Standing: []report.Acknowledgement{}}
	for _, s := range before.Standing {
		switch {
		case s.Finding == f.ID && a.TakeBack:
			body.Said, body.About = report.SaidTakenBack, append(body.About, s)
		case s.Finding != f.ID && now.Before(s.Until):
			body.Standing = append(body.Standing, s)
		}
	}
	f.Acknowledged = nil
	if !a.TakeBack {
		said := report.Acknowledgement{Finding: f.ID, State: f.State, Credential: f.Credential, Look: f.Look, Kind: f.Kind, Where: f.Where, What: f.What, At: now, By: w.by, Reason: a.Reason, Until: a.Until.UTC()}
		body.About, body.Standing, f.Acknowledged = append(body.About, said), append(body.Standing, said), &said
	}
	note, err := history.NoteOf(now, f.Credential, history.Acknowledged, body)
	if err != nil {
		return out, failed(err)
	}
	out = Acknowledged{Finding: f}
	err = w.book.AddWith(context.WithoutCancel(ctx), func(ctx context.Context, book history.Book, tx *sql.Tx) error {
		if err := unchanged(ctx, book, newest, f.Credential); err != nil {
			return err
		}
		return w.done(ctx, tx, out)
	}, note)
	if coded := codedError(err); err == nil || coded != nil || errors.Is(err, errSettled) {
		if coded != nil {
			err = coded
		}
		return out, err
	}
	return out, &Error{Code: Unwritable, Err: err}
}

// said is the newest note about what people let be of a credential.
type said struct {
	report.Acknowledged
	text string
}

// standing are the newest notes about what people let be, by credential.
func standing(ctx context.Context, book history.Book) (map[string]said, error) {
	notes, err := book.Latest(ctx, history.Acknowledged)
	if err != nil {
		return nil, failed(err)
	}
	out, read := map[string]said{}, readers()[history.Acknowledged]
	for name, n := range notes {
		v, err := read(n)
		if err != nil {
			return nil, err
		}
		one, _ := v.(report.Acknowledged) // as reads has made it
		out[name] = said{one, string(n.Body)}
	}
	return out, nil
}

// unchanged refuses to write over what was said meanwhile.
func unchanged(ctx context.Context, book history.Book, before map[string]said, credentials ...string) error {
	now, err := standing(ctx, book)
	if err != nil {
		return err
	}
	for _, c := range credentials {
		if now[c].text != before[c].text {
			return errSettled
		}
	}
	return nil
}

// keepSeen is keep of what looks came to. What people let be and no longer exists, or
// is something else, is over with it: what comes up again is told again.
func (w *work) keepSeen(ctx context.Context, seen []report.Sighting, notes ...history.Note) error {
	for {
		before, err := standing(ctx, w.book)
		if err != nil {
			return err
		}
		all, of, now := slices.Clone(notes), []string{}, w.now().UTC()
		for _, s := range seen {
			left, over := s.Over(before[s.Credential].Standing)
			if len(over) == 0 {
				continue
			}
			n, err := history.NoteOf(now, s.Credential, history.Acknowledged, report.Acknowledged{Said: report.SaidOver, About: over, Standing: append([]report.Acknowledgement{}, left...)})
			if err != nil {
				return failed(err)
			}
			all, of = append(all, n), append(of, s.Credential)
		}
		if len(of) == 0 {
			return w.keep(ctx, notes...)
		}
		err = w.book.AddIf(context.WithoutCancel(ctx), func(ctx context.Context, book history.Book) error { return unchanged(ctx, book, before, of...) }, all...)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, errSettled):
			return &Error{Code: Unwritable, Err: err}
		}
	}
}
