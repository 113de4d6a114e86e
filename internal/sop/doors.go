package sop

import (
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// issuers are those whose tokens are believed, each once.
func (id *Identity) issuers() (out []string) {
	add := func(s string) {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	for _, o := range id.OIDC {
		add(o.Issuer)
	}
	if id.SignIn != nil {
		add(id.SignIn.Issuer)
	}
	if id.Proxy != nil {
		add(id.Proxy.Issuer)
	}
	return out
}

// Proves reports whether there is a way by which somebody can prove who he is. nil has
// none.
func (id *Identity) Proves() bool {
	if id == nil {
		return false
	}
	if len(id.OIDC) > 0 || id.SignIn != nil || id.Proxy != nil {
		return true
	}
	for _, list := range id.Roles {
		if slices.ContainsFunc(list, func(w Who) bool { return w.Token != "" }) {
			return true
		}
	}
	return false
}

// doors checks where people come in, and what a role may do.
func (p *parser) doors(n *yaml.Node, id *Identity) {
	if s := id.SignIn; s != nil {
		at := get(n, "sign_in")
		p.issuerOfTokens(get(at, "issuer"), "identity.sign_in.issuer", s.Issuer)
		if len(s.Scopes) > 0 && !slices.Contains(s.Scopes, "openid") {
			p.doc(at).at(get(at, "scopes"), "identity.sign_in.scopes", "openid is missing: without it the issuer does not say who signed in", "")
		}
		if s.Idle.Or(time.Hour) > s.Lifetime.Or(12*time.Hour) {
			p.doc(at).at(get(at, "idle"), "identity.sign_in.idle", "a session cannot be idle for longer than it lives", "")
		}
	}
	if x := id.Proxy; x != nil {
		at := get(n, "proxy")
		p.issuerOfTokens(get(at, "issuer"), "identity.proxy.issuer", x.Issuer)
		if k := get(at, "keys"); k != nil && CheckAddress(x.Keys, false) != nil {
			p.doc(k).at(k, "identity.proxy.keys", "this is not an address of keys: expected https://host/path", "")
		}
		switch h := get(at, "header"); {
		case h == nil: // told by the schema
		case !headerName.MatchString(x.Header):
			p.doc(h).at(h, "identity.proxy.header", "this is not the name of a header: expected letters, digits and -", "")
		case slices.ContainsFunc([]string{"Authorization", "Cookie", "Host", "Origin"}, func(s string) bool { return strings.EqualFold(s, x.Header) }):
			p.doc(h).at(h, "identity.proxy.header", "this header is sent by the client, so a proxy cannot use it to identify people", "")
		}
		if a := get(at, "audience"); a != nil && x.Audience == "" {
			p.doc(a).at(a, "identity.proxy.audience", "without an audience a token for any other application of this issuer would do", "")
		}
	}
	list := get(n, "grants")
	if list == nil || list.Kind != yaml.SequenceNode {
		return
	}
	for i, item := range list.Content {
		if i >= len(id.Grants) {
			return
		}
		g, d := id.Grants[i], p.doc(item)
		if r := get(item, "role"); r != nil && id.Roles[g.Role] == nil {
			known := slices.Sorted(maps.Keys(id.Roles))
			d.at(r, "identity.grants.role", "there is no role "+g.Role+" under identity.roles", didYouMean(g.Role, known))
		}
		for j, word := range g.May {
			if may := get(item, "may"); Means(word) == nil && may != nil && j < len(may.Content) {
				d.at(may.Content[j], "identity.grants.may", word+" is not something that a role may do; possible are "+strings.Join(Words(), ", "), didYouMean(word, Words()))
			}
		}
	}
}
