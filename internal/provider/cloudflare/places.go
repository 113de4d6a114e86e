package cloudflare

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"rekey/internal/cred"
	"rekey/internal/vendorhttp"
)

// Kinds of places that can name a service token.
const (
	kindPolicy    = "policy"     // reusable, at the account
	kindAppPolicy = "app-policy" // belongs to one application
	kindGroup     = "group"
	kindSCIM      = "scim" // Cloudflare itself calls out with the token
)

// rules is a policy or group as received. Fields are kept raw: an edit sends
// back every one of them, those included that did not exist when this was
// written.
type rules map[string]json.RawMessage

func (r rules) text(field string) string {
	var s string
	_ = json.Unmarshal(r[field], &s)
	return s
}

func (r rules) id() string { return r.text("id") }

// ruleArrays: include is OR, require is AND, exclude is NOT (docs/vendors/cloudflare.md).
var ruleArrays = []string{"include", "require", "exclude"}

func (r rules) array(field string) []json.RawMessage {
	var a []json.RawMessage
	_ = json.Unmarshal(r[field], &a)
	return a
}

// rule is the part of one rule that concerns us.
type rule struct {
	ServiceToken *struct {
		TokenID string `json:"token_id"`
	} `json:"service_token"`
	AnyValid json.RawMessage `json:"any_valid_service_token"`
}

func tokenOf(raw json.RawMessage) (id string, any bool) {
	var r rule
	if json.Unmarshal(raw, &r) != nil {
		return "", false
	}
	if r.ServiceToken != nil {
		return r.ServiceToken.TokenID, false
	}
	return "", len(r.AnyValid) > 0
}

// place reads what concerns us in a policy or group.
func (r rules) place(kind, scope, parent string) cred.Place {
	p := cred.Place{
		Kind: kind, ID: r.id(), Scope: scope, Parent: parent, Name: r.text("name"), Revision: r.text("updated_at"),
		// A service token gets in through non_identity (Service Auth); bypass and
		// allow are kept in step with it; deny keeps it out.
		Admits: r.text("decision") != "deny",
	}
	for _, array := range ruleArrays {
		for _, raw := range r.array(array) {
			id, anyone := tokenOf(raw)
			p.Everyone = p.Everyone || anyone && array == "include" && p.Admits
			if id == "" || slices.Contains(p.Names, id) {
				continue
			}
			p.Names = append(p.Names, id)
			if array != "include" {
				if p.Problems == nil {
					p.Problems = map[string]string{}
				}
				p.Problems[id] = "it is named under " + array + ", where a second token does not stand for the first"
			}
		}
	}
	return p
}

// groupsNamed are the ids of the groups that the rules refer to.
func (r rules) groupsNamed() []string {
	var out []string
	for _, array := range ruleArrays {
		for _, raw := range r.array(array) {
			var g struct {
				Group *struct {
					ID string `json:"id"`
				} `json:"group"`
			}
			if json.Unmarshal(raw, &g) == nil && g.Group != nil {
				out = append(out, g.Group.ID)
			}
		}
	}
	return out
}

// application is the part of an Access application that concerns us.
type application struct {
	ID           string   `json:"id"`
	AUD          string   `json:"aud"`
	Name         string   `json:"name"`
	Policies     []rules  `json:"policies"`
	Domain       string   `json:"domain"`
	Domains      []string `json:"self_hosted_domains"`
	Destinations []struct {
		URI string `json:"uri"`
	} `json:"destinations"`
	Deny            string `json:"custom_deny_url"`
	DenyNonIdentity string `json:"custom_non_identity_deny_url"`
	SCIM            *struct {
		Auth json.RawMessage `json:"authentication"`
	} `json:"scim_config"`
}

// scimClients returns the client ids with which the application's SCIM
// configuration calls out; authentication is one scheme or a list of them.
func (a application) scimClients() []string {
	if a.SCIM == nil {
		return nil
	}
	type scheme struct {
		Scheme   string `json:"scheme"`
		ClientID string `json:"client_id"`
	}
	var many []scheme
	if json.Unmarshal(a.SCIM.Auth, &many) != nil {
		var one scheme
		_ = json.Unmarshal(a.SCIM.Auth, &one)
		many = []scheme{one}
	}
	var ids []string
	for _, s := range many {
		if s.Scheme == "access_service_token" && s.ClientID != "" {
			ids = append(ids, s.ClientID)
		}
	}
	return ids
}

func scimPlace(a application, ids []string) cred.Place {
	p := cred.Place{Kind: kindSCIM, ID: a.ID, Name: a.Name, Names: ids, Problems: map[string]string{}}
	for _, id := range ids {
		p.Problems[id] = "Cloudflare itself calls out with this token for SCIM; change it there by hand first"
	}
	return p
}

// read fetches one place, fresh.
func (t *tokens) read(ctx context.Context, p cred.Place) (rules, string, error) {
	var at string
	switch p.Kind {
	case kindPolicy:
		at = t.in(p.Scope, "policies", p.ID)
	case kindAppPolicy:
		at = t.in(p.Scope, "apps", p.Parent, "policies", p.ID)
	case kindGroup:
		at = t.in(p.Scope, "groups", p.ID)
	default:
		return nil, "", &cred.Error{Vendor: t.api.Vendor, Op: "read " + p.Kind, Class: cred.Refused, Why: "this kind of place is not edited"}
	}
	var r rules
	op := "read " + p.Kind
	_, err := call(ctx, t.api, vendorhttp.Request{Op: op, Method: http.MethodGet, Path: at}, &r)
	if err == nil && !r.isOf(p.ID) {
		// What is written back is made of this: an empty answer would empty the place.
		err = &cred.Error{Vendor: t.api.Vendor, Op: op, Class: cred.Unknown, Why: "the answer is not the place that was asked for, or lacks its rules"}
	}
	return r, at, err
}

// isOf reports whether these are the rules of this place, whole.
func (r rules) isOf(id string) bool {
	var include []json.RawMessage
	return r.id() == id && json.Unmarshal(r["include"], &include) == nil && include != nil
}
