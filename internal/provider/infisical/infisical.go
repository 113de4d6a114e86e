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
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"rekey/internal/provider"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
	"rekey/internal/webapi"
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
	Base:       DefaultBase,
	Connection: &Connection{},
	Refers:     provider.Reference{Form: "ENV/path/KEY", Pattern: `^[^/:]+/(.*/)?[^/]+$`},
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
	said  spoken
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
	s := &Server{project: project}
	plain := webapi.Client(env, name, c.BaseURL, "project "+project)
	plain.Explain, plain.Own, plain.NotApplied = s.explain, own, notApplied
	s.session = &session{env: env, conn: c, api: plain, said: &s.said}
	authorized := *plain
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
	_ provider.Peers     = (*clientSecrets)(nil)
	_ provider.Clocked   = (*clientSecrets)(nil)
	_ provider.Lasting   = (*clientSecrets)(nil)
)
