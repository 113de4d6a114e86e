package provider

import (
	"context"
	"errors"
	"net/url"
	"time"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/vendorhttp"
)

// patience bounds one call of a driver that does not speak HTTP.
const patience = 30 * time.Second

// Ways are the ways out that are not HTTP; closed ones where there are none.
func (e Env) Ways() outside.Ways {
	switch {
	case e.Outside == nil:
		return outside.Closed{}
	case e.Late == nil:
		return e.Outside
	}
	return outside.Fence{Ways: e.Outside, Late: e.Late}
}

// Within is how long a server may go on with a change that was sent to it and that we
// cannot take back, where it lets itself be told: d, and no longer than the lease lasts.
// Whoever takes the run up after that looks at what became of it.
func (e Env) Within(d time.Duration) time.Duration {
	if e.Left == nil {
		return d
	}
	if left := e.Left(); left > 0 {
		return min(d, left)
	}
	return d
}

// Where says for an error what was asked and where rekey.yaml names it: the address of
// a server, and what of it is meant ("account 0123"; "": all of it). "" where rekey.yaml
// was not read.
func (e Env) Where(what, address string) string {
	if e.At == "" {
		return ""
	}
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		address = u.Host
	}
	if what != "" {
		address = what + " at " + address
	}
	return address + ", " + e.At
}

// Look carries out one look at something that is not reached by HTTP: it is counted,
// told, and ends within 30 s. op says in words what is asked, for errors and the live
// view: "list roles". What do returns and is no *cred.Error is Unknown; what a closed
// way returned is Unsent. One call of Look is one question: do repeats nothing.
func (e Env) Look(ctx context.Context, vendor, op string, do func(context.Context) error) error {
	return e.call(ctx, vendor, op, false, do)
}

// Change is Look for what changes something. Right before, the run is asked whether
// it is still this process's; if it is not, nothing is done and that is the error. A
// session that do opens and a program that it starts are asked once more right before
// bytes go out (outside.Fence), for the login may have taken long.
func (e Env) Change(ctx context.Context, vendor, op string, do func(context.Context) error) error {
	if e.Ours != nil {
		if err := e.Ours(ctx); err != nil {
			return err
		}
	}
	return e.call(outside.Changing(ctx), vendor, op, true, do)
}

func (e Env) call(ctx context.Context, vendor, op string, changes bool, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	start := e.Now()
	err := do(ctx)
	if e.Observe != nil {
		e.Observe(vendorhttp.Call{Vendor: vendor, Op: op, Changes: changes, Duration: e.Now().Sub(start)})
	}
	if err == nil {
		return nil
	}
	c, classified := errors.AsType[*cred.Error](err)
	switch {
	case classified:
		filled := *c
		if filled.Vendor == "" {
			filled.Vendor = vendor
		}
		if filled.Op == "" {
			filled.Op = op
		}
		return &filled
	case errors.Is(err, outside.ErrClosed), errors.Is(err, outside.ErrNotStarted):
		return &cred.Error{Vendor: vendor, Op: op, Class: cred.Unsent, Why: err.Error()}
	case ctx.Err() != nil:
		return &cred.Error{Vendor: vendor, Op: op, Class: cred.Unknown, Why: "it did not answer in time", Err: ctx.Err()}
	}
	// An error of a library may quote what it was given: what it says is not told.
	return &cred.Error{Vendor: vendor, Op: op, Class: cred.Unknown, Why: "what came back is not understood"}
}
