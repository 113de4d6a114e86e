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
	// What a role may do. One that is not named here may look, ask and read evidence of everything, and change, revoke and approve the credentials that name it.
	Grants []Grant `json:"grants,omitempty"`
	// Where people sign in to `rekey serve`, by their browser (OpenID Connect).
	SignIn *SignIn `json:"sign_in,omitempty"`
	// A proxy in front of `rekey serve` that signs people in, and says in a signed header who they are, as Cloudflare Access does.
	Proxy *Proxy `json:"proxy,omitempty"`
}

// Grant says what a role may do, to which credentials. Several of one role add up.
type Grant struct {
	// The role, as named under roles.
	Role string `json:"role" jsonschema:"required"`
	// What it may do: look, ask, evidence, change, emergency, approve, keys, admin, or single operations as rotate or evidence (`rekey whoami --can` lists all). A change of a credential that names a role needs that role besides.
	May []string `json:"may" jsonschema:"required,minItems=1"`
	// To which credentials; a * at the end stands for anything. Default: all
	Credentials []string `json:"credentials,omitempty" jsonschema:"minItems=1"`
}

// SignIn is where people sign in.
type SignIn struct {
	// Issuer of the tokens, whose settings are at /.well-known/openid-configuration below it: https://login.example.com
	Issuer string `json:"issuer" jsonschema:"required"`
	// Name under which the issuer knows Rekey. Where it asks for a redirect address: https://HOST/access/callback
	ClientID string `json:"client_id" jsonschema:"required"`
	// Secret that the issuer has given to Rekey; without it the client is a public one, protected by PKCE only.
	ClientSecret Refs `json:"client_secret,omitempty"`
	// What the issuer is asked for. Default: openid, email, profile
	Scopes []string `json:"scopes,omitempty" jsonschema:"minItems=1"`
	// How long a session lives that nobody uses. Default: 1h
	Idle Duration `json:"idle,omitempty" jsonschema:"format=rekey-positive"`
	// How long a session lives at most. Default: 12h
	Lifetime Duration `json:"lifetime,omitempty" jsonschema:"format=rekey-positive"`
	// How long ago somebody may have signed in who does what cannot be undone. Default: 10m
	Fresh Duration `json:"fresh,omitempty" jsonschema:"format=rekey-positive"`
}

// Proxy stands in front of the server. Its header is believed once its signature, issuer, audience and time are verified.
type Proxy struct {
	// Header that holds the token: Cf-Access-Jwt-Assertion
	Header string `json:"header" jsonschema:"required"`
	// Issuer, as in the token's iss: https://TEAM.cloudflareaccess.com
	Issuer string `json:"issuer" jsonschema:"required"`
	// For whom the token has to be made out; of Cloudflare Access the AUD tag of the application.
	Audience string `json:"audience" jsonschema:"required"`
	// Where the issuer's public keys are: https://TEAM.cloudflareaccess.com/cdn-cgi/access/certs. Default: where the issuer's /.well-known/openid-configuration says
	Keys string `json:"keys,omitempty"`
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
	// A token of Rekey's own, by the name that it was made under.
	Token string `json:"token,omitempty"`
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
	if w.Token != "" {
		out = append(out, "token "+w.Token)
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
				p.issuerOfTokens(get(item, "issuer"), "identity.oidc.issuer", id.OIDC[i].Issuer)
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
				p.doc(item).at(item, at, "this names nobody: expected claims, user, name or token", "")
			case emptyClaim(w) != "":
				p.doc(item).at(item, at, "the claim "+emptyClaim(w)+" has no value: a token without it would have it", "")
			case len(w.Claims) > 0 && len(id.issuers()) == 0:
				p.doc(item).at(item, at, "claims come from a token, and none of identity.oidc, sign_in and proxy names an issuer", "")
			case w.Name != "" && len(id.Name) == 0:
				p.doc(item).at(item, at, "a name is taken from identity.name, which is missing", "")
			}
		}
	})
	p.doors(n, &id)
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

func (p *parser) issuerOfTokens(n *yaml.Node, at, issuer string) {
	if n == nil {
		return // told by the schema
	}
	u, err := url.Parse(issuer)
	if err != nil || u.RawQuery != "" || u.Fragment != "" || CheckAddress(issuer, false) != nil {
		p.doc(n).at(n, at, "this is not an issuer: expected https://host, as in the token's iss", "")
	}
}

// changeable reports whether a grant says that a credential may be changed.
func (id *Identity) changeable(name string) bool {
	return slices.ContainsFunc(id.Grants, func(g Grant) bool {
		return slices.ContainsFunc(g.May, func(w string) bool { return slices.Contains(Means(w), OpRotate) }) &&
			(len(g.Credentials) == 0 || slices.ContainsFunc(g.Credentials, func(c string) bool {
				fixed, open := strings.CutSuffix(c, "*")
				return c == name || open && strings.HasPrefix(name, fixed)
			}))
	})
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
		if s.Role == "" && (id.SignIn != nil || id.Proxy != nil) && !id.changeable(s.Name) {
			tell(p.config.identityLine, s.Name+" names no role, and no grant says change of it, so nobody can rotate it through a server")
		}
		if s.Role != "" && !wanted[s.Role] && len(id.Roles[s.Role]) == 0 {
			tell(p.config.identityLine, "nobody has the role "+s.Role+", so nobody can rotate "+s.Name)
		}
		wanted[s.Role] = true
		if s.Approvals != nil {
			wanted[s.Approvals.Role] = true
		}
	}
	each(get(get(p.root, "identity"), "roles"), func(k, list *yaml.Node) {
		for i, w := range id.Roles[k.Value] {
			if len(id.issuers()) > 1 && len(w.Claims) > 0 && w.Claims["iss"] == "" && i < len(list.Content) {
				tell(list.Content[i].Line, "the role "+k.Value+" is given by a token of any of "+strings.Join(id.issuers(), ", ")+" that says "+w.String()+": add iss, the issuer that is meant")
			}
		}
		if granted := slices.ContainsFunc(id.Grants, func(g Grant) bool { return g.Role == k.Value }); !wanted[k.Value] && !granted {
			tell(k.Line, "no credential requires the role "+k.Value)
		}
	})
}
