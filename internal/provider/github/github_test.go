package github_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/contract"
	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/provider/github"
	"rekey/internal/provider/github/double"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/world"
)

const token = "simulated-github-4f1c"

// hub is GitHub with one repository, one environment and one organisation, judged by
// what GitHub publishes of its API.
type hub struct {
	t      *testing.T
	now    time.Time
	double *double.Double
	world  *world.World
	judge  *contract.Recorder
	sent   []string
}

func newHub(t *testing.T) *hub {
	t.Helper()
	h := &hub{t: t, now: time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC), judge: contract.New()}
	state := &world.State{Seed: 7, At: h.now, Calls: map[string]map[string]int{}, Env: map[string]string{"GITHUB_TOKEN": token}}
	h.double = &double.Double{State: state, GitHub: &double.GitHub{Token: token}}
	for _, path := range []string{repoVault, environmentVault, orgVault, "/repos/raxx/console/dependabot"} {
		h.double.Add(path)
	}
	h.world = world.Open(state, func() time.Time { return h.now }, h.double)
	t.Cleanup(func() {
		for _, v := range h.judge.Violations() {
			t.Error(v)
		}
	})
	return h
}

const (
	repoVault        = "/repos/raxx/console/actions"
	environmentVault = "/repos/raxx/console/environments/production"
	orgVault         = "/orgs/raxx/actions"
)

// RoundTrip notes what is sent.
func (h *hub) RoundTrip(req *http.Request) (*http.Response, error) {
	h.sent = append(h.sent, req.Method+" "+req.URL.Path)
	return h.judge.Around(h.world).RoundTrip(req)
}

func (h *hub) consumer(settings string) provider.Consumer {
	h.t.Helper()
	env := provider.Env{
		Transport: h, Now: func() time.Time { return h.now },
		Together: func(calls ...func() error) error {
			var errs []error
			for _, c := range calls {
				errs = append(errs, c())
			}
			return errors.Join(errs...)
		},
		Resolve: func(context.Context, sop.Refs) (secret.Value, provider.Source, error) {
			return secret.New(h.world.Env()["GITHUB_TOKEN"]), provider.Source{Ref: "env:GITHUB_TOKEN"}, nil
		},
	}
	v, err := github.Descriptor.Open(env, "github", json.RawMessage(`{"token":["env:GITHUB_TOKEN"]}`))
	if err != nil {
		h.t.Fatal(err)
	}
	c, err := v.(provider.Consumes).Consumer(json.RawMessage(settings))
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

func (h *hub) kept(path, name string) string {
	if s := h.double.GitHub.Vault[path].Secrets[name]; s != nil {
		return s.Value
	}
	return ""
}

func value(slot, v string) provider.SlotValue {
	if v == "" {
		return provider.SlotValue{Slot: slot}
	}
	return provider.SlotValue{Slot: slot, Value: secret.New(v)}
}

var places = map[string]struct{ settings, vault string }{
	"repository":   {`{"repo":"raxx/console"}`, repoVault},
	"environment":  {`{"repo":"raxx/console","environment":"production"}`, environmentVault},
	"organisation": {`{"organization":"raxx"}`, orgVault},
	"dependabot":   {`{"repo":"raxx/console","secrets_of":"dependabot"}`, "/repos/raxx/console/dependabot"},
}

// TestSecretsAreWrittenSealedAndNeverReadBack: GitHub opens what was sealed for it, the
// value is in no request, and what is told of a secret is that it is there and since when.
func TestSecretsAreWrittenSealedAndNeverReadBack(t *testing.T) {
	for name, p := range places {
		t.Run(name, func(t *testing.T) {
			h := newHub(t)
			c := h.consumer(p.settings)
			slots := []string{"A", "B"}
			s, err := c.Snapshot(t.Context(), slots)
			if err != nil || s.Slots["A"].Present || s.Mark == "" {
				t.Fatalf("%+v, %v", s, err)
			}
			h.now = h.now.Add(time.Minute)
			if err := c.Write(t.Context(), []provider.SlotValue{value("A", "one"), value("B", "two")}); err != nil {
				t.Fatal(err)
			}
			if h.kept(p.vault, "A") != "one" || h.kept(p.vault, "B") != "two" {
				t.Errorf("GitHub holds %q and %q", h.kept(p.vault, "A"), h.kept(p.vault, "B"))
			}
			got, err := c.Progress(t.Context(), provider.Followed{Since: s.Mark}, slots)
			if err != nil || got.Class != cred.Done || got.Mark != h.now.Format(time.RFC3339) || !strings.Contains(strings.Join(got.Evidence, "\n"), "cannot be read back") {
				t.Errorf("%+v, %v", got, err)
			}
			for _, slot := range slots {
				if held := got.Slots[slot]; !held.Present || !held.Hidden || held.Value.Present() || !held.Written.Equal(h.now) {
					t.Errorf("%s: %+v", slot, held)
				}
			}
			h.now = h.now.Add(time.Minute)
			for range 2 { // taken away, and once more
				if err := c.Write(t.Context(), []provider.SlotValue{value("A", "")}); err != nil {
					t.Fatal(err)
				}
			}
			if held, err := c.(provider.Holder).Held(t.Context(), slots); err != nil || held["A"].Present || !held["B"].Present {
				t.Errorf("%+v, %v", held, err)
			}
		})
	}
}

// TestARunThatBeganEarlierIsWaitedFor: it read the old value, and holds it to its end,
// unless rekey.yaml says that it does not matter.
func TestARunThatBeganEarlierIsWaitedFor(t *testing.T) {
	for settings, want := range map[string]cred.Class{
		`{"repo":"raxx/console"}`:                            cred.Waiting,
		`{"repo":"raxx/console","environment":"production"}`: cred.Waiting,
		`{"repo":"raxx/console","earlier_runs":"ignore"}`:    cred.Done,
		`{"repo":"raxx/console","secrets_of":"dependabot"}`:  cred.Done,
	} {
		h := newHub(t)
		c := h.consumer(settings)
		s, err := c.Snapshot(t.Context(), []string{"A"})
		if err != nil {
			t.Fatal(err)
		}
		if told := len(s.Notes) > 0; told != (want == cred.Done) {
			t.Errorf("%s: told that runs are not looked at: %v", settings, told)
		}
		h.double.GitHub.Runs = []*double.Run{{ID: 11, Repo: "raxx/console", Name: "deploy", Started: h.now, Ends: h.now.Add(time.Hour)}}
		h.now = h.now.Add(time.Minute)
		if err := c.Write(t.Context(), []provider.SlotValue{value("A", "one")}); err != nil {
			t.Fatal(err)
		}
		h.double.GitHub.Runs = append(h.double.GitHub.Runs, &double.Run{ID: 12, Repo: "raxx/console", Name: "later", Started: h.now.Add(time.Second), Ends: h.now.Add(24 * time.Hour)})
		h.now = h.now.Add(time.Minute)
		got, err := c.Progress(t.Context(), provider.Followed{Since: s.Mark}, []string{"A"})
		if err != nil || got.Class != want || want == cred.Waiting && !strings.Contains(got.Detail, "run 11 of deploy") {
			t.Errorf("%s: %s (%s), %v", settings, got.Class, got.Detail, err)
		}
		h.now = h.now.Add(2 * time.Hour)
		if got, err := c.Progress(t.Context(), provider.Followed{Since: s.Mark}, []string{"A"}); err != nil || got.Class != cred.Done {
			t.Errorf("%s, after its end: %s (%s), %v", settings, got.Class, got.Detail, err)
		}
	}
}

// TestAWriteThatIsNotSeenIsWaitedFor: a date from before it proves nothing.
func TestAWriteThatIsNotSeenIsWaitedFor(t *testing.T) {
	h := newHub(t)
	c := h.consumer(places["repository"].settings)
	if err := c.Write(t.Context(), []provider.SlotValue{value("A", "one")}); err != nil {
		t.Fatal(err)
	}
	s, err := c.Snapshot(t.Context(), []string{"A"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Progress(t.Context(), provider.Followed{Since: s.Mark}, []string{"A"}); err != nil || got.Class != cred.Waiting {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := c.Progress(t.Context(), provider.Followed{}, []string{"A"}); err != nil || got.Class != cred.Done {
		t.Errorf("nothing was written: %+v, %v", got, err)
	}
}

// TestWhoSeesASecretOfAnOrganisationStaysAsItWas although a write replaces it.
func TestWhoSeesASecretOfAnOrganisationStaysAsItWas(t *testing.T) {
	h := newHub(t)
	var ids []int64
	for i := range 130 { // more than a page
		ids = append(ids, int64(1000+i))
	}
	vault := h.double.GitHub.Vault[orgVault].Secrets
	vault["A"] = &double.Secret{Value: "old", Created: h.now, Updated: h.now, Visibility: "selected", Repositories: ids}
	vault["B"] = &double.Secret{Value: "old", Created: h.now, Updated: h.now, Visibility: "all"}
	c := h.consumer(`{"organization":"raxx","visibility":"all"}`)
	if err := c.Write(t.Context(), []provider.SlotValue{value("A", "new"), value("B", "new"), value("C", "new")}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"A": "selected", "B": "all", "C": "all"} {
		if s := vault[name]; s == nil || s.Value != "new" || s.Visibility != want {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if !slices.Equal(vault["A"].Repositories, ids) {
		t.Errorf("A is seen by %d repositories, and was by %d", len(vault["A"].Repositories), len(ids))
	}
}

// TestALongListIsReadToItsEnd, whatever the page size.
func TestALongListIsReadToItsEnd(t *testing.T) {
	h := newHub(t)
	for i := range 230 {
		h.double.GitHub.Vault[orgVault].Secrets[fmt.Sprintf("S%03d", i)] = &double.Secret{Created: h.now, Updated: h.now, Visibility: "all"}
	}
	held, err := h.consumer(`{"organization":"raxx"}`).(provider.Holder).Held(t.Context(), []string{"S000", "s229", "S230"})
	if err != nil || !held["S000"].Present || !held["s229"].Present || held["S230"].Present {
		t.Errorf("%v, %v", held, err)
	}
}

// TestRefusalsOfGitHub: what each says, and that nothing was applied only where that is sure.
func TestRefusalsOfGitHub(t *testing.T) {
	write := func(c provider.Consumer) error {
		return c.Write(t.Context(), []provider.SlotValue{value("A", "one")})
	}
	look := func(c provider.Consumer) error {
		_, err := c.Snapshot(t.Context(), []string{"A"})
		return err
	}
	put, list := "PUT /repos/{owner}/{repo}/{of}/secrets/{name}", "GET /repos/{owner}/{repo}/{of}/secrets"
	for name, x := range map[string]struct {
		endpoint string
		status   int
		message  string
		do       func(provider.Consumer) error
		class    cred.Class
		maybe    bool
		says     string
	}{
		"no such repository":    {list, 404, "", look, cred.Absent, false, "or the token may not see it"},
		"dead token":            {list, 401, "", look, cred.Denied, false, "not valid"},
		"not permitted":         {put, 403, "Resource not accessible by personal access token", write, cred.Denied, false, "lacks a permission"},
		"sign-on":               {list, 403, "Resource protected by organization SAML enforcement.", look, cred.Denied, false, "single sign-on"},
		"address":               {list, 403, "Although you appear to have the correct authorization credentials, the `raxx` organization has an IP allow list enabled", look, cred.Denied, false, "does not mean that the token is not valid"},
		"rate limit":            {put, 403, "API rate limit exceeded for user ID 1.", write, cred.Limited, false, "rate limit"},
		"second rate limit":     {put, 429, "You have exceeded a secondary rate limit", write, cred.Limited, false, "rate limit"},
		"write, then gone":      {put, 404, "", write, cred.Absent, true, ""},
		"write, then a refusal": {put, 422, "", write, cred.Refused, true, ""},
		"broken":                {put, 500, "", write, cred.Unknown, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHub(t)
			h.world.Inject(world.Fault{Vendor: "github", Endpoint: x.endpoint, Status: x.status, ID: x.message, Times: -1})
			err := x.do(h.consumer(places["repository"].settings))
			if cred.ClassOf(err) != x.class || cred.MayHaveHappened(err) != (x.maybe || x.class == cred.Unknown) {
				t.Errorf("%s, may have happened %v: %v", cred.ClassOf(err), cred.MayHaveHappened(err), err)
			}
			if err == nil || !strings.Contains(err.Error(), x.says) || strings.Contains(err.Error(), token) {
				t.Errorf("it does not say %q: %v", x.says, err)
			}
		})
	}
}

// TestWhatCannotBeWrittenIsRefusedBeforeAnythingIs: a value that is too long.
func TestWhatCannotBeWrittenIsRefusedBeforeAnythingIs(t *testing.T) {
	h := newHub(t)
	err := h.consumer(places["repository"].settings).Write(t.Context(), []provider.SlotValue{value("A", "one"), value("B", strings.Repeat("x", 49<<10))})
	if cred.ClassOf(err) != cred.Refused || len(h.sent) != 0 || len(h.double.GitHub.Vault[repoVault].Secrets) != 0 {
		t.Errorf("%v after %v", err, h.sent)
	}
}

// TestEveryOperationIsAsPublished: the double and the client were judged by GitHub's own
// description in each of the tests above; here is what they did.
func TestEveryOperationIsAsPublished(t *testing.T) {
	h := newHub(t)
	for _, p := range places {
		c := h.consumer(p.settings)
		if err := c.Write(t.Context(), []provider.SlotValue{value("A", "one")}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Snapshot(t.Context(), []string{"A"}); err != nil {
			t.Fatal(err)
		}
	}
	if counts := h.judge.Counts(); len(counts) < 10 {
		t.Errorf("only %v", slices.Sorted(maps.Keys(counts)))
	}
}
