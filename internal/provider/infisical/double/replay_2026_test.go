package double_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/sim"
)

// recorded is one answer of a server of mid-2026. Each was given in a situation of
// its own, so each is asked of a world that is put into that situation.
type recorded struct {
	Request struct {
		Method string          `json:"method"`
		Path   string          `json:"path"`
		Body   json.RawMessage `json:"body"`
	} `json:"request"`
	Response struct {
		Status int             `json:"status"`
		Body   json.RawMessage `json:"body"`
	} `json:"response"`
}

const (
	project2026  = "5e42d560-4170-4ca6-8bdc-f1a72a3f524c"
	rekey2026    = "2d016dd2-3d9e-4ea2-8e9b-7b48979a1fe2" // client id of the identity that asks
	identity2026 = "ded184cd-545b-45a1-a796-4b209c472086"
	noUA2026     = "3ea6ed9d-ad09-4d97-8d4f-8685a986184c"
	other2026    = "30255b0c-c067-49d2-9590-429432742c76"
	folder2026   = "/MooseQuest/cloudflare"
)

var situations = map[string]func(r *replay, s *sim.State){
	"login.json 1": func(r *replay, _ *sim.State) { r.fresh = strings.Repeat("0", 64) },
	"login.json 2": func(_ *replay, s *sim.State) { s.Infisical.Identities[0].Locked = s.At.Add(time.Minute) },

	"client-secrets.json 0": tokens,
	"client-secrets.json 1": func(_ *replay, s *sim.State) { tokens(nil, s); s.Infisical.Identities[1].Secrets[0].Uses = 1 },
	"client-secrets.json 2": tokens,
	"client-secrets.json 3": tokens,
	"client-secrets.json 4": tokens,
	"client-secrets.json 5": func(_ *replay, s *sim.State) { s.Infisical.Identities[0].Outside = true },
	"client-secrets.json 6": func(_ *replay, s *sim.State) { s.Infisical.Identities[0].Outside = true },
	"client-secrets.json 9": func(_ *replay, s *sim.State) {
		s.Infisical.Identities[1].ID, s.Infisical.Identities[1].UA = noUA2026, ""
	},
	"client-secrets.json 10": func(_ *replay, s *sim.State) {
		s.Infisical.Identities[1].ID, s.Infisical.Identities[1].UA = noUA2026, ""
	},
	"client-secrets.json 11": func(_ *replay, s *sim.State) { s.Infisical.Identities[1].ID = other2026 },

	"batch.json 0": func(_ *replay, s *sim.State) { versions(s, 2) },
	"batch.json 1": func(_ *replay, s *sim.State) { s.Infisical.Identities[0].Viewer = true },
	"batch.json 2": func(r *replay, _ *sim.State) { r.now = r.now.Add(31 * 24 * time.Hour) },
	"batch.json 3": func(_ *replay, s *sim.State) { s.Infisical.Identities[0].Secrets[0].Revoked = true },
	"batch.json 5": broken("IdentityAccessTokenRevocationFindActiveForToken"),
	"batch.json 6": func(_ *replay, s *sim.State) { s.Infisical.Encrypted = true },
	"batch.json 7": func(_ *replay, s *sim.State) {
		s.Infisical.Rules = []*sim.ValidationRule{{Name: "r1", Path: "/MooseQuest/**", Least: 200}}
	},
	"batch.json 8": func(_ *replay, s *sim.State) {
		s.Infisical.Rules = []*sim.ValidationRule{{Name: "r1", Path: "/MooseQuest/**", Key: "^APP_.*$"}}
	},

	"list.json 6": broken("IdentityAccessTokenRevocationFindActiveForToken"),

	"one-secret.json 0": func(_ *replay, s *sim.State) { versions(s, 2) },
	"one-secret.json 3": func(_ *replay, s *sim.State) {
		i := &s.Infisical
		i.Secrets = []*sim.StoredSecret{
			{ID: "own", Environment: "staging", Path: "/MooseQuest/fresh", Key: "CF_ACCESS_SERVICE_TOKEN_CONSOLE", Created: s.At, Versions: []sim.Version{{Value: "own"}}},
			{ID: "base", Environment: "staging", Path: "/MooseQuest/base", Key: "CF_ACCESS_SERVICE_TOKEN_CONSOLE", Created: s.At, Versions: []sim.Version{{Value: "of-base"}}},
		}
		i.Imports = []sim.Import{{Environment: "staging", Path: "/MooseQuest/fresh", From: "/MooseQuest/base"}}
	},

	"rules-and-syncs.json 3": func(_ *replay, s *sim.State) {
		s.Infisical.Rules = []*sim.ValidationRule{{Name: "r1", Path: "/MooseQuest/**", Versions: 10, Shape: "list", Environment: "prod"}}
	},
	"rules-and-syncs.json 5": func(_ *replay, s *sim.State) {
		s.Infisical.Rules = []*sim.ValidationRule{{Name: "r1", Path: "/MooseQuest/**", Versions: 10, Shape: "list"}}
	},
}

func tokens(_ *replay, s *sim.State) { s.Infisical.Identities[0].Tokens = true }

// broken is an answer 500 that names what failed inside the server.
func broken(name string) func(*replay, *sim.State) {
	return func(_ *replay, s *sim.State) {
		s.Faults = []*sim.Fault{{Vendor: "infisical", Endpoint: "/api/v4/secrets", Status: 500, ID: name}}
	}
}

// versions gives every secret of the folder so many.
func versions(s *sim.State, n int) {
	for _, x := range s.Infisical.Secrets {
		x.Versions = nil
		for v := range n {
			x.Versions = append(x.Versions, sim.Version{Value: strings.Repeat("v", v+16), At: s.At})
		}
	}
}

// in2026 is a world as the one in which they were recorded, before the situation.
func in2026(t *testing.T) *replay {
	r := &replay{t: t, now: time.Date(2026, 11, 27, 15, 3, 0, 0, time.UTC), learned: map[string]string{}, tokens: map[string]string{}}
	state := sim.New(sim.Options{Seed: 1, Now: r.now})
	i := &state.Infisical
	i.Slug = "raxx-q-bg-a"
	i.Project, i.Environments, i.Secrets = project2026, []string{"dev", "staging", "prod", "uat"}, nil
	i.Folders = []string{"/MooseQuest", folder2026, "/MooseQuest/fresh", "/MooseQuest/base", "/MooseQuest/infisical", "/rekey-rehearsal"}
	i.TTL = sim.Duration(30 * 24 * time.Hour)
	secret := func(id, value string) []*sim.ClientSecret {
		return []*sim.ClientSecret{{ID: id, Value: value, Description: "app", Created: r.now, Updated: r.now, Uses: 2}}
	}
	i.Identities = []*sim.Identity{
		{ID: "rekey", UA: "ua", ClientID: rekey2026, Secrets: secret("rekeys", strings.Repeat("ab", 32))},
		{ID: identity2026, UA: "24c1a1b9-2ddd-40a6-90a1-fc4f8757bf5e", ClientID: "18fa6807-5931-495a-8824-267ed705401c", Secrets: secret("3a21953c-eab5-4982-97f3-cbcd688c53c9", "a19a"+strings.Repeat("0", 60))},
	}
	for _, key := range []string{"CF_ACCESS_SERVICE_TOKEN_CONSOLE", "CF_ACCESS_SERVICE_TOKEN_CONSOLE__CLIENT_ID", "CF_ACCESS_SVC_CONSOLE", "CF_ACCESS_SVC_CONSOLE__CLIENT_ID"} {
		i.Secrets = append(i.Secrets, &sim.StoredSecret{ID: "id-" + key, Environment: "prod", Path: folder2026, Key: key, Created: r.now, Versions: []sim.Version{{Value: strings.Repeat("v", 65), At: r.now}}})
	}
	r.world = sim.Open(state, func() time.Time { return r.now })
	return r
}

// holds puts into the world what a recorded list shows, and as much more as it
// says that it left out.
func holds(s *sim.State, body json.RawMessage) {
	var said struct {
		Secrets []json.RawMessage `json:"secrets"`
	}
	_ = json.Unmarshal(body, &said)
	s.Infisical.Secrets = nil
	for n, raw := range said.Secrets {
		var x struct {
			Key      string          `json:"secretKey"`
			Path     string          `json:"secretPath"`
			Env      string          `json:"environment"`
			Version  int             `json:"version"`
			Metadata []sim.Metadatum `json:"secretMetadata"`
		}
		if json.Unmarshal(raw, &x) != nil {
			continue
		}
		held := &sim.StoredSecret{ID: fmt.Sprint("id-", n), Environment: x.Env, Path: x.Path, Key: x.Key, Created: s.At}
		for range x.Version {
			held.Versions = append(held.Versions, sim.Version{Value: "v", At: s.At, Metadata: x.Metadata})
		}
		s.Infisical.Secrets = append(s.Infisical.Secrets, held)
	}
}

// TestServerOf2026AnswersAsRecorded: every one of the 45 answers of a server of
// mid-2026, each asked in its situation: the same status, fields, names and words.
func TestServerOf2026AnswersAsRecorded(t *testing.T) {
	files, err := filepath.Glob("testdata/infisical/2026/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no records: %v", err)
	}
	played, used := 0, map[string]bool{}
	for _, f := range files {
		var x struct {
			Steps []recorded `json:"steps"`
		}
		b, err := os.ReadFile(f)
		if err == nil {
			err = json.Unmarshal(b, &x)
		}
		if err != nil {
			t.Fatal(err)
		}
		for n, step := range x.Steps {
			name := fmt.Sprintf("%s %d", filepath.Base(f), n)
			r := in2026(t)
			token := ""
			if filepath.Base(f) != "login.json" {
				token = r.token(rekey2026)
			}
			r.world.Look(func(s *sim.State) {
				if strings.HasPrefix(name, "list.json") && step.Response.Status == 200 {
					holds(s, step.Response.Body)
				}
				if set := situations[name]; set != nil {
					set(r, s)
					used[name] = true
				}
			})
			for _, bad := range r.as(step, token) {
				t.Errorf("%s: %s", name, bad)
			}
			played++
		}
	}
	for name := range situations {
		if !used[name] {
			t.Errorf("there is no %s", name)
		}
	}
	if played != 45 {
		t.Errorf("%d answers, want 45", played)
	}
}

// as sends a recorded request and compares the answer.
func (r *replay) as(step recorded, token string) []string {
	secret := r.secretOf(rekey2026)
	if r.fresh != "" {
		secret = r.fresh
	}
	body := string(step.Request.Body)
	body = strings.ReplaceAll(body, "<secret:64 chars>", secret)
	body = strings.ReplaceAll(body, "<value:65 chars>", strings.Repeat("x", 65))
	body = strings.ReplaceAll(body, "<value:33 chars>", strings.Repeat("y", 33))
	got := r.send(step.Request.Method, step.Request.Path, map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json"}, []byte(body))
	if got.Code != step.Response.Status {
		return []string{fmt.Sprintf("status %d, recorded %d: %s", got.Code, step.Response.Status, got.Body)}
	}
	var was, is any
	if err := json.Unmarshal(got.Body.Bytes(), &is); err != nil {
		return []string{err.Error()}
	}
	if string(step.Response.Body) == "null" {
		return nil // its body was too long to be kept: a list of 2,000
	}
	_ = json.Unmarshal(step.Response.Body, &was)
	return alike("", was, is)
}

// made2026 are what each server makes up, or a person has named.
var made2026 = []string{"id", "_id", "createdAt", "updatedAt", "reqId", "accessToken", "clientSecret", "clientSecretPrefix", "secretValue", "orgId", "envId", "identityUAId", "name", "slug"}

// alike compares like differ, for answers of which each has its own world. Of lists
// of secrets and metadata the order is no promise.
func alike(at string, was, is any) (bad []string) {
	key := at[strings.LastIndex(at, ".")+1:]
	switch w := was.(type) {
	case map[string]any:
		i, ok := is.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s: %v, recorded an object", at, is)}
		}
		for k := range w {
			if _, there := i[k]; !there {
				bad = append(bad, at+"."+k+" is missing")
				continue
			}
			bad = append(bad, alike(at+"."+k, w[k], i[k])...)
		}
		for k := range i {
			if _, there := w[k]; !there {
				bad = append(bad, at+"."+k+" was not recorded")
			}
		}
		return bad
	case []any:
		i, ok := is.([]any)
		w = slices.DeleteFunc(slices.Clone(w), func(x any) bool { _, more := x.(string); return more })
		if key == "environments" && ok {
			return alike(at+"[0]", w[0], i[0]) // each world has its own
		}
		if !ok || len(i) != len(w) {
			return []string{fmt.Sprintf("%s: %d, recorded %d", at, len(i), len(w))}
		}
		by := func(x any) string { m, _ := x.(map[string]any); return fmt.Sprint(m["secretKey"], m["key"], m["type"]) }
		order := func(x, y any) int { return strings.Compare(by(x), by(y)) }
		w, i = slices.SortedStableFunc(slices.Values(w), order), slices.SortedStableFunc(slices.Values(i), order)
		for n := range w {
			bad = append(bad, alike(fmt.Sprintf("%s[%d]", at, n), w[n], i[n])...)
		}
		return bad
	case string:
		i, ok := is.(string)
		switch {
		case !ok || i == "" && w != "":
			return []string{fmt.Sprintf("%s: %v, recorded a text", at, is)}
		case slices.Contains(made2026, key), w == i:
			return nil
		}
		return []string{fmt.Sprintf("%s is %q, recorded %q", at, i, w)}
	}
	if key == "enforceEncryptedSecretManagerSecretMetadata" && is == false && (was == nil || was == false) {
		return nil // both were recorded where nobody had turned it on
	}
	if fmt.Sprint(was) != fmt.Sprint(is) {
		return []string{fmt.Sprintf("%s is %v, recorded %v", at, is, was)}
	}
	return nil
}
