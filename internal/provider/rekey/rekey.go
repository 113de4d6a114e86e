// Package rekey is a Rekey service as an issuer: of the tokens by which machines ask it.
//
// It speaks the API of that service as everybody does (internal/api/openapi.json), and
// shares no code with it: the service may be of another version.
package rekey

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
	"rekey/internal/webapi"
)

//go:embed doc.md
var doc string

// KindToken is a token of the service's own, and FieldToken all that it consists of.
const (
	KindToken  = "machine-token"
	FieldToken = "token"
)

// Connection is how to reach a Rekey service.
type Connection struct {
	// Address of the service, without a path: https://rekey.example.com
	BaseURL string `json:"base_url" jsonschema:"required,format=rekey-address"`
	// Token of the service's own that may make and end tokens of these names (the operation tokens), and may itself whatever they may.
	Token sop.Refs `json:"token" jsonschema:"required"`
}

// TokenSettings are the settings of a token.
type TokenSettings struct {
	// Roles that the service's rekey.yaml gives to tokens of these names, these and no others: {token: nightly-*}. A new one with others is not made.
	Roles []string `json:"roles" jsonschema:"required,minItems=1"`
	// What a new one may be used for: rights and operations, as look or rotate. Default: everything its name may do
	May []string `json:"may,omitempty" jsonschema:"minItems=1"`
	// For which credentials; a * at the end stands for anything. Default: all
	Credentials []string `json:"credentials,omitempty" jsonschema:"minItems=1"`
	// Life of a new one, at most 366d. Default: 90d
	ExpiresIn sop.Duration `json:"expires_in,omitempty" jsonschema:"format=rekey-positive"`
}

// Descriptor is a Rekey service for the rest of the house.
var Descriptor = provider.Descriptor{
	Name:       "rekey",
	Title:      "Rekey",
	Connection: &Connection{},
	Issuers: []provider.Sheet{{
		Kind: KindToken, Settings: &TokenSettings{}, Fields: []string{FieldToken},
		Create: true, Label: true, LastSeen: true, Verifies: true,
		NameMax: 80, NameChars: "A-Za-z0-9._@/-",
	}},
	Doc:  doc,
	Open: open,
}

// Service is one that was opened.
type Service struct {
	env provider.Env
	api *vendorhttp.Client
	// bare asks with the token that is being proven, never with our own.
	bare  *vendorhttp.Client
	token webapi.Token

	mu      sync.Mutex
	adopted secret.Value // goes before token
}

func open(env provider.Env, name string, settings json.RawMessage) (provider.Vendor, error) {
	var c Connection
	if err := json.Unmarshal(settings, &c); err != nil {
		return nil, fmt.Errorf("vendor %s: %w", name, err)
	}
	base := strings.TrimSuffix(c.BaseURL, "/") + "/api/v1"
	client := func() *vendorhttp.Client {
		api := webapi.Client(env, name, base, "")
		api.Own, api.Explain, api.NotApplied = own, explain, notApplied
		return api
	}
	s := &Service{env: env, token: webapi.By(env, c.Token), bare: client(), api: client()}
	s.api.Authorize = webapi.Bearer(s.ours, nil)
	return s, nil
}

// ours is the token by which we ask.
func (s *Service) ours(ctx context.Context) (secret.Value, string, error) {
	s.mu.Lock()
	adopted := s.adopted
	s.mu.Unlock()
	if adopted.Present() {
		return adopted, "the token that this run has made", nil
	}
	return s.token(ctx)
}

// Close does nothing: a token has no session.
func (s *Service) Close(context.Context) {}

// Issuer returns the issuer of tokens.
func (s *Service) Issuer(kind string, settings json.RawMessage) (provider.Issuer, error) {
	if kind != KindToken {
		return nil, fmt.Errorf("rekey issues no %s", kind)
	}
	t := &tokens{Service: s}
	return t, json.Unmarshal(settings, &t.settings)
}

// problem is what the service refuses with (docs/api.md, Refusals; RFC 9457). Its texts
// may name whatever is there, so none is shown.
func problem(body []byte) (code string, ours bool) {
	var p struct{ Type, Code string }
	ours = json.Unmarshal(body, &p) == nil && p.Code != "" && p.Type == "urn:rekey:problem:"+p.Code
	return p.Code, ours
}

func own(r *vendorhttp.Response) bool {
	_, ours := problem(r.Body)
	return ours
}

// refusals are the codes of internal/api/problem.go that concern tokens. proof: it is so
// whatever was sent before, so nothing was applied.
var refusals = map[string]struct {
	class cred.Class
	why   string
	proof bool
}{
	"not-identified": {cred.Denied, "the service does not know this token: it was revoked, has expired, or is of another service", true},
	"no-role":        {cred.Denied, "this token may not: it wants the operation tokens for names like this, and may make none that could do more than itself", true},
	"token-refused":  {cred.Refused, "the service makes no such token: by its rekey.yaml the name has other roles than issuer.roles says, or it does not take issuer.may, credentials or expires_in (366 days at most)", true},
	"token-taken":    {cred.Conflict, "there is a live token of this name", false},
	"bad-request":    {cred.Refused, "the service does not understand the request: it may be of an older version", true},
	"wrong-host":     {cred.Refused, "the service goes by another name: base_url wants to be what rekey serve --url says", true},
	"no-operation":   {cred.Unknown, "the service knows no tokens there: it is of another version, or base_url leads elsewhere", false},
}

func explain(status int, body []byte) (cred.Class, string, string) {
	code, _ := problem(body)
	if known, ok := refusals[code]; ok {
		return known.class, code, known.why
	}
	if status == http.StatusNotFound { // of a token that is not there nothing is answered 404
		return cred.Unknown, "", "not found, and that says nothing of any token"
	}
	return "", "", ""
}

func notApplied(r *vendorhttp.Response) bool {
	code, _ := problem(r.Body)
	return refusals[code].proof
}

var (
	_ provider.Issues  = (*Service)(nil)
	_ provider.Issuer  = (*tokens)(nil)
	_ provider.Prober  = (*tokens)(nil)
	_ provider.Clocked = (*tokens)(nil)
	_ provider.Self    = (*tokens)(nil)
	_ provider.Adviser = (*tokens)(nil)
)
