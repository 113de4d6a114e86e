// Package webapi is what drivers of vendors with an API over HTTP have in common: a client that tells of its calls and says where they went, tokens by reference, and proofs that only the vendor itself can give.
package webapi

import (
	"context"
	"fmt"
	"net/http"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// Client is one of a vendor's: its calls are told, its errors say what was asked (what:
// "account 0123"; "": all of it) and where rekey.yaml names it, it learns the vendor's
// clock, and a refusal by the vendor's rate limit is obeyed by all processes. What the
// vendor's errors mean, who asks, and what of the limit is left to others is the driver's
// to add.
func Client(env provider.Env, vendor, base, what string) *vendorhttp.Client {
	return &vendorhttp.Client{
		Vendor: vendor, Base: base, Where: env.Where(what, base),
		Transport: env.Transport, Now: env.Now, Observe: env.Observe, Clock: &vendorhttp.Clock{}, Pace: env.Pace(0, 0),
	}
}

// Token is what a request is made with, and in printable words which one it is.
type Token func(context.Context) (token secret.Value, used string, err error)

// By is the token that references name: the first of them that is set, at each request.
func By(env provider.Env, refs sop.Refs) Token {
	return func(ctx context.Context) (secret.Value, string, error) {
		token, source, err := env.Resolve(ctx, refs)
		return token, source.String(), err
	}
}

// Bearer puts a token on requests as RFC 6750 has it, and headers that all of them have.
func Bearer(token Token, header map[string]string) func(context.Context, *http.Request) (string, error) {
	return func(ctx context.Context, req *http.Request) (string, error) {
		value, used, err := token(ctx)
		if err != nil {
			return "", fmt.Errorf("token: %w", err)
		}
		for name, text := range header {
			req.Header.Set(name, text)
		}
		req.Header.Set("Authorization", "Bearer "+value.Reveal())
		return used, nil
	}
}

// ByItself is a part of a Prober of credentials that their vendor alone can prove.
type ByItself struct{}

// Guard names no application: nothing else stands before the vendor.
func (ByItself) Guard(context.Context, sop.Probe) (string, error) { return "", nil }

// Elsewhere refuses to send a credential anywhere but to its issuer; nil: it is the issuer
// that is to be asked. what is the credential and who the vendor, in words: "an API token",
// "Cloudflare".
func (ByItself) Elsewhere(p sop.Probe, vendor, op, what, who string) error {
	if p.URL == sop.IssuerItself {
		return nil
	}
	return &cred.Error{Vendor: vendor, Op: op, Class: cred.Refused, Why: what + " is proven by " + who + " itself and not sent anywhere else: leave validate out"}
}
