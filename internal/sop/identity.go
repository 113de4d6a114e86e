package sop

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Identity says how it is known who runs Rekey, and who has which role.
type Identity struct {
	// Platforms, as CI, that prove who runs there by a signed token (OpenID Connect). The first whose token is there is used.
	OIDC []OIDC `json:"oidc,omitempty"`
	// A name that whoever runs this goes by, where no token proves it: env:REKEY_ACTOR. It is believed, and shown as self-declared.
	Name Text `json:"name,omitempty"`
	// Who has which role. A credential whose role stands here is changed only by them.
	Roles map[string][]Who `json:"roles,omitempty"`
}

// OIDC is a platform whose tokens are believed once their signature is verified.
type OIDC struct {
	// Issuer of the tokens: https://token.actions.githubusercontent.com, https://gitlab.com
	Issuer string `json:"issuer" jsonschema:"required"`
	// For whom the token has to be made out. Default: rekey
	Audience string `json:"audience,omitempty"`
	// Where the token is: env:REKEY_ID_TOKEN. On GitHub Actions it is asked from the runner where nothing is said.
	Token Refs `json:"token,omitempty"`
}

// Who is one way to have a role; all that is said of it has to be so. A * at the end of a value stands for anything.
type Who struct {
	// Claims of a verified token: sub: repo:raxx/ops:ref:refs/heads/main
	Claims map[string]string `json:"claims,omitempty"`
	// The operating system's user, as alice or alice@laptop. Self-declared: whoever owns the machine decides it.
	User string `json:"user,omitempty"`
	// The name given under identity.name. Self-declared.
	Name string `json:"name,omitempty"`
}

// String says who is meant, for people.
func (w Who) String() string {
	var out []string
	keys := make([]string, 0, len(w.Claims))
	for k := range w.Claims {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		out = append(out, k+" "+w.Claims[k])
	}
	if w.User != "" {
		out = append(out, "user "+w.User)
	}
	if w.Name != "" {
		out = append(out, "name "+w.Name)
	}
	return strings.Join(out, ", ")
}

// identity reads who may do what.
func (p *parser) identity() {
	n := get(p.root, "identity")
	if n == nil {
		return
	}
	p.config.identityLine = n.Line
	var id Identity
	if json.Unmarshal(raw(p.doc(n).plain(n, "identity")), &id) != nil {
		return // told by the schema
	}
	if list := get(n, "oidc"); list != nil && list.Kind == yaml.SequenceNode {
		for i, item := range list.Content {
			if i < len(id.OIDC) {
				p.issuerOfTokens(get(item, "issuer"), id.OIDC[i])
				if id.OIDC[i].Audience == "" {
					id.OIDC[i].Audience = "rekey"
				}
			}
		}
	}
	each(get(n, "roles"), func(k, v *yaml.Node) {
		if v.Kind != yaml.SequenceNode {
			return
		}
		for i, item := range v.Content {
			if i >= len(id.Roles[k.Value]) {
				return
			}
			at := "identity.roles." + k.Value
			switch w := id.Roles[k.Value][i]; {
			case w.String() == "":
				p.doc(item).at(item, at, "this names nobody: want claims, user or name", "")
			case emptyClaim(w) != "":
				p.doc(item).at(item, at, "the claim "+emptyClaim(w)+" has no value: a token without it would have it", "")
			case len(w.Claims) > 0 && len(id.OIDC) == 0:
				p.doc(item).at(item, at, "claims come from a token, and identity.oidc names no platform", "")
			case w.Name != "" && len(id.Name) == 0:
				p.doc(item).at(item, at, "a name is taken from identity.name, which is not there", "")
			}
		}
	})
	p.config.Identity = &id
}

// emptyClaim names a claim that is asked for without a value; "" if there is none.
func emptyClaim(w Who) string {
	for _, name := range slices.Sorted(maps.Keys(w.Claims)) {
		if v := strings.TrimSpace(w.Claims[name]); v == "" || name == "" {
			return strconv.Quote(name)
		}
	}
	return ""
}

func (p *parser) issuerOfTokens(n *yaml.Node, o OIDC) {
	if n == nil {
		return // told by the schema
	}
	u, err := url.Parse(o.Issuer)
	if err != nil || u.RawQuery != "" || CheckAddress(o.Issuer, false) != nil {
		p.doc(n).at(n, "identity.oidc.issuer", "this is no issuer: want https://host, as in the token's iss", "")
	}
}

// adviseRoles tells of roles that nobody has or that nothing wants.
func (p *parser) adviseRoles() {
	id := p.config.Identity
	if id == nil {
		return
	}
	tell := func(line int, msg string) {
		p.advice = append(p.advice, Problem{File: p.file, Path: "identity.roles", Line: line, Col: 1, Msg: msg})
	}
	wanted := map[string]bool{}
	for _, s := range p.config.Specs {
		if s.Role != "" && !wanted[s.Role] && len(id.Roles[s.Role]) == 0 {
			tell(p.config.identityLine, "nobody has the role "+s.Role+", so nobody can rotate "+s.Name)
		}
		wanted[s.Role] = true
	}
	each(get(get(p.root, "identity"), "roles"), func(k, list *yaml.Node) {
		for i, w := range id.Roles[k.Value] {
			if len(id.OIDC) > 1 && len(w.Claims) > 0 && w.Claims["iss"] == "" && i < len(list.Content) {
				tell(list.Content[i].Line, "the role "+k.Value+" is given by a token of either platform that says "+w.String()+": add iss, the issuer that is meant")
			}
		}
		if !wanted[k.Value] {
			tell(k.Line, "no credential wants the role "+k.Value)
		}
	})
}
