package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"rekey/internal/refs"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// Here is what a command line knows of where it runs.
type Here struct {
	Env     func(name string) (string, bool)
	Dir     string   // relative files of references start there
	Token   sop.Refs // where the token is, if it is set; the first that is
	Version string
}

// Dial returns a client for the server at an address, with a token where one is set. It
// asks nothing yet.
func Dial(address string, here Here) (*Client, error) {
	base, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the server's address is not valid; it must have the form https://rekey.example.com")
	}
	value := func(name string) string { v, _ := here.Env(name); return v }
	o := Options{Transport: vendorhttp.NewTransport(vendorhttp.Proxies(value)), Version: here.Version}
	finder := &refs.Finder{Dir: here.Dir, Env: here.Env, Asked: new(refs.Asked)}
	for _, ref := range here.Token {
		if !finder.IsSet(ref) {
			continue
		}
		// Asked for at each request: a command may give another one by then.
		o.Authorize = func(ctx context.Context, r *http.Request) error {
			token, _, err := finder.Secret(ctx, sop.Refs{ref})
			if err != nil {
				return fmt.Errorf("find the server's token: %w", err)
			}
			r.Header.Set("Authorization", "Bearer "+token.Trimmed().Reveal()) // RFC 6750, section 2.1
			return nil
		}
		break
	}
	return New(base, o)
}
