package identity

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"rekey/internal/rotation"
	"rekey/internal/sop"
	"rekey/internal/visible"
)

// Claims are what a verified token says, by name: one value, or those of a list.
type Claims map[string][]string

// leftOut names the claims that an issuer tells elsewhere than in its token (OpenID Connect
// Core 1.0 §5.6.2). Microsoft Entra ID leaves out the groups of whoever is in more than 200.
const leftOut = "_claim_names"

// LeftOut are claims by which rekey.yaml gives roles, which the issuer did not say of
// somebody although it could: he may lack roles that are his.
func (c Claims) LeftOut(id *sop.Identity) (out []string) {
	for _, name := range c[leftOut] {
		asked := slices.ContainsFunc(slices.Concat(slices.Collect(maps.Values(id.Roles))...), func(w sop.Who) bool { _, is := w.Claims[name]; return is })
		if len(c[name]) == 0 && asked {
			out = append(out, visible.Text(name))
		}
	}
	return out
}

// Text is a claim of one value; "" if there is none, or several.
func (c Claims) Text(name string) string {
	if len(c[name]) == 1 {
		return c[name][0]
	}
	return ""
}

// values reads a claim as it stands: a number keeps its digits. What is neither text,
// number nor truth, nor a list of them, has no value that a role could ask for.
func values(raw json.RawMessage) []string {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	list, many := v.([]any)
	if !many {
		list = []any{v}
	}
	var out []string
	for _, v := range list {
		switch v := v.(type) {
		case string:
			out = append(out, v)
		case json.Number:
			out = append(out, v.String())
		case bool:
			out = append(out, map[bool]string{true: "true", false: "false"}[v])
		}
	}
	return out
}

// kept are the claims for the record: those that are always, and every one by which
// rekey.yaml gives a role, so that it can be seen why somebody had it. Each is one line.
func (c Claims) kept(id *sop.Identity) map[string]string {
	out := map[string]string{}
	for name, values := range c.Only(id) {
		out[name] = visible.Text(strings.Join(values, ", "))
	}
	return out
}

// Only are the claims that are shown, and those by which rekey.yaml gives a role: all
// that has to be kept of a token to say later who it was.
func (c Claims) Only(id *sop.Identity) Claims {
	names := slices.Clone(shown)
	if id != nil {
		for _, list := range id.Roles {
			for _, w := range list {
				names = slices.AppendSeq(names, maps.Keys(w.Claims))
			}
		}
	}
	out := Claims{}
	for _, name := range names {
		if len(c[name]) > 0 {
			out[name] = c[name]
		}
	}
	return out
}

// trusted drops an e-mail address that its issuer calls unverified: whoever opens an
// account there can name any. sure: it has to be called verified (OpenID Connect Core
// 1.0 §5.1 leaves that to the issuer).
func (c Claims) trusted(sure bool) Claims {
	if said := c.Text("email_verified"); said == "false" || sure && said != "true" {
		delete(c, "email")
	}
	return c
}

// Person is who a verified token of somebody who signed in says he is. His name is his
// e-mail address, where the issuer calls it verified, and what the issuer calls him
// (sub) otherwise: other names can be chosen by himself. gate: a gate has verified the
// address.
func Person(id *sop.Identity, said Claims, gate bool) rotation.Who {
	said = maps.Clone(said).trusted(!gate)
	who := rotation.Who{Name: said.Text("email"), How: said.Text("iss"), Verified: true}
	if who.Name == "" {
		who.Name = said.Text("sub")
	}
	if who.Name == "" && gate {
		who.Name = said.Text("common_name")
	}
	return completed(id, who, said)
}

// Machine is who a verified token of a CI platform says it is.
func Machine(id *sop.Identity, said Claims) rotation.Who {
	said = maps.Clone(said).trusted(false)
	return completed(id, rotation.Who{Name: said.Text("sub"), How: said.Text("iss"), Verified: true}, said)
}

func completed(id *sop.Identity, who rotation.Who, said Claims) rotation.Who {
	who.Roles = roles(id, who, "", said)
	who.Claims = said.kept(id)
	who.Name = visible.Text(who.Name)
	return who
}

// Declared is whoever the operating system says runs this process: nothing proves it.
func Declared(id *sop.Identity, user string) rotation.Who {
	who := rotation.Who{Name: user, How: byUser}
	who.Roles = roles(id, who, user, nil)
	who.Name = visible.Text(who.Name)
	return who
}

// Subject names a person or a service for good: the issuer, and what it calls him.
// Names and addresses change hands.
func (c Claims) Subject() string {
	sub := c.Text("sub")
	if sub == "" {
		sub = "common_name " + c.Text("common_name")
	}
	return c.Text("iss") + " " + sub
}

// Holder is who comes with a token of Rekey's own: a machine, by the name that the token
// was made under.
func Holder(id *sop.Identity, name, token string) rotation.Who {
	who := rotation.Who{Name: visible.Text(name), How: byToken, Verified: true, Claims: map[string]string{"token": visible.Text(token)}}
	if id != nil {
		for role, list := range id.Roles {
			if slices.ContainsFunc(list, func(w sop.Who) bool { return w.Token != "" && is(who, "", nil, w) }) {
				who.Roles = append(who.Roles, role)
			}
		}
		slices.Sort(who.Roles)
	}
	return who
}
