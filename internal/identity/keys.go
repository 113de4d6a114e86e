package identity

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

const (
	// keysFor is how long keys that were read are gone by before they are read again.
	keysFor = time.Hour
	// keysAtMost is how long they are gone by where they cannot be read again: an issuer
	// that is down for an afternoon locks nobody out, and one that has revoked a key is
	// not ignored for good.
	keysAtMost = 24 * time.Hour
	// keysAgain is how long an issuer is left alone after it was asked for its keys, whatever
	// keys are named meanwhile: who sends tokens decides those.
	keysAgain = 15 * time.Second
	// keysWithin is how long an issuer may take to answer, and keysSoon is how long where
	// there are keys to go by.
	keysWithin = 10 * time.Second
	keysSoon   = 3 * time.Second
)

// keySet are the public keys of an issuer. It verifies signatures for go-oidc, and may be
// used from several goroutines.
type keySet struct {
	issuer, at string // at: where they are; "": where the issuer's discovery says
	client     func(base string) *vendorhttp.Client
	now        func() time.Time

	asking sync.Mutex // one asks at a time
	mu     sync.Mutex // guards what follows
	keys   []jose.JSONWebKey
	short  bool // there were others, too short to believe
	read   time.Time
	asked  time.Time
	failed error // of the last time that it was asked; nil: it answered
}

// VerifySignature returns what was signed. A token that names a key is tried with that
// one only. It asks the issuer where it has no such key, or its keys are old.
func (k *keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	signed, err := jose.ParseSigned(token, signatures())
	if err != nil || len(signed.Signatures) != 1 {
		return nil, errUnsigned
	}
	head := signed.Signatures[0].Header
	try := func() ([]byte, bool) {
		for _, key := range k.fitting(head) {
			if payload, err := signed.Verify(key.Key); err == nil {
				return payload, true
			}
		}
		return nil, false
	}
	if old, none := k.old(); none {
		k.ask(ctx, keysFor, keysWithin)
	} else if old && k.asking.TryLock() { // the others go on with what is known meanwhile
		k.asking.Unlock()
		k.ask(ctx, keysFor, keysSoon)
	}
	if payload, ok := try(); ok {
		return payload, nil
	}
	k.ask(ctx, keysAgain, keysWithin)
	if payload, ok := try(); ok {
		return payload, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed != nil {
		return nil, k.failed
	}
	if k.short {
		return nil, fmt.Errorf("%w; keys of the issuer that are shorter than %d bits were not tried", errUnsigned, leastRSA)
	}
	return nil, errUnsigned
}

// fitting are the keys that a token may be signed with.
func (k *keySet) fitting(head jose.Header) (out []jose.JSONWebKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now().Sub(k.read) > keysAtMost {
		return nil
	}
	for _, key := range k.keys {
		if (head.KeyID == "" || key.KeyID == "" || key.KeyID == head.KeyID) && (key.Algorithm == "" || key.Algorithm == head.Algorithm) {
			out = append(out, key)
		}
	}
	return out
}

func (k *keySet) old() (old, none bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now().Sub(k.read) > keysFor, len(k.keys) == 0
}

// ask reads the keys, unless that was done within age, or was tried just now. Whoever
// sends a token cannot end it by going away, nor be waited for.
func (k *keySet) ask(ctx context.Context, age, within time.Duration) {
	k.asking.Lock()
	defer k.asking.Unlock()
	k.mu.Lock()
	now := k.now()
	recent := now.Sub(k.read) < age || !k.asked.IsZero() && now.Sub(k.asked) < keysAgain
	if !recent {
		k.asked = now
	}
	k.mu.Unlock()
	if recent {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	keys, short, err := k.fetch(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed = err; err == nil {
		k.keys, k.short, k.read = keys, short, now
	}
}

// fetch reads the issuer's public keys (OpenID Connect Discovery 1.0 §4; RFC 7517).
func (k *keySet) fetch(ctx context.Context) (out []jose.JSONWebKey, short bool, err error) {
	at := k.at
	if at == "" {
		found, err := discover(ctx, k.client, k.issuer)
		if err != nil {
			return nil, false, err
		}
		at = found.Keys
	}
	u, err := url.Parse(at)
	if base, _ := url.Parse(k.issuer); err != nil || sop.CheckAddress(at, false) != nil || u.Scheme != base.Scheme {
		return nil, false, errors.New("the issuer does not say where its keys are")
	}
	resp, err := k.client(u.Scheme+"://"+u.Host).Do(ctx, vendorhttp.Request{Op: "read the issuer's keys", Method: http.MethodGet, Path: u.EscapedPath(), Query: u.Query()})
	if err != nil {
		return nil, false, err
	}
	var set jose.JSONWebKeySet
	if err := resp.Decode(&set); err != nil {
		return nil, false, err
	}
	for _, key := range set.Keys {
		if rsa, is := key.Key.(*rsa.PublicKey); is && rsa.N.BitLen() < leastRSA {
			short = true // whoever has computers enough can sign with it
			continue
		}
		if key.IsPublic() && key.Use != "enc" {
			out = append(out, key)
		}
	}
	switch {
	case len(out) == 0 && short:
		return nil, short, fmt.Errorf("the issuer's RSA keys are shorter than %d bits", leastRSA)
	case len(out) == 0:
		return nil, short, errors.New("the issuer publishes no key")
	}
	return out, short, nil
}

// Endpoints are where an issuer does what (OpenID Connect Discovery 1.0 §3).
type Endpoints struct {
	Issuer    string   `json:"issuer"`
	Keys      string   `json:"jwks_uri"`
	Authorize string   `json:"authorization_endpoint"`
	Token     string   `json:"token_endpoint"`
	UserInfo  string   `json:"userinfo_endpoint"`
	Methods   []string `json:"token_endpoint_auth_methods_supported"`
	Named     bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207
}

// discover asks an issuer where it does what.
func discover(ctx context.Context, client func(string) *vendorhttp.Client, issuer string) (Endpoints, error) {
	var found Endpoints
	resp, err := client(issuer).Do(ctx, vendorhttp.Request{Op: "find the issuer's keys", Method: http.MethodGet, Path: "/.well-known/openid-configuration"})
	if err != nil {
		return found, err
	}
	if err := resp.Decode(&found); err != nil {
		return found, err
	}
	if found.Issuer != issuer {
		return found, errors.New("the issuer that answers there has another name") // Discovery §4.3
	}
	return found, nil
}

// signatures are the algorithms that a token may be signed by.
func signatures() (out []jose.SignatureAlgorithm) {
	for _, a := range algorithms {
		out = append(out, jose.SignatureAlgorithm(a))
	}
	return slices.Clip(out)
}

// clientOf makes the client of an issuer's addresses.
func clientOf(transport http.RoundTripper, now func() time.Time) func(string) *vendorhttp.Client {
	return func(base string) *vendorhttp.Client {
		return &vendorhttp.Client{Vendor: "identity", Base: strings.TrimRight(base, "/"), Transport: transport, Now: now}
	}
}
