package heroku

import (
	"context"
	"maps"
	"net/http"

	"rekey/internal/cred"
	"rekey/internal/vendorhttp"
)

// maxPages is far beyond any real list: a page has 200 entries.
const maxPages = 100

// list reads every page of a list: 206 with Next-Range means that there is more
// (docs/vendors/heroku.md). Half a list is not a list.
func list[T checked](ctx context.Context, p *Platform, op, path string) ([]T, error) {
	return listAs[T](ctx, p, op, path, nil)
}

// listAs is list in a variant of the API.
func listAs[T checked](ctx context.Context, p *Platform, op, path string, variant map[string]string) ([]T, error) {
	var all []T
	header := variant
	for range maxPages {
		resp, err := p.api.Do(ctx, vendorhttp.Request{Op: op, Method: http.MethodGet, Path: path, Header: header})
		if err != nil {
			return nil, err
		}
		page, err := many[T](resp)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		next := resp.Header.Get("Next-Range")
		switch {
		case resp.Status != http.StatusPartialContent:
			return all, nil
		case next == "" || next == header["Range"]:
			return nil, resp.Nonsense("the list goes on, and the answer does not say where")
		}
		header = map[string]string{"Range": next}
		maps.Copy(header, variant)
	}
	return nil, &cred.Error{Vendor: p.api.Vendor, Op: op, Class: cred.Unknown, Why: "the list has no end"}
}
