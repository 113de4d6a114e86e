package estate

import (
	"context"
	"errors"
	"fmt"

	"rekey/internal/document"
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/sop"
	"rekey/internal/wire"
)

// Document renders written procedures. Nothing is asked of a vendor, and no secret is
// read.
func (e *Estate) Document(ctx context.Context, d Documenting, each func(Page) error) error {
	specs, err := e.specs(d.Credentials)
	if err != nil {
		return err
	}
	r := rendering{Estate: e, ctx: ctx, as: d}
	if d.Stable {
		return r.all(specs, each)
	}
	known, err := e.known(ctx)
	if err != nil {
		return err
	}
	r.now = &document.Now{At: e.now().UTC(), Simulated: e.simulated(), Known: known, Refs: e.references(specs)}
	j, closing, err := e.existing()
	switch {
	case errors.Is(err, journal.ErrNone):
	case err != nil:
		return failed(err)
	default:
		defer func() { _ = closing() }()
		r.book, r.now.Journal = &history.Book{J: j}, e.place().Name()
	}
	return r.all(specs, each)
}

// rendering is what all pages share.
type rendering struct {
	*Estate
	ctx  context.Context
	as   Documenting
	now  *document.Now // nil: nothing that changes
	book *history.Book // nil: there is none yet, or nothing of it is wanted
}

func (r rendering) all(specs []sop.Spec, each func(Page) error) error {
	for _, spec := range specs {
		text, err := r.page(spec)
		if err == nil {
			err = each(Page{Credential: spec.Name, Text: text})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// page renders one.
func (r rendering) page(spec sop.Spec) ([]byte, error) {
	hands, err := wire.ByHand(spec, r.config.Vendors)
	if err != nil {
		return nil, &Error{Code: Misfit, Credential: spec.Name, Err: err}
	}
	in := document.Input{Spec: spec, Can: hands.Can, Issuer: hands.Issuer, Store: hands.Store, Further: hands.Further, Consumers: hands.Consumers}
	for _, s := range r.config.Specs {
		if s.Name == spec.Name || spec.Procedure != "" && s.Procedure == spec.Procedure {
			in.Siblings = append(in.Siblings, s)
		}
	}
	in.Pattern = r.config.Patterns[spec.Procedure]
	if r.now != nil {
		here := *r.now
		if err := r.last(spec.Name, &here); err != nil {
			return nil, failed(err)
		}
		in.Now = &here
	}
	d, err := document.Build(in)
	switch {
	case err != nil:
		return nil, &Error{Code: Misfit, Credential: spec.Name, Err: fmt.Errorf("%s: %w", spec.Name, err)}
	case r.as.HTML:
		return d.HTML(), nil
	}
	return d.Markdown(), nil
}

// last adds what the journal knows of one credential.
func (r rendering) last(name string, into *document.Now) (err error) {
	if r.book == nil {
		return nil
	}
	if into.Plan, into.PlanAt, err = r.book.LastPlan(r.ctx, name); err != nil {
		return err
	}
	into.Check, into.CheckAt, err = r.book.LastCheck(r.ctx, name)
	return err
}
