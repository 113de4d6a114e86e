// Package vault is HashiCorp Vault and OpenBao as a store, the keys of one KV version 2 secret with its versions to go back to, and as an issuer of AppRole secret ids.
package vault

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
	"rekey/internal/webapi"
)

//go:embed doc.md
var doc string

// Connection is how to reach a server, and as whom.
type Connection struct {
	// Address of the server or of the cluster: https://vault.example.com:8200
	BaseURL string `json:"base_url" jsonschema:"required,format=rekey-address"`
	// Namespace in which everything is done. Default: the root namespace.
	Namespace string `json:"namespace,omitempty"`
	// A token.
	Token sop.Refs `json:"token,omitempty"`
	// Role id of an AppRole to log in with, instead of a token.
	RoleID sop.Refs `json:"role_id,omitempty"`
	// Secret id of that AppRole.
	SecretID sop.Refs `json:"secret_id,omitempty"`
	// Where the auth method is mounted that Rekey logs in with. Default: approle
	LoginMount string `json:"login_mount,omitempty"`
}

// Settings are the settings of a store: one secret, whose keys are the slots.
type Settings struct {
	// Where the KV version 2 engine is mounted. Default: secret
	Mount string `json:"mount,omitempty" jsonschema:"pattern=^[^/]"`
	// Path of the secret, without data/ in front: team/console
	Path string `json:"path" jsonschema:"required,pattern=^[^/]"`
}

// Descriptor is Vault for the rest of the house.
var Descriptor = provider.Descriptor{
	Name:       "vault",
	Title:      "Vault and OpenBao",
	Connection: &Connection{},
	Refers:     provider.Reference{Form: "MOUNT/PATH#KEY", Pattern: `^[^#]+/[^#]+#[^#]+$`},
	Issuers: []provider.Sheet{{
		Kind:     KindSecretID,
		Settings: &SecretIDSettings{},
		Fields:   []string{FieldSecretID},
		Optional: []string{FieldRoleID, FieldAccessor},
		Public:   []string{FieldRoleID, FieldAccessor},
		Create:   true,
		Label:    true,
		Verifies: true,
		End:      "destroyed",
	}},
	Store:   &Settings{},
	StoreID: "path",
	Doc:     doc,
	Open:    open,
}

// Server is one opened server in one namespace.
type Server struct {
	api     *vendorhttp.Client
	session *session

	mu    sync.Mutex
	kinds map[string]mount // of mounts, once they were asked for
}

func open(env provider.Env, name string, settings json.RawMessage) (provider.Vendor, error) {
	var c Connection
	if err := json.Unmarshal(settings, &c); err != nil {
		return nil, fmt.Errorf("vendor %s: %w", name, err)
	}
	if len(c.Token) == 0 && (len(c.RoleID) == 0 || len(c.SecretID) == 0) {
		return nil, fmt.Errorf("vendor %s: give token, or role_id and secret_id", name)
	}
	if c.LoginMount == "" {
		c.LoginMount = "approle"
	}
	plain := webapi.Client(env, name, c.BaseURL, c.scope())
	plain.Explain, plain.Own, plain.NotApplied = explain, own, notApplied
	plain.Authorize = func(_ context.Context, r *http.Request) (string, error) { c.address(r); return "", nil }
	s := &Server{session: &session{env: env, conn: c, api: plain}, kinds: map[string]mount{}}
	authorized := *plain
	authorized.Authorize = s.session.authorize
	s.api = &authorized
	return s, nil
}

// scope is what a token is asked for, in words.
func (c Connection) scope() string {
	if c.Namespace != "" {
		return "namespace " + c.Namespace
	}
	return "the root namespace"
}

// address names the namespace, and shows that this is no page in a browser which was
// talked into it: an agent may be set to want that (require_request_header).
func (c Connection) address(r *http.Request) {
	r.Header.Set("X-Vault-Request", "true")
	if c.Namespace != "" {
		r.Header.Set("X-Vault-Namespace", c.Namespace)
	}
}

// Close ends the token that was logged in for; one that was given is left alone.
func (s *Server) Close(ctx context.Context) { s.session.close(ctx) }

// Store returns the store that is one secret.
func (s *Server) Store(settings json.RawMessage) (provider.Store, error) {
	at := Settings{Mount: "secret"}
	if err := json.Unmarshal(settings, &at); err != nil {
		return nil, err
	}
	mount, err := clean(at.Mount)
	if err != nil {
		return nil, fmt.Errorf("mount: %w", err)
	}
	path, err := clean(at.Path)
	if err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	return &kv{Server: s, mount: mount, path: path}, nil
}

// clean checks a path and takes the slashes off its ends. Vault refuses a path that has
// .. in it, and drops what is empty (vault/request_handling.go).
func clean(path string) (string, error) {
	path = strings.Trim(path, "/")
	for p := range strings.SplitSeq(path, "/") {
		if p == "" || p == "." || p == ".." {
			return "", errors.New("a path is names with single slashes between them, and neither . nor .. is a name")
		}
	}
	return path, nil
}

// escape writes a path as it goes into an address.
func escape(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// may asks what our token may do at paths, and says for which of them all of these
// capabilities are missing. POST /v1/sys/capabilities-self, which the default
// policy allows (developer.hashicorp.com/vault/api-docs/system/capabilities-self).
func (s *Server) may(ctx context.Context, paths []string, oneOf ...string) (missing []string, err error) {
	resp, err := s.api.Do(ctx, vendorhttp.Request{Op: "ask what our token may do", Method: http.MethodPost, Reads: true,
		Path: "/v1/sys/capabilities-self", Body: map[string]any{"paths": paths}})
	if err != nil {
		return nil, err
	}
	var out struct {
		Data map[string][]string `json:"data"`
	}
	if err := resp.Decode(&out); err != nil {
		return nil, err
	}
	for _, p := range paths {
		can, told := out.Data[p]
		if !told {
			return nil, resp.Nonsense("the answer does not name what was asked for")
		}
		if !slices.ContainsFunc(append(oneOf, "root"), func(c string) bool { return slices.Contains(can, c) }) {
			missing = append(missing, p)
		}
	}
	return missing, nil
}

// problem is an error of ours about one request.
func (s *Server) problem(op string, class cred.Class, why string) error {
	return &cred.Error{Vendor: s.api.Vendor, Op: op, Class: class, Why: why}
}

// codeOf tells which thing an error is about; "" if it does not say.
func codeOf(err error) string {
	if e, ok := cred.AsError(err); ok {
		return e.Code
	}
	return ""
}

var (
	_ provider.Stores       = (*Server)(nil)
	_ provider.Refers       = (*Server)(nil)
	_ provider.Issues       = (*Server)(nil)
	_ provider.Store        = (*kv)(nil)
	_ provider.Foresight    = (*kv)(nil)
	_ provider.Adviser      = (*kv)(nil)
	_ provider.Finder       = (*secretIDs)(nil)
	_ provider.Copier       = (*secretIDs)(nil)
	_ provider.Prober       = (*secretIDs)(nil)
	_ provider.Self         = (*secretIDs)(nil)
	_ provider.EndForesight = (*secretIDs)(nil)
)
