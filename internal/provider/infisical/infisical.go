// Package infisical is Infisical as a store, all slots in one batch with versions to go back to, and as an issuer of its own client secrets.
//
// The client is our own: the official SDK knows only the deprecated v3 API, has
// no batch update, repeats POST and PATCH up to four times and turns an answer
// of a change policy into an empty secret without an error (measured;
// docs/decisions/0003-own-vendor-clients.md).
package infisical

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

//go:embed doc.md
var doc string

// DefaultBase is Infisical's own cloud; a self-hosted server has its own.
const DefaultBase = "https://app.infisical.com"

// Connection is how to reach a project.
type Connection struct {
	// Address of the server. Default: https://app.infisical.com
	BaseURL string `json:"base_url,omitempty" jsonschema:"format=rekey-address"`
	// Client id of a machine identity (Universal Auth).
	ClientID sop.Refs `json:"client_id,omitempty"`
	// Client secret of the machine identity.
	ClientSecret sop.Refs `json:"client_secret,omitempty"`
	// A ready access token instead of client id and secret.
	Token sop.Refs `json:"token,omitempty"`
	// Project id.
	Project sop.Text `json:"project" jsonschema:"required"`
}

// Settings are the settings of a store.
type Settings struct {
	// Folder, as /MooseQuest/cloudflare/
	Path string `json:"path" jsonschema:"required,pattern=^/"`
	// Slug of the environment: prod
	Environment string `json:"environment" jsonschema:"required"`
}

// Descriptor is Infisical for the rest of the house.
var Descriptor = provider.Descriptor{
	Name:       "infisical",
	Title:      "Infisical",
	Connection: &Connection{},
	Issuers: []provider.Sheet{{
		Kind:     KindClientSecret,
		Settings: &ClientSecretSettings{},
		Fields:   []string{FieldClientSecret},
		Optional: []string{FieldClientID, FieldID},
		Public:   []string{FieldClientID, FieldID},
		Create:   true,
		LastSeen: true, // the last login
		Label:    true,
		Verifies: true,
	}},
	Store:   &Settings{},
	StoreID: "path",
	Doc:     doc,
	ByHand:  byHand,
	Open:    open,
}

// Server is one opened project of a server.
type Server struct {
	api     *vendorhttp.Client
	session *session
	project string

	mu  sync.Mutex
	old bool // speaks v3 only

	keeps atomic.Bool // it is asked as a store, too
}

func open(env provider.Env, name string, settings json.RawMessage) (provider.Vendor, error) {
	var c Connection
	if err := json.Unmarshal(settings, &c); err != nil {
		return nil, fmt.Errorf("vendor %s: %w", name, err)
	}
	if len(c.Token) == 0 && (len(c.ClientID) == 0 || len(c.ClientSecret) == 0) {
		return nil, fmt.Errorf("vendor %s: give client_id and client_secret, or token", name)
	}
	project, err := env.Text(c.Project)
	if err != nil {
		return nil, fmt.Errorf("vendor %s: project: %w", name, err)
	}
	if c.BaseURL == "" {
		c.BaseURL = DefaultBase
	}
	plain := vendorhttp.Client{
		Vendor: name, Base: c.BaseURL, Transport: env.Transport, Now: env.Now,
		Observe: env.Observe, Explain: explain,
	}
	s := &Server{project: project, session: &session{env: env, conn: c, api: &plain}}
	authorized := plain
	authorized.Authorize = s.session.authorize
	s.api = &authorized
	return s, nil
}

// Close does nothing: the access token dies with the process, and revoking it
// would cost a call.
func (s *Server) Close(context.Context) {}

// Store returns a store for one folder of one environment.
func (s *Server) Store(settings json.RawMessage) (provider.Store, error) {
	var f Settings
	if err := json.Unmarshal(settings, &f); err != nil {
		return nil, err
	}
	// A trailing slash as in the SOP is taken and removed by the server; sending
	// it without keeps both spellings one place (recorded: 10-create.json).
	f.Path = clean(f.Path)
	s.keeps.Store(true)
	return &folder{Server: s, at: f}, nil
}

func clean(path string) string { return "/" + strings.Trim(path, "/") }

// explain refines answers by the server's error shape {statusCode, message,
// error}. error is a class name, an operation or a sentence, so it is matched
// only where that was recorded (infisical.md §4); nothing of it is shown.
func explain(status int, body []byte) (cred.Class, string, string) {
	var e struct {
		Message json.RawMessage `json:"message"`
		Error   string          `json:"error"`
	}
	if json.Unmarshal(body, &e) != nil {
		return "", "", ""
	}
	var message string
	_ = json.Unmarshal(e.Message, &message)
	switch {
	case status == 401 && e.Error == "ValidationFailure": // servers of 2024; 422 today
		return cred.Refused, e.Error, "the server finds the request invalid"
	case status == 422:
		return cred.Refused, "ValidationFailure", "the server finds the request invalid"
	case status == 403 && e.Error == "TokenError":
		return cred.Denied, e.Error, "the access token is malformed or has expired"
	case status == 403 && e.Error == "PermissionDenied":
		return cred.Denied, e.Error, "the machine identity may not do this here"
	case status == 403 && strings.Contains(message, "more privileged"):
		// Recorded: 04-client-secrets.json.
		return cred.Denied, "", "the identity that is meant has more rights than the one that Rekey works as"
	case status == 403 && strings.HasPrefix(e.Error, "Identity is not a member of"):
		return cred.Denied, "", "the machine identity is no member of the project"
	case status == 401 && message == "Invalid credentials":
		return cred.Denied, "", "client id or client secret is wrong"
	case status == 401 && strings.Contains(message, "temporarily locked"):
		return cred.Denied, "", "the identity is locked after failed logins; it opens again by itself"
	case status == 404 && strings.HasPrefix(message, "Route "):
		return cred.Absent, "route", "the server has no such route; is it an Infisical server?"
	case status == 404 && strings.HasPrefix(message, "Folder with path"):
		return cred.Absent, "folder", "there is no such folder, or no such environment"
	case status == 404 && strings.HasPrefix(message, "Secret with name"):
		return cred.Absent, "secret", "there is no such secret, or not in this version"
	case status == 404 && strings.HasPrefix(message, "Project with ID"):
		return cred.Absent, "project", "there is no such project"
	}
	return "", "", ""
}

// absentWhat returns which thing an Absent error is about.
func absentWhat(err error) string {
	var e *cred.Error
	if errors.As(err, &e) && e.Class == cred.Absent {
		return e.Code
	}
	return ""
}

var (
	_ provider.Stores    = (*Server)(nil)
	_ provider.Surveys   = (*Server)(nil)
	_ provider.Store     = (*folder)(nil)
	_ provider.Foresight = (*folder)(nil)
	_ provider.Adviser   = (*folder)(nil)
	_ provider.Issues    = (*Server)(nil)
	_ provider.Issuer    = (*clientSecrets)(nil)
	_ provider.Prober    = (*clientSecrets)(nil)
	_ provider.Self      = (*clientSecrets)(nil)
	_ provider.Adviser   = (*clientSecrets)(nil)
)
