package identity

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"rekey/internal/secret"
	"rekey/internal/sop"
)

const (
	// maxToken is the longest token that is looked at. Those of GitHub, GitLab and Cloudflare
	// Access have some 2,000 bytes, and servers take headers of 8 to 16 KiB.
	maxToken = 16 << 10
	// Skew is how far the issuer's clock may be from ours (RFC 7519 §4.1.4: a small leeway): so
	// long after its end a token is taken still.
	Skew = 30 * time.Second
	// ahead is how far in the future a token may say that it was made; go-oidc allows as
	// much of nbf.
	ahead = 5 * time.Minute
)

// Verifier verifies the tokens of one issuer for one audience. It keeps the issuer's
// keys: it asks for them once an hour, and where a token names one that it has not, which
// cannot be brought about more often than every 15 seconds. Where the issuer does not
// answer, the keys that are known stay good for a day. It may be used from several
// goroutines.
type Verifier struct {
	issuer, audience string
	keys             *keySet
	now              func() time.Time
	gate             bool
}

// NewVerifier asks nobody. keys is the address of the issuer's keys; "": where its
// discovery says.
func NewVerifier(issuer, audience, keys string, transport http.RoundTripper, now func() time.Time) *Verifier {
	set := &keySet{issuer: issuer, at: keys, client: clientOf(transport, now), now: now}
	return &Verifier{issuer: issuer, audience: audience, keys: set, now: now}
}

// OfGate makes it one of the tokens of a gate, which name a service by common_name and
// leave sub empty.
// Source: developers.cloudflare.com/cloudflare-one, "Application token" (payload of a
// service token).
func (v *Verifier) OfGate() *Verifier {
	v.gate = true
	return v
}

// Issuer is whose tokens it verifies.
func (v *Verifier) Issuer() string { return v.issuer }

// Endpoints asks the issuer where people sign in. Nothing is sent there in clear text.
func (v *Verifier) Endpoints(ctx context.Context) (Endpoints, error) {
	found, err := discover(ctx, v.keys.client, v.issuer)
	if err != nil {
		return found, err
	}
	for i, at := range []string{found.Authorize, found.Token, found.UserInfo} {
		if i == 2 && at == "" {
			continue
		}
		if at == "" || sop.CheckAddress(at, false) != nil || strings.HasPrefix(v.issuer, "https:") && !strings.HasPrefix(at, "https:") {
			return found, errors.New("the issuer does not say where people sign in, or not by https")
		}
	}
	return found, nil
}

// Verify checks signature, issuer, audience and time (OpenID Connect Core 1.0 §3.1.3.7;
// RFC 8725), and returns what the token says. Its errors never quote the token.
func (v *Verifier) Verify(ctx context.Context, token secret.Value) (Claims, error) {
	text := token.Reveal()
	if len(text) > maxToken {
		return nil, errors.New("it is longer than any token of this kind")
	}
	set := &telling{keys: v.keys}
	verified, err := oidc.NewVerifier(v.issuer, set, &oidc.Config{
		ClientID: v.audience, SupportedSigningAlgs: algorithms, Now: func() time.Time { return v.now().Add(-Skew) },
	}).Verify(ctx, text)
	switch {
	case set.err != nil:
		return nil, set.err
	case err != nil:
		return nil, words(err)
	}
	if verified.IssuedAt.After(v.now().Add(ahead)) {
		return nil, errNotYet
	}
	var all map[string]json.RawMessage
	if err := verified.Claims(&all); err != nil {
		return nil, errors.New("its claims cannot be read")
	}
	out := Claims{}
	for name, raw := range all {
		out[name] = values(raw)
	}
	// What the issuer tells elsewhere only, by name. It is not asked for there: the token
	// would lead this process to whatever address it names.
	var elsewhere map[string]json.RawMessage
	if json.Unmarshal(all[leftOut], &elsewhere) == nil {
		out[leftOut] = slices.Sorted(maps.Keys(elsewhere))
	}
	if out.Text("sub") == "" && (!v.gate || out.Text("common_name") == "") {
		return nil, errors.New("it names no subject (sub)")
	}
	return out, nil
}

// words says what is wrong without quoting the token.
func words(err error) error {
	var expired *oidc.TokenExpiredError
	switch text := err.Error(); {
	case errors.As(err, &expired):
		if expired.Expiry.Unix() <= 0 {
			return errors.New("it does not say when it expires")
		}
		return errors.New("it has expired")
	case strings.Contains(text, "expected audience"):
		return errors.New("it was issued for another audience")
	case strings.Contains(text, "issued by a different provider"):
		return errors.New("it was issued by another issuer")
	case strings.Contains(text, "before the nbf"):
		return errNotYet
	case strings.Contains(text, "failed to unmarshal claims"):
		return errors.New("its claims cannot be read")
	case strings.Contains(text, "malformed"):
		return errors.New("it is not a token of this kind")
	}
	return errUnsigned
}

// telling keeps why a signature was not verified, of which go-oidc makes a text that
// may quote.
type telling struct {
	keys *keySet
	err  error
}

func (t *telling) VerifySignature(ctx context.Context, token string) (payload []byte, err error) {
	payload, t.err = t.keys.VerifySignature(ctx, token)
	return payload, t.err
}

var (
	errUnsigned = errors.New("its signature does not verify")
	errNotYet   = errors.New("it is not valid yet; is this machine's clock right?")
)
