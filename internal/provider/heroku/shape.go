package heroku

import (
	"context"
	"net/http"
	"slices"

	"rekey/internal/cred"
	"rekey/internal/vendorhttp"
)

// checked is part of an answer that knows whether it has what Heroku documents of
// it (heroku.schema.json). JSON without it was not given by Heroku, however well
// it decodes: read as "empty" or "off" it would be believed.
type checked interface{ whole() bool }

const misshapen = "the answer lacks what Heroku documents of it"

// one reads one thing.
func one[T checked](ctx context.Context, p *Platform, op, path string) (T, error) {
	var out T
	resp, err := p.api.Do(ctx, vendorhttp.Request{Op: op, Method: http.MethodGet, Path: path})
	if err != nil {
		return out, err
	}
	if err := resp.Decode(&out); err != nil {
		return out, err
	}
	if !out.whole() {
		return out, resp.Nonsense(misshapen)
	}
	return out, nil
}

// many reads the answer to a request for a list.
func many[T checked](resp *vendorhttp.Response) ([]T, error) {
	var out []T
	if err := resp.Decode(&out); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(out, func(x T) bool { return !x.whole() }) {
		return nil, resp.Nonsense(misshapen)
	}
	return out, nil
}

func (r release) whole() bool {
	return r.Version > 0 && slices.Contains([]string{"failed", "pending", "succeeded", "expired"}, r.Status)
}

func (d dyno) whole() bool {
	return d.Name != "" && d.Type != "" && d.State != "" && d.Release.Version > 0
}

func (f feature) whole() bool { return f.Name != "" && f.Enabled != nil }

func (u unit) whole() bool { return u.Type != "" && u.Quantity != nil }

func (a authorization) whole() bool { return a.ID != "" }

func (c coupling) whole() bool { return c.App.ID != "" && c.Stage != "" }

func (l listed) whole() bool { return l.ID != "" && l.Name != "" }

// unsure is an error for an answer that another answer of Heroku contradicts.
func (p *Platform) unsure(op, why string) error {
	return &cred.Error{Vendor: p.api.Vendor, Op: op, Class: cred.Unknown, Why: why}
}
