package wire

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// A vendor that only answers: which instance was asked, with which settings.
type answering struct {
	provider.Vendor
	name  string
	asked *[]string
}

func (a answering) Issuer(kind string, settings json.RawMessage) (provider.Issuer, error) {
	return asked{a: a, what: kind + " " + string(settings)}, nil
}

func (a answering) Query(_ context.Context, q string) (cred.Class, string, error) {
	*a.asked = append(*a.asked, a.name+" "+q)
	return cred.Done, "true", nil
}

type asked struct {
	provider.Issuer
	a    answering
	what string
}

func (a asked) Probe(_ context.Context, p sop.Probe, _ secret.Bundle) (cred.Verdict, string, error) {
	*a.a.asked = append(*a.a.asked, a.a.name+" "+a.what+" "+p.URL)
	return cred.Accepted, "", nil
}
func (a asked) Guard(context.Context, sop.Probe) (string, error) { return "", nil }
func (a asked) Wrong() secret.Bundle                             { return nil }

// TestEachEntryOfValidateAsksWhoItNames: the issuer, an address by the issuer, and
// another vendor by that one's own check; and a query goes to the vendor that it names.
func TestEachEntryOfValidateAsksWhoItNames(t *testing.T) {
	var got []string
	find := func(string) (provider.Descriptor, bool) {
		return provider.Descriptor{Name: "db", Queries: true, Issuers: []provider.Sheet{{Kind: "login"}}, Open: func(_ provider.Env, name string, _ json.RawMessage) (provider.Vendor, error) {
			return answering{name: name, asked: &got}, nil
		}}, true
	}
	vendors := map[string]sop.Vendor{"db": {Type: "db"}, "replica": {Type: "db"}}
	o := opener{find: find, vendors: vendors, byName: map[string]provider.Vendor{}, crew: &Crew{}}
	spec := sop.Spec{Issuer: sop.Issuer{Vendor: "db", Kind: "login"}, Validate: []sop.Probe{
		{URL: sop.IssuerItself}, {URL: "https://db.example.com/"}, {URL: "vendor:replica", Vendor: "replica", Kind: "login", Settings: json.RawMessage(`{"a":1}`)}},
		Verify: []sop.Check{{Vendor: "replica", Query: "SELECT 1"}}}
	issuer, err := answering{name: "db", asked: &got}.Issuer("login", nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.probers(spec, issuer.(provider.Prober))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range spec.Validate {
		if _, _, err := p.Probe(t.Context(), x, nil); err != nil {
			t.Error(err)
		}
	}
	c := &checker{asked: map[string]provider.Queries{}}
	if err := o.questions(spec, c); err != nil {
		t.Fatal(err)
	}
	if class, _, err := c.Check(t.Context(), spec.Verify[0], time.Time{}); class != cred.Done || err != nil {
		t.Error(class, err)
	}
	if all := strings.Join(got, "; "); all != `db login  issuer; db login  https://db.example.com/; replica login {"a":1} issuer; replica SELECT 1` {
		t.Error(all)
	}
}

// TestAVendorThatAnswersNothingIsToldWhenItIsOpened, not in the middle of a run.
func TestAVendorThatAnswersNothingIsToldWhenItIsOpened(t *testing.T) {
	find := func(string) (provider.Descriptor, bool) {
		return provider.Descriptor{Open: func(provider.Env, string, json.RawMessage) (provider.Vendor, error) {
			return struct{ provider.Vendor }{}, nil
		}}, true
	}
	o := opener{find: find, vendors: map[string]sop.Vendor{"x": {Type: "x"}}, byName: map[string]provider.Vendor{}, crew: &Crew{}}
	if _, err := o.probers(sop.Spec{Validate: []sop.Probe{{URL: "vendor:x", Vendor: "x"}}}, nil); err == nil || !strings.Contains(err.Error(), "cannot be asked whether a credential works") {
		t.Error(err)
	}
	if err := o.questions(sop.Spec{Verify: []sop.Check{{Vendor: "x", Query: "?"}}}, &checker{}); err == nil || !strings.Contains(err.Error(), "answers no queries") {
		t.Error(err)
	}
}
