package assisted

import (
	"context"
	"encoding/json"
	"testing"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// TestTheOnlyOneThatIsAskedAboutIsNotTheOneInUse: a run that was killed while a person made
// a new one asks whether the store holds that one. It holds the old one.
func TestTheOnlyOneThatIsAskedAboutIsNotTheOneInUse(t *testing.T) {
	t.Parallel()
	says := map[provider.Want][]string{provider.WantLook: {"new", "old"}, provider.WantWhich: {"old"}}
	p, err := open(provider.Env{Person: func(_ context.Context, task provider.Task) (provider.Answer, error) {
		return provider.Answer{Names: says[task.Want]}, nil
	}, Text: func(sop.Text) (string, error) { return "https://portal.example.com", nil }}, "portal", json.RawMessage(`{"link":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	issuer := func() provider.Issuer {
		t.Helper()
		i, err := p.(*Portal).Issuer(KindKey, json.RawMessage(`{"headers":{"Authorization":"Bearer {value}"}}`))
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	stored, made := secret.Bundle{FieldValue: secret.New("what the store holds")}, []cred.Handle{{ID: "new", Name: "new"}}
	i := issuer()
	if _, err := i.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	if owner, err := i.Owner(t.Context(), stored, made); err != nil || owner != "" {
		t.Errorf("the store is said to hold %q (%v)", owner, err)
	}
	if owner, err := i.Owner(t.Context(), stored, append(made, cred.Handle{ID: "old", Name: "old"})); err != nil || owner != "old" {
		t.Errorf("the store is said to hold %q (%v)", owner, err)
	}
	says[provider.WantWhich] = nil // he cannot tell
	i = issuer()
	if _, err := i.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	if owner, err := i.Owner(t.Context(), stored, made); cred.ClassOf(err) != cred.Unknown {
		t.Errorf("nobody could tell, and it is said to hold %q (%v)", owner, err)
	}
}
