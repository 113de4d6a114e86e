package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
	"rekey/internal/webapi"
)

// KindSecretID is a secret id of an AppRole; the others are the fields of its bundle.
const (
	KindSecretID  = "approle-secret-id"
	FieldSecretID = "secret_id"
	FieldRoleID   = "role_id"
	FieldAccessor = "accessor"
)

// noteName is the metadata of a secret id under which its name stands.
const noteName = "rekey_name"

// SecretIDSettings are the settings of a secret id.
type SecretIDSettings struct {
	// Where the AppRole auth method is mounted. Default: approle
	Mount string `json:"mount,omitempty" jsonschema:"pattern=^[^/]"`
	// Name of the role that it belongs to.
	Role string `json:"role" jsonschema:"required,pattern=^[^/]+$"`
	// Life of a new one: 2160h. Default: as long as the role says.
	ExpiresIn string `json:"expires_in,omitempty" jsonschema:"pattern=^[0-9]+h$,format=rekey-positive"`
}

// secretIDs issues secret ids of one role. Several are live at once, each is known by
// its accessor, and what it is worth is up to the role
// (developer.hashicorp.com/vault/api-docs/auth/approle).
type secretIDs struct {
	webapi.ByItself
	*Server
	settings SecretIDSettings
	root     string // of the role, without /v1/

	known sync.Mutex
	id    secret.Value // role id, once read
}

// Issuer returns the issuer for a role.
func (s *Server) Issuer(kind string, settings json.RawMessage) (provider.Issuer, error) {
	if kind != KindSecretID {
		return nil, fmt.Errorf("vault issues no %s", kind)
	}
	of := SecretIDSettings{Mount: "approle"}
	if err := json.Unmarshal(settings, &of); err != nil {
		return nil, err
	}
	root, err := clean("auth/" + of.Mount + "/role/" + of.Role)
	if err != nil {
		return nil, err
	}
	return &secretIDs{Server: s, settings: of, root: root}, nil
}

// Calls tells the requests that change something.
func (a *secretIDs) Calls() map[string]string {
	return map[string]string{"create": "POST /v1/" + a.root + "/secret-id", "delete": "POST /v1/" + a.root + "/secret-id-accessor/destroy ({id})"}
}

// secretID is one as a look shows it: all but itself.
type secretID struct {
	Accessor string            `json:"secret_id_accessor"`
	Created  time.Time         `json:"creation_time"`
	Expires  time.Time         `json:"expiration_time"` // year 1: never
	Uses     int               `json:"secret_id_num_uses"`
	Metadata map[string]string `json:"metadata"`
	CIDRs    []string          `json:"cidr_list"`
	Bound    []string          `json:"token_bound_cidrs"`
}

func (x secretID) handle() cred.Handle {
	h := cred.Handle{ID: x.Accessor, Name: x.Metadata[noteName], Created: x.Created.UTC()}
	if h.Name == "" {
		h.Name = x.Accessor
	}
	if x.Expires.Year() > 1 {
		h.Expires = x.Expires.UTC()
	}
	return h
}

// call sends a request about the role and reads the data of its answer; a 204 has none.
func (a *secretIDs) call(ctx context.Context, r vendorhttp.Request, below string, out any) (empty bool, err error) {
	r.Path = "/v1/" + escape(a.root) + below
	resp, err := a.api.Do(ctx, r)
	if err != nil {
		return false, err
	}
	if resp.Status == http.StatusNoContent {
		return true, nil
	}
	return false, resp.Decode(&struct {
		Data any `json:"data"`
	}{out})
}

// List reads the accessors and looks at each: the list shows nothing else. One that is
// gone by then is left out.
func (a *secretIDs) List(ctx context.Context) ([]cred.Handle, error) {
	var keys struct {
		Keys []string `json:"keys"`
	}
	_, err := a.call(ctx, vendorhttp.Request{Op: "list secret ids", Method: http.MethodGet, Query: url.Values{"list": {"true"}}}, "/secret-id", &keys)
	if codeOf(err) == nothing {
		return []cred.Handle{}, nil
	}
	if err != nil {
		return nil, err
	}
	if len(keys.Keys) == 0 { // where there is none, the answer is 404
		return nil, a.problem("list secret ids", cred.Unknown, "the answer lacks the accessors")
	}
	found := make([]*cred.Handle, len(keys.Keys))
	var looks []func() error
	for i, accessor := range keys.Keys {
		looks = append(looks, func() error {
			x, err := a.look(ctx, accessor)
			if codeOf(err) == noAccessor {
				return nil
			}
			h := x.handle()
			found[i] = &h
			return err
		})
	}
	if err := a.session.env.Together(looks...); err != nil {
		return nil, err
	}
	out := []cred.Handle{}
	for _, h := range found {
		if h != nil {
			out = append(out, *h)
		}
	}
	return out, nil
}

// look asks for one secret id by its accessor.
func (a *secretIDs) look(ctx context.Context, accessor string) (secretID, error) {
	const op = "look at a secret id"
	if accessor == "" {
		return secretID{}, a.problem(op, cred.Refused, "no accessor")
	}
	var x secretID
	empty, err := a.call(ctx, vendorhttp.Request{Op: op, Method: http.MethodPost, Reads: true, Body: map[string]string{"secret_id_accessor": accessor}}, "/secret-id-accessor/lookup", &x)
	switch {
	case err != nil:
		return secretID{}, err
	case empty: // its accessor is left, itself is not
		return secretID{}, &cred.Error{Vendor: a.api.Vendor, Op: op, Class: cred.Absent, Code: noAccessor, Status: http.StatusNoContent, Why: "it no longer exists"}
	case x.Accessor != accessor:
		return secretID{}, a.problem(op, cred.Unknown, "the answer is about another one")
	}
	return x, nil
}

// Find asks for one by its accessor.
func (a *secretIDs) Find(ctx context.Context, h cred.Handle) (cred.Handle, error) {
	x, err := a.look(ctx, h.ID)
	if err != nil {
		return cred.Handle{}, err
	}
	return x.handle(), nil
}

// roleID reads the id that goes with every secret id of the role.
func (a *secretIDs) roleID(ctx context.Context) (secret.Value, error) {
	a.known.Lock()
	defer a.known.Unlock()
	if a.id.Present() {
		return a.id, nil
	}
	const op = "read the role id"
	var out struct {
		ID secret.Value `json:"role_id"`
	}
	if _, err := a.call(ctx, vendorhttp.Request{Op: op, Method: http.MethodGet}, "/role-id", &out); err != nil {
		return secret.Value{}, err
	}
	if !out.ID.Present() {
		return secret.Value{}, a.problem(op, cred.Unknown, "the answer lacks it")
	}
	a.id = out.ID
	return a.id, nil
}

// Create makes one that may be used from wherever the role allows.
func (a *secretIDs) Create(ctx context.Context, name string) (cred.Handle, secret.Bundle, error) {
	return a.create(ctx, name, secretID{})
}

// CreateLike makes one with the metadata and the addresses of another: policies may be
// written with the former, and the latter are what it may be used from.
func (a *secretIDs) CreateLike(ctx context.Context, name string, like cred.Handle) (cred.Handle, secret.Bundle, error) {
	old, err := a.look(ctx, like.ID)
	if err != nil {
		return cred.Handle{}, nil, err
	}
	return a.create(ctx, name, old)
}

func (a *secretIDs) create(ctx context.Context, name string, like secretID) (cred.Handle, secret.Bundle, error) {
	const op = "create a secret id"
	role, err := a.roleID(ctx)
	if err != nil {
		return cred.Handle{}, nil, err
	}
	metadata := maps.Clone(like.Metadata)
	if metadata == nil {
		metadata = map[string]string{}
	}
	metadata[noteName] = name
	text, err := json.Marshal(metadata)
	if err != nil {
		return cred.Handle{}, nil, a.problem(op, cred.Refused, "the metadata cannot be written as JSON")
	}
	body := map[string]any{"metadata": string(text)}
	if len(like.CIDRs) > 0 {
		body["cidr_list"] = like.CIDRs
	}
	if len(like.Bound) > 0 {
		body["token_bound_cidrs"] = like.Bound
	}
	life, _ := time.ParseDuration(a.settings.ExpiresIn)
	if life > 0 {
		body["ttl"] = int(life.Seconds())
	}
	var made struct {
		ID       secret.Value `json:"secret_id"`
		Accessor string       `json:"secret_id_accessor"`
		TTL      int64        `json:"secret_id_ttl"` // seconds; 0: none
	}
	if _, err := a.call(ctx, vendorhttp.Request{Op: op, Method: http.MethodPost, Body: body}, "/secret-id", &made); err != nil {
		return cred.Handle{}, nil, err
	}
	if !made.ID.Present() || made.Accessor == "" {
		return cred.Handle{}, nil, a.problem(op, cred.Unknown, "the answer lacks the secret id or its accessor")
	}
	h := cred.Handle{ID: made.Accessor, Name: name}
	if made.TTL > 0 {
		h.Expires = a.session.env.Now().UTC().Add(time.Duration(made.TTL) * time.Second)
	}
	return h, secret.Bundle{FieldSecretID: made.ID, FieldRoleID: role, FieldAccessor: secret.New(made.Accessor)}, nil
}

// Revoke destroys one. Tokens that were got with it live on to their own end.
func (a *secretIDs) Revoke(ctx context.Context, h cred.Handle) error {
	const op = "destroy a secret id"
	if h.ID == "" {
		return a.problem(op, cred.Refused, "no accessor")
	}
	empty, err := a.call(ctx, vendorhttp.Request{Op: op, Method: http.MethodPost, Body: map[string]string{"secret_id_accessor": h.ID}}, "/secret-id-accessor/destroy", nil)
	if err == nil && !empty { // done is answered 204
		err = a.problem(op, cred.Unknown, "the answer is none to this request")
	}
	return err
}
