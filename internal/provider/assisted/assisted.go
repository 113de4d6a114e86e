// Package assisted is a vendor without an interface for programs: a person makes and ends generations in its portal, and everything after that is automatic.
package assisted

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/sop"
)

// Kinds of issuers.
const (
	KindKey    = "portal-key"    // one value
	KindClient = "portal-client" // an id and a secret
)

// Fields of the bundles.
const (
	FieldValue        = "value"
	FieldClientID     = "client_id"
	FieldClientSecret = "client_secret"
)

//go:embed doc.md
var doc string

// Connection is what every credential of one portal shares.
type Connection struct {
	// Where the person goes: the page of the portal that lists the credentials.
	Link sop.Text `json:"link" jsonschema:"required"`
	// What the portal is called, in questions. Default: the name under vendors
	Title string `json:"title,omitempty"`
}

// Settings of a credential that a person makes.
type Settings struct {
	// What to do in the portal to make one, a line each; {name} is the name that it must get.
	Create []string `json:"create" jsonschema:"required,minItems=1"`
	// What to do in the portal to end one, a line each; {name} is the one that is meant.
	Revoke []string `json:"revoke" jsonschema:"required,minItems=1"`
	// Headers by which validate shows the credential: Authorization: "Bearer {value}"
	Headers map[string]string `json:"headers" jsonschema:"required"`
}

// Descriptor of the vendor.
var Descriptor = provider.Descriptor{
	Name: "assisted", Title: "a portal, by hand", Connection: &Connection{}, Doc: doc, ByHand: byHand, Open: open,
	Issuers: []provider.Sheet{
		{Kind: KindKey, Settings: &Settings{}, Fields: []string{FieldValue}, Create: true, Label: true, Person: true},
		{Kind: KindClient, Settings: &Settings{}, Fields: []string{FieldClientID, FieldClientSecret}, Public: []string{FieldClientID}, Create: true, Label: true, Person: true},
	},
}

// Portal is an opened vendor.
type Portal struct {
	env   provider.Env
	name  string // under vendors
	title string
	link  string
}

func open(env provider.Env, name string, settings json.RawMessage) (provider.Vendor, error) {
	var c Connection
	if err := json.Unmarshal(settings, &c); err != nil {
		return nil, fmt.Errorf("settings of vendor %s: %w", name, err)
	}
	link, err := env.Text(c.Link)
	if err != nil {
		return nil, fmt.Errorf("vendor %s: link: %w", name, err)
	}
	if c.Title == "" {
		c.Title = name
	}
	return &Portal{env: env, name: name, title: c.Title, link: link}, nil
}

// Close has nothing to end.
func (p *Portal) Close(context.Context) {}

// Issuer returns the issuer of a kind. It remembers what the person said for as
// long as it lives, so that nobody is asked the same thing twice in one process.
func (p *Portal) Issuer(kind string, settings json.RawMessage) (provider.Issuer, error) {
	k := &keys{Portal: p, live: map[string]certainty{}}
	switch kind {
	case KindKey:
		k.fields = []string{FieldValue}
	case KindClient:
		k.fields = []string{FieldClientID, FieldClientSecret}
	default:
		return nil, fmt.Errorf("%s issues no %q", p.name, kind)
	}
	if err := json.Unmarshal(settings, &k.settings); err != nil {
		return nil, err
	}
	if len(k.settings.Headers) == 0 {
		return nil, fmt.Errorf("vendor %s: headers: name one that shows the credential, as Authorization: Bearer {%s}", p.name, k.fields[len(k.fields)-1])
	}
	k.headers = map[string]cred.Template{}
	shown := map[string]bool{}
	for header, text := range k.settings.Headers {
		t, err := cred.ParseTemplate(text)
		if err != nil {
			return nil, fmt.Errorf("vendor %s: headers: %s: %w", p.name, header, err)
		}
		for _, f := range t.Fields() {
			shown[f] = true
		}
		k.headers[http.CanonicalHeaderKey(header)] = t
	}
	for _, f := range k.fields {
		if !shown[f] {
			return nil, fmt.Errorf("vendor %s: headers: {%s} is in none of them, so nothing would be tested", p.name, f)
		}
		delete(shown, f)
	}
	for f := range shown {
		return nil, fmt.Errorf("vendor %s: headers: a %s has no {%s}; it has %s", p.name, kind, f, strings.Join(k.fields, " and "))
	}
	return k, nil
}
