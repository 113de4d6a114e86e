package double

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
)

// PortalHost is where the simulated portal is.
const PortalHost = "portal.example.com"

// Person is a person who does by hand in the simulated portal what is asked,
// over whatever network it is given: a page that does not come up is a person
// who could not do it.
func Person(network http.RoundTripper, now func() time.Time, seen func(vendorhttp.Call)) provider.Person {
	browser := vendorhttp.Client{Vendor: "portal", Base: "https://" + PortalHost, Transport: network, Now: now, Observe: seen}
	page := func(ctx context.Context, r vendorhttp.Request) (out []string, err error) {
		resp, err := browser.Do(ctx, r)
		if err != nil {
			return nil, err
		}
		err = resp.Decode(&out)
		return out, err
	}
	names := func(ctx context.Context) ([]string, error) {
		return page(ctx, vendorhttp.Request{Op: "look at the portal", Method: http.MethodGet, Path: "/keys"})
	}
	return func(ctx context.Context, t provider.Task) (provider.Answer, error) {
		switch t.Want {
		case provider.WantLook:
			list, err := names(ctx)
			return provider.Answer{Names: list}, err
		case provider.WantListed:
			list, err := names(ctx)
			return provider.Answer{Yes: slices.Contains(list, t.Name)}, err
		case provider.WantWhich: // the one that has been there longest
			list, err := names(ctx)
			for _, name := range list {
				if slices.Contains(t.Among, name) {
					return provider.Answer{Names: []string{name}}, err
				}
			}
			return provider.Answer{}, err
		case provider.WantMake:
			resp, err := browser.Do(ctx, vendorhttp.Request{Op: "make a key in the portal", Method: http.MethodPost, Path: "/keys", Body: map[string]string{"name": t.Name}})
			if err != nil {
				return provider.Answer{}, err
			}
			var made struct {
				Value secret.Value `json:"value"`
			}
			if err := resp.Decode(&made); err != nil {
				return provider.Answer{}, err
			}
			if !made.Value.Present() {
				return provider.Answer{}, resp.Nonsense("the page shows no key")
			}
			b := secret.Bundle{}
			for _, f := range t.Fields {
				b[f] = secret.New("id of " + t.Name)
			}
			b[t.Fields[len(t.Fields)-1]] = made.Value
			return provider.Answer{Bundle: b}, nil
		case provider.WantEnd:
			_, err := page(ctx, vendorhttp.Request{Op: "end a key in the portal", Method: http.MethodDelete, Path: "/keys/" + url.PathEscape(t.Name)})
			return provider.Answer{Yes: err == nil}, err
		}
		return provider.Answer{}, &cred.Error{Vendor: "portal", Op: string(t.Want), Class: cred.Refused, Why: "nobody knows how to do this"}
	}
}
