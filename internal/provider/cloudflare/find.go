package cloudflare

import (
	"context"
	"slices"

	"rekey/internal/cred"
	"rekey/internal/provider"
)

// holdings are all rules of one scope: the account, or a zone.
type holdings struct {
	scope    string // "" for the account
	policies []rules
	apps     []application
	groups   []rules
}

// Places enumerates, because no endpoint tells who names a token: reusable
// policies, the policies of every application, groups, SCIM configurations; of
// the account and of every zone that rekey.yaml names (docs/vendors/cloudflare.md).
func (t *tokens) Places(ctx context.Context) (provider.Admission, error) {
	scopes := t.scopes()
	all := make([]holdings, len(scopes))
	calls := make([]func() error, 0, 3*len(scopes))
	for i, scope := range scopes {
		all[i].scope = scope
		h := &all[i]
		if scope == "" { // zones have no reusable policies
			calls = append(calls, func() (err error) {
				h.policies, err = list(ctx, t.api, "list reusable policies", t.in(scope, "policies"), rules.id)
				return err
			})
		}
		calls = append(calls,
			func() (err error) {
				h.apps, err = list(ctx, t.api, "list applications", t.in(scope, "apps"), func(a application) string { return a.ID })
				return err
			},
			func() (err error) {
				h.groups, err = list(ctx, t.api, "list groups", t.in(scope, "groups"), rules.id)
				return err
			})
	}
	if err := t.env.Together(calls...); err != nil {
		return provider.Admission{}, err
	}
	if err := t.env.Together(t.unshown(ctx, all)...); err != nil {
		return provider.Admission{}, err
	}
	shared := map[string]bool{}
	for _, h := range all {
		for _, r := range h.policies {
			shared[r.id()] = true
		}
	}
	out := provider.Admission{Places: []cred.Place{}}
	for _, h := range all {
		for _, p := range h.places(shared) {
			if p.Everyone {
				out.Everyone = append(out.Everyone, p)
			}
			out.Places = append(out.Places, p)
		}
	}
	return out, nil
}

// unshown asks for the policies of every application that was listed without
// them: that the list has them is published for those of an account, not for those
// of a zone (cloudflare.openapi.json, access_apps).
func (t *tokens) unshown(ctx context.Context, all []holdings) []func() error {
	var calls []func() error
	for _, h := range all {
		for i := range h.apps {
			a := &h.apps[i]
			if a.Policies == nil {
				calls = append(calls, func() (err error) {
					a.Policies, err = list(ctx, t.api, "list policies of an application", t.in(h.scope, "apps", a.ID, "policies"), rules.id)
					return err
				})
			}
		}
	}
	return calls
}

// scopes are the places to look in: the account, then zones.
func (t *tokens) scopes() []string {
	out := []string{""}
	for _, z := range append([]string{t.settings.Zone}, t.settings.Zones...) {
		if z != "" && !slices.Contains(out, "zones/"+z) {
			out = append(out, "zones/"+z)
		}
	}
	return out
}

// places reads every policy and group once, and which applications each guards.
// shared are the ids of reusable policies: that the one embedded in an
// application says so itself is not published (cloudflare.openapi.json,
// access_app_policy_response).
func (h holdings) places(shared map[string]bool) []cred.Place {
	var out []cred.Place
	guarded, seen := h.guarded(), map[string]bool{}
	add := func(kind, parent string, r rules) {
		key := cred.Place{Kind: kind, ID: r.id(), Scope: h.scope, Parent: parent}.Key()
		if !seen[key] { // one that many applications embed is read once
			seen[key] = true
			p := r.place(kind, h.scope, parent)
			p.Guards = guarded.by(kind, p.ID)
			out = append(out, p)
		}
	}
	for _, r := range h.policies {
		add(kindPolicy, "", r)
	}
	for _, a := range h.apps {
		for _, r := range a.Policies {
			// A reusable policy may only be changed at the account.
			if shared[r.id()] || r.reusable() {
				add(kindPolicy, "", r)
			} else {
				add(kindAppPolicy, a.ID, r)
			}
		}
		if ids := a.scimClients(); len(ids) > 0 {
			out = append(out, scimPlace(a, ids))
		}
	}
	for _, r := range h.groups {
		add(kindGroup, "", r)
	}
	return out
}

func (r rules) reusable() bool { return string(r["reusable"]) == "true" }

// guarded tells which applications each policy and group decides on: a policy by being
// attached, a group through any policy or other group that refers to it.
type guarded struct{ policies, groups map[string][]string }

// guarded reads the rules of every application once.
func (h holdings) guarded() guarded {
	out := guarded{map[string][]string{}, map[string][]string{}}
	refer := map[string][]string{} // groups in groups
	for _, g := range h.groups {
		refer[g.id()] = append(refer[g.id()], g.groupsNamed()...)
	}
	add := func(to map[string][]string, id, aud string) {
		if !slices.Contains(to[id], aud) {
			to[id] = append(to[id], aud)
		}
	}
	for _, a := range h.apps {
		if a.AUD == "" {
			continue
		}
		for _, r := range a.Policies {
			add(out.policies, r.id(), a.AUD)
			reached := map[string]bool{}
			for open := r.groupsNamed(); len(open) > 0; open = open[1:] {
				if !reached[open[0]] { // groups may refer to one another in a circle
					reached[open[0]] = true
					add(out.groups, open[0], a.AUD)
					open = append(open, refer[open[0]]...)
				}
			}
		}
	}
	return out
}

// by are the applications that a policy or group decides on.
func (g guarded) by(kind, id string) []string {
	if kind == kindGroup {
		return g.groups[id]
	}
	return g.policies[id]
}
