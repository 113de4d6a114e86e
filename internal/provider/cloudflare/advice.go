package cloudflare

import (
	"context"
	"fmt"
	"net/http"

	"rekey/internal/cred"
	"rekey/internal/vendorhttp"
)

// organization is the part of the account's Zero Trust organisation that bears
// on service tokens.
type organization struct {
	Inactivity *struct {
		Enabled bool   `json:"enabled"`
		Days    int    `json:"inactivity_threshold_days"`
		Action  string `json:"action"`
	} `json:"service_token_inactivity"`
	Strict bool   `json:"strict_service_token_auth"`
	Domain string `json:"auth_domain"`
}

// Advise reads the organisation's settings and which token issues DoH tokens.
// Tokens that no policy names directly, those that only a group names among
// them, can vanish on their own (docs/vendors/cloudflare.md, automatic clean-up).
func (t *tokens) Advise(ctx context.Context, inUse cred.Handle) ([]string, error) {
	var org organization
	var doh struct {
		ID string `json:"id"`
	}
	err := t.env.Together(
		func() error {
			_, err := call(ctx, t.api, vendorhttp.Request{Op: "read the organisation", Method: http.MethodGet, Path: t.in("", "organizations")}, &org)
			if err == nil && org.Domain == "" { // every organisation has one
				err = &cred.Error{Vendor: t.api.Vendor, Op: "read the organisation", Class: cred.Unknown, Why: "the answer is not an organisation"}
			}
			return err
		},
		func() error {
			_, err := call(ctx, t.api, vendorhttp.Request{Op: "read which token issues DoH tokens", Method: http.MethodGet, Path: t.in("", "organizations", "doh")}, &doh)
			return err
		},
	)
	if err != nil {
		return nil, err
	}
	var out []string
	if i := org.Inactivity; i != nil && i.Enabled {
		out = append(out, fmt.Sprintf("the organisation %ss tokens that are unused for %d days and that no policy names directly; one that only a group names can vanish on its own", i.Action, i.Days))
	}
	if !org.Strict {
		out = append(out, "strict service token authentication is off: a bad token may be answered with a redirect to the login page, and sessions given to a token outlive it")
	}
	if doh.ID != "" && doh.ID == inUse.ID {
		out = append(out, "this token issues the account's DoH tokens; designate the new one there by hand before the old one is retired")
	}
	return out, nil
}
