package rotation_test

import (
	"errors"
	"strings"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
)

// filed is a plan as `rekey plan --out` writes it.
func filed(t *testing.T) (*rotation.Plan, string) {
	t.Helper()
	p := planOf(t, played(t, func(*stage.Stage) {}))
	p.Run = "abcdef"
	b, err := p.File()
	if err != nil {
		t.Fatal(err)
	}
	return p, string(b)
}

// TestAPlanFileIsReadAsItWasWritten.
func TestAPlanFileIsReadAsItWasWritten(t *testing.T) {
	p, text := filed(t)
	q, err := rotation.ParsePlan("plan.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if q.Digest() != p.Digest() || q.Run != p.Run || len(rotation.Differences(p, q)) != 0 {
		t.Errorf("it came back otherwise: %v", rotation.Differences(p, q))
	}
}

// TestWhatAPlanFileSaysThatRekeyDidNotWriteIsTold with its line: nothing of it is
// passed over, guessed, or taken for something like it.
func TestWhatAPlanFileSaysThatRekeyDidNotWriteIsTold(t *testing.T) {
	_, text := filed(t)
	for _, tt := range []struct{ name, old, new, path, want string }{
		{"a run of somebody else's making", `"run": "abcdef"`, `"run": "payments-prod"`, "run", "not an id that rekey plan makes"},
		{"no run", `"run": "abcdef"`, `"run": ""`, "run", "not an id that rekey plan makes"},
		{"a strategy that does not exist", `"strategy": "replace"`, `"strategy": "yolo"`, "strategy", `"yolo" is not a strategy`},
		{"a strategy of something else", `"strategy": "replace"`, `"strategy": "revoke"`, "strategy", `"revoke" is not a strategy`},
		{"a key that does not exist", `"run": "abcdef"`, `"run": "abcdef", "force": true`, "force", "not known"},
		{"a key below", `"verb": "create"`, `"verb": "create", "skip": true`, "steps[0].skip", "not known"},
		{"a key in other letters", `"run": "abcdef"`, `"run": "abcdef", "Strategy": "roll"`, "Strategy", "not known"},
		{"a key twice", `"run": "abcdef"`, `"run": "abcdef", "run": "ghjkmn"`, "run", "twice"},
		{"a step that does not exist", `"verb": "create"`, `"verb": "destroy"`, "steps[0].verb", "not a step"},
		{"another version", `"version": 1`, `"version": 2`, "version", "version 1"},
		{"another digest", `"digest": "`, `"digest": "00`, "digest", "changed after it was made"},
		{"no digest", `"digest": "`, `"digest": "", "ignored": "`, "ignored", "not known"},
		{"something else to be done", `"after": `, `"after": 1`, "digest", "changed after it was made"},
		{"another credential", `"name": "CF_ACCESS_SVC_CONSOLE"`, `"name": "CF_ACCESS_SVC_VAULT"`, "digest", "changed after it was made"},
		{"not JSON", `"version": 1,`, `"version": 1`, "", "this is not a plan"},
		{"another type", `"version": 1,`, `"version": "1",`, "", "this is not a plan"},
		{"a second one", "\n}\n", "\n}\n{}", "", "this is not a plan"},
		{"another object", text, `{"credentials": []}`, "credentials", "not known"},
		{"nothing", text, ``, "", "this is not a plan"},
		{"depth", text, strings.Repeat("[", 100_000), "", "this is not a plan"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(text, tt.old) {
				t.Fatalf("the plan has no %s", tt.old)
			}
			changed := strings.Replace(text, tt.old, tt.new, 1)
			_, err := rotation.ParsePlan("plan.json", []byte(changed))
			var all sop.Problems
			if !errors.As(err, &all) {
				t.Fatalf("got %v", err)
			}
			for _, p := range all {
				if p.Path == tt.path && strings.Contains(p.Msg, tt.want) {
					if want := 1 + strings.Count(text[:strings.Index(text, tt.old)], "\n"); tt.path != "" && tt.path != "digest" && p.Line != want {
						t.Errorf("line %d, want %d: %v", p.Line, want, p)
					}
					return
				}
			}
			t.Errorf("got %v", err)
		})
	}
}

// FuzzParsePlan: no file crashes it, and what it takes says of itself what it is.
func FuzzParsePlan(f *testing.F) {
	f.Add([]byte(`{"version":1,"strategy":"replace","run":"abcdef","spec":{"name":"X"},"steps":[{"id":"create","verb":"create"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := rotation.ParsePlan("plan.json", b)
		if err == nil && (p.Version != rotation.PlanVersion || p.Spec.Name == "") {
			t.Errorf("taken: %s", b)
		}
	})
}
