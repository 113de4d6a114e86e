package estate_test

import (
	"fmt"
	"strings"
	"testing"

	"rekey/internal/estate"
	"rekey/internal/sim"
)

// byID is a bench on which the app of one credential is given by its id, and that of the
// other by its name: it is one app.
func byID(t *testing.T) (b *bench, id string) {
	t.Helper()
	newBench(t).world.Look(func(s *sim.State) { id = s.Heroku.Apps[0].ID })
	const former = "    former: [CF_ACCESS_SERVICE_TOKEN_VAULT_PROBE]\n    consumers:\n      - app: raxx-console-prod"
	return newBench(t, former, strings.Replace(former, "raxx-console-prod", strings.ToUpper(id), 1)), id
}

// TestOneAppByNameAndByIDIsOneThing: once either was looked at, by a run or a comparison, no
// two runs restart it at once.
func TestOneAppByNameAndByIDIsOneThing(t *testing.T) {
	t.Parallel()
	for name, look := range map[string]func(b *bench){
		"compared": func(b *bench) {
			if _, err := b.operations().Compare(t.Context(), []string{vault}); err != nil {
				t.Fatal(err)
			}
		},
		"rotated, the one":   func(b *bench) { b.rotate(vault) },
		"rotated, the other": func(b *bench) { b.rotate(console) },
	} {
		b, id := byID(t)
		look(b)
		if _, err := b.operations().Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: console}}, &told{}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, err := b.operations().Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: vault}, Confirm: vault}, &told{})
		if e := b.refused(err, estate.PlaceBusy); e.Credential != console || !strings.Contains(strings.ToLower(e.Place), id) {
			t.Errorf("%s: busy with %+v", name, e)
		}
	}
}

// TestOneAppTwiceInOneCredentialIsRefused: two writes at once would undo each other.
func TestOneAppTwiceInOneCredentialIsRefused(t *testing.T) {
	t.Parallel()
	_, id := byID(t)
	const consumers = "    former: [CF_ACCESS_SERVICE_TOKEN_VAULT_PROBE]\n    consumers:\n"
	b := newBench(t, consumers, consumers+"      - app: "+id+"\n        slots: {VAULT_AGAIN: \"{client_secret}\"}\n")
	planned, err := b.operations().Plan(t.Context(), estate.Wish{Credential: vault})
	e := b.refused(err, estate.Refused)
	said := ""
	for _, r := range e.Refusals {
		said += fmt.Sprintln(r)
	}
	if !strings.Contains(said, "it is the same as heroku:") {
		t.Errorf("%+v: %s", planned.Plan.Strategy, said)
	}
}
