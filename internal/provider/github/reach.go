package github

import (
	"context"
	"net/url"
	"strings"

	"rekey/internal/provider"
	"rekey/internal/vendorhttp"
)

// access is which repositories see a secret of an organisation.
type access struct {
	visibility   string // all, private, selected
	repositories []int64
}

// reach reads who sees the secrets that are to be written: a write replaces that too,
// so what is there goes back as it was.
func (p *place) reach(ctx context.Context, values []provider.SlotValue) (map[string]access, error) {
	all, err := p.list(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]access{}
	for _, v := range values {
		k, there := all[strings.ToUpper(v.Slot)]
		a := access{visibility: k.Visibility}
		switch {
		case !there && p.settings.Visibility != "":
			a.visibility = p.settings.Visibility
		case !there:
			a.visibility = "private"
		case k.Visibility == "selected":
			if a.repositories, err = p.selected(ctx, k.Name); err != nil {
				return nil, err
			}
		}
		out[v.Slot] = a
	}
	return out, nil
}

// selected are the ids of the repositories that see one secret.
func (p *place) selected(ctx context.Context, name string) ([]int64, error) {
	ids := []int64{}
	err := p.pages(ctx, "list the repositories that see "+name, p.path+"/"+url.PathEscape(name)+"/repositories", url.Values{}, func(resp *vendorhttp.Response) (int, error) {
		var l struct {
			Total        *int `json:"total_count"`
			Repositories []struct {
				ID int64 `json:"id"`
			} `json:"repositories"`
		}
		if err := resp.Decode(&l); err != nil {
			return 0, err
		}
		if l.Total == nil || l.Repositories == nil {
			return 0, resp.Nonsense(misshapen)
		}
		for _, r := range l.Repositories {
			ids = append(ids, r.ID)
		}
		if len(l.Repositories) < perPage && len(ids) < *l.Total {
			return 0, resp.Nonsense("it does not list every repository that sees the secret")
		}
		return len(l.Repositories), nil
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}
