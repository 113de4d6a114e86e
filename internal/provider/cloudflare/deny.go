package cloudflare

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"rekey/internal/sop"
)

// pages are those to which the application leads whom it denies: one for people, one
// for what is no person, a service token among them (access_custom_deny_url and
// access_custom_non_identity_deny_url of Cloudflare's schema).
func (a application) pages() []string {
	return slices.DeleteFunc([]string{a.Deny, a.DenyNonIdentity}, func(page string) bool { return page == "" })
}

// covers reports whether the application stands before an address, by the domains and
// destinations that are written in it; * stands for anything within a host or path.
func (a application) covers(address *url.URL) bool {
	domains := append([]string{a.Domain}, a.Domains...)
	for _, d := range a.Destinations {
		domains = append(domains, d.URI)
	}
	for _, d := range domains {
		host, path, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(d, "https://"), "http://"), "/")
		if host != "" && like(host, strings.ToLower(address.Hostname())) && like("/"+path+"*", address.Path) {
			return true
		}
	}
	return false
}

// like matches a text with a pattern in which * stands for any part of it.
func like(pattern, text string) bool {
	first, rest, star := strings.Cut(strings.ToLower(pattern), "*")
	if !star {
		return text == first
	}
	text, ok := strings.CutPrefix(text, first)
	for i := 0; ok && i <= len(text); i++ {
		if like(rest, text[i:]) {
			return true
		}
	}
	return false
}

// ledAway reports whether a redirect is a refusal by Access: the application that
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
		// Access itself tells which application it is; where it leads away whatever
		// asks, that question too, the domains have to tell.
		gate, err := t.Guard(ctx, p)
		if err != nil {
			return false, err
		}
		address, err := url.Parse(p.URL)
		if err != nil {
			return false, nil
		}
		for _, scope := range t.scopes() {
			apps, err := list(ctx, t.api, "list applications", t.in(scope, "apps"), func(a application) string { return a.ID })
			if err != nil {
				return false, err
			}
			for _, a := range apps {
				if a.AUD != "" && a.AUD == gate || gate == "" && a.covers(address) {
					known = append(known, a.pages()...)
				}
			}
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
