package cloudflare

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"rekey/internal/sop"
)

// denyPages are the addresses to which applications lead whom they deny, by the
// application's audience tag.
type denyPages map[string][]string

// pagesOf reads them from applications: one page for people, one for what is no
// person, a service token among them (access_custom_deny_url and
// access_custom_non_identity_deny_url of Cloudflare's schema).
func pagesOf(apps []application) denyPages {
	out := denyPages{}
	for _, a := range apps {
		for _, page := range []string{a.Deny, a.DenyNonIdentity} {
			if page != "" && a.AUD != "" {
				out[a.AUD] = append(out[a.AUD], page)
			}
		}
	}
	return out
}

// ledAway reports whether a redirect is a refusal by the gate: the application that
// guards the place leads to its own page whom it denies. Any other redirect is the
// place's own, or somebody else's, and says nothing. Which page that is, is asked
// once an address that is not Access's own login is met.
func (t *tokens) ledAway(ctx context.Context, p sop.Probe, location string) (bool, error) {
	if location == "" {
		return false, nil
	}
	t.deny.Lock()
	defer t.deny.Unlock()
	known, ok := t.deny.of[p.URL]
	if !ok {
		gate, err := t.Guard(ctx, p)
		if err != nil || gate == "" {
			return false, err // nothing guards it, or that cannot be told
		}
		for _, scope := range t.scopes() {
			apps, err := list(ctx, t.api, "list applications", t.in(scope, "apps"), func(a application) string { return a.ID })
			if err != nil {
				return false, err
			}
			known = append(known, pagesOf(apps)[gate]...)
		}
		t.deny.of[p.URL] = known
	}
	return slices.ContainsFunc(known, func(page string) bool { return leadsTo(location, page) }), nil
}

// leadsTo reports whether a redirect goes to a page. Whatever Access adds to its
// query is no difference; what the page itself demands there has to be there.
func leadsTo(location, page string) bool {
	to, err := url.Parse(location)
	want, wrong := url.Parse(page)
	if err != nil || wrong != nil || to.Scheme != want.Scheme || !strings.EqualFold(to.Host, want.Host) ||
		strings.TrimSuffix(to.Path, "/") != strings.TrimSuffix(want.Path, "/") {
		return false
	}
	has := to.Query()
	for k, vs := range want.Query() {
		if !slices.Equal(has[k], vs) {
			return false
		}
	}
	return true
}
