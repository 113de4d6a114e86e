package cloudflare

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"rekey/internal/cred"
	"rekey/internal/vendorhttp"
)

const (
	// accessPage is how many of a list of Access are asked for at once: so many come
	// back (observed), and no account may have more of anything but by request, so that
	// as a rule nothing can shift between two pages.
	accessPage = 1000
	// tokenPage is the documented maximum for API tokens.
	tokenPage = 50
	// relists bounds how often a list that changes while it is read is read again.
	relists = 4
)

// list fetches a whole list of Access.
func list[T any](ctx context.Context, c *vendorhttp.Client, op, path string, id func(T) string) ([]T, error) {
	return listBy(ctx, c, op, path, accessPage, id)
}

// listBy fetches a whole list with so many a page. One that changed between two
// pages may hide what is there: an entry that is deleted on the first page moves the
// top of the second out of sight. It is read again; if it never stands still, nothing
// is known.
func listBy[T any](ctx context.Context, c *vendorhttp.Client, op, path string, per int, id func(T) string) ([]T, error) {
	var before []string
	for range relists {
		all, ids, whole, err := pages(ctx, c, op, path, per, id)
		if err != nil {
			return nil, err
		}
		// A total that counts what is not shown is the same at the second reading.
		if whole || before != nil && slices.Equal(ids, before) {
			return all, nil
		}
		before = ids
	}
	return nil, &cred.Error{Vendor: c.Vendor, Op: op, Class: cred.Unknown, Why: "the list changed each time while it was read, or its pages repeat"}
}

// pages reads a list once. whole: its total stood still, it is complete, and nothing
// came twice; otherwise ids is what could be compared with another reading, nil if
// that proves nothing either.
func pages[T any](ctx context.Context, c *vendorhttp.Client, op, path string, per int, id func(T) string) (all []T, ids []string, whole bool, err error) {
	total := -1
	all, ids = []T{}, []string{}
	for page := 1; ; page++ {
		var items []T
		e, err := call(ctx, c, vendorhttp.Request{Op: op, Method: http.MethodGet, Path: path, Query: url.Values{
			"page": {strconv.Itoa(page)}, "per_page": {strconv.Itoa(per)},
		}}, &items)
		if err != nil {
			return nil, nil, false, err
		}
		if total >= 0 && e.Info.Total != total {
			return nil, nil, false, nil
		}
		total = e.Info.Total
		for _, it := range items {
			switch {
			case id(it) == "":
				return nil, nil, false, &cred.Error{Vendor: c.Vendor, Op: op, Class: cred.Unknown, Why: "an entry of the list has no id"}
			case slices.Contains(ids, id(it)):
				return nil, nil, false, nil
			}
			ids = append(ids, id(it))
		}
		all = append(all, items...)
		switch {
		case total > 0 && len(all) >= total:
			return all, ids, len(all) == total, nil
		case len(items) == 0:
			return all, ids, total <= 0 || len(all) == total, nil
		case total == 0 && len(items) < max(e.Info.Per, 1):
			return all, ids, true, nil
		}
	}
}
