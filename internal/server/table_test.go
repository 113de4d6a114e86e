package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/access"
	"rekey/internal/api"
	"rekey/internal/approvals"
	"rekey/internal/estate"
	"rekey/internal/identity"
	"rekey/internal/journal"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/server"
	"rekey/internal/sop"
)

// beneath is an engine with one run of each credential, each of which somebody is asked to
// agree to. Whatever else reaches it fails, by which it is told that it was reached.
type beneath struct {
	server.Engine
	config *sop.Config
}

func (b beneath) runs() (out []estate.Summary) {
	for _, s := range b.config.Specs {
		out = append(out, estate.Summary{Run: "run" + strings.ReplaceAll(s.Name, "_", ""), Credential: s.Name})
	}
	return out
}

func (b beneath) Answered(context.Context) error { return nil }
func (b beneath) OneRun(_ context.Context, run string) (estate.Summary, error) {
	for _, s := range b.runs() {
		if s.Run == run {
			return s, nil
		}
	}
	return estate.Summary{}, &estate.Error{Code: estate.NoRun, Run: run}
}

func (b beneath) Status(context.Context, estate.StatusAsked) (out estate.Status, _ error) {
	for _, s := range b.config.Specs {
		out.Rows = append(out.Rows, report.Row{Credential: s.Name})
	}
	return out, nil
}

func (b beneath) Findings(context.Context) (out estate.Findings, _ error) {
	for _, s := range b.config.Specs {
		out.Findings = append(out.Findings, report.Finding{ID: "of" + s.Name, Credential: s.Name})
	}
	return out, nil
}

func (b beneath) Approvals(context.Context) (out []estate.Approval, _ error) {
	for _, s := range b.runs() {
		out = append(out, estate.Approval{Request: &approvals.Request{ID: "ask" + s.Run, Run: s.Run, Credential: s.Credential}})
	}
	return out, nil
}

func (b beneath) Whoami(ctx context.Context) (estate.Whoami, error) {
	who, _ := access.From(ctx)
	return estate.Whoami{Who: who, Enforced: true, Of: len(b.config.Specs), May: identity.Table(b.config.Identity, who, b.config.Specs, false)}, nil
}

// TestTheTableIsWhatTheAPIDoes: for callers of every kind of role and of token, each cell of
// what whoami tells (rekey whoami --can prints it) is tried by asking for it, and is so.
func TestTheTableIsWhatTheAPIDoes(t *testing.T) {
	t.Parallel()
	config := &sop.Config{
		Identity: &sop.Identity{
			Roles: map[string][]sop.Who{},
			Grants: []sop.Grant{
				{Role: "viewer", May: []string{"look"}},
				{Role: "some", May: []string{"look", "ask", "evidence", "rotate"}, Credentials: []string{"CF_*"}},
				{Role: "changer", May: []string{"change"}},
				{Role: "resumer", May: []string{"resume", "pause"}, Credentials: []string{"CF_B"}},
				{Role: "helper", May: []string{"emergency"}},
				{Role: "approver", May: []string{"approve"}, Credentials: []string{"DB_*"}},
				{Role: "keeper", May: []string{"keys", "admin"}},
				{Role: "all", May: []string{"look", "ask", "evidence", "change", "emergency", "approve", "keys", "admin"}},
			},
		},
		Specs: []sop.Spec{{Name: "CF_A", Role: "superadmin", Former: []string{"OLD_CF_A"}}, {Name: "CF_B", Former: []string{"OLD_CF_B"}}, {Name: "DB_C", Role: "superadmin", Approvals: &sop.Approval{Role: "agrees"}, Former: []string{"OLD_DB_C"}}},
	}
	for _, role := range []string{"viewer", "some", "changer", "resumer", "helper", "approver", "keeper", "all", "superadmin", "agrees"} {
		config.Identity.Roles[role] = []sop.Who{{Token: role}}
	}
	for _, role := range []string{"all", "superadmin"} {
		config.Identity.Roles[role] = append(config.Identity.Roles[role], sop.Who{Token: "root"}, sop.Who{Token: "limited"}, sop.Who{Token: "rotates"})
	}
	j, err := journal.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	a, err := access.New(t.Context(), access.Options{Config: config, Listen: "127.0.0.1:0", Journal: j, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(server.Options{
		Engine: a.Guard(beneath{config: config}), Configured: func() api.Configured { return api.Configured{} }, Version: "test",
		Tokens: listed{access: a}, SignIn: a.Middleware, Who: access.From, Public: map[string]http.Handler{access.Prefix: a.Routes()}, Log: slog.New(slog.DiscardHandler), Limits: server.Limits{Requests: 1000},
	})
	if err != nil {
		t.Fatal(err)
	}
	at := httptest.NewServer(s)
	t.Cleanup(at.Close)
	root := rotation.Who{Name: "root", Verified: true, Roles: []string{"viewer", "some", "changer", "resumer", "helper", "approver", "keeper", "all", "superadmin", "agrees"}}
	tokens := map[string]string{}
	for name, w := range map[string]access.Wanted{
		"nobody": {}, "viewer": {}, "some": {}, "changer": {}, "resumer": {}, "helper": {}, "approver": {}, "keeper": {}, "superadmin": {}, "agrees": {}, "root": {},
		"limited": {Only: []string{"look", "rotate", "resume"}, Credentials: []string{"CF_A"}}, "rotates": {Only: []string{"rotate", "approve"}},
	} {
		w.Name = name
		if _, tokens[name], err = a.Tokens().Create(t.Context(), root, w); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(token, method, path, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, at.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		if body != "" {
			r.Header.Set("Content-Type", api.JSON)
		}
		resp, err := at.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	// How each operation is asked for: %[1]s is a credential, %[2]s its run.
	type way struct{ method, path, body string }
	const base = "/api/v1"
	ways := map[sop.Op]way{
		sop.OpStatus: {"GET", base + "/status", ""}, sop.OpLog: {"GET", base + "/runs/%[2]s", ""}, sop.OpSop: {"GET", base + "/procedures?credential=%[1]s", ""}, sop.OpDue: {"GET", base + "/approvals", ""},
		sop.OpCheck: {"POST", base + "/check", `{"credential":"%[1]s"}`}, sop.OpPlan: {"POST", base + "/plan", `{"credential":"%[1]s"}`}, sop.OpDrift: {"POST", base + "/compare", `{"credentials":["%[1]s"]}`},
		sop.OpDiscover: {"POST", base + "/discover", `{"credentials":["%[1]s"]}`}, sop.OpNames: {"POST", base + "/former-names", `{"credentials":["%[1]s"]}`}, sop.OpDoctor: {"POST", base + "/doctor", `{"credentials":["%[1]s"]}`},
		sop.OpEvidence: {"POST", base + "/evidence", `{"from":"2020-01-01T00:00:00Z","to":"2030-01-01T00:00:00Z","credential":"%[1]s"}`}, sop.OpVerify: {"POST", base + "/verify", `{}`},
		sop.OpRotate: {"POST", base + "/runs", `{"credential":"%[1]s"}`}, sop.OpRehearse: {"POST", base + "/runs", `{"credential":"%[1]s","purpose":"rehearse"}`}, sop.OpRepair: {"POST", base + "/runs", `{"credential":"%[1]s","purpose":"repair"}`},
		sop.OpRetire: {"POST", base + "/runs", `{"credential":"","purpose":"retire name","target":"OLD_%[1]s"}`}, sop.OpRevoke: {"POST", base + "/runs", `{"credential":"%[1]s","purpose":"revoke","reason":"why"}`},
		sop.OpWithoutRole: {"POST", base + "/runs", `{"credential":"%[1]s","purpose":"revoke","reason":"why","without_role":true}`},
		sop.OpResume:      {"POST", base + "/runs/%[2]s/advance", `{}`}, sop.OpRollback: {"POST", base + "/runs/%[2]s/back", `{"reason":"why"}`}, sop.OpPause: {"POST", base + "/schedule/pause", `{"reason":"why"}`},
		sop.OpAcknowledge: {"POST", base + "/findings/acknowledge", `{"finding":"of%[1]s","reason":"why","until":"2030-01-01T00:00:00Z"}`},
		sop.OpApprove:     {"POST", base + "/approvals/approve", `{"about":"%[1]s"}`}, sop.OpCheckpoint: {"POST", base + "/checkpoints", ""}, sop.OpNewKey: {"POST", base + "/key/new", `{"reason":"why"}`},
		sop.OpTokens: {"GET", base + "/tokens", ""}, sop.OpSessions: {"GET", "/access/sessions?all=1", ""},
	}
	cells := 0
	for _, right := range sop.Rights() {
		for _, op := range right.Ops {
			way, is := ways[op]
			if !is && op != sop.OpNotify { // which is tried where the server runs: rekey notify test
				t.Errorf("nothing here asks for %s", op)
			}
			if !is {
				continue
			}
			for name, token := range tokens {
				var me estate.Whoami
				if status, text := ask(token, "GET", base+"/whoami", ""); status != 200 || json.NewDecoder(bytes.NewReader([]byte(text))).Decode(&me) != nil {
					t.Fatalf("%s: %d %s", name, status, text)
				}
				can := me.May[slices.IndexFunc(me.May, func(a sop.Ability) bool { return a.Op == op })]
				one := strings.Contains(way.path+way.body, "%[1]s") || strings.Contains(way.path, "%[2]s") || op == sop.OpStatus || op == sop.OpDue
				for _, spec := range config.Specs {
					said := can.All || slices.Contains(can.On, spec.Name)
					if !one && op != sop.OpVerify { // of no credential; to pause is a brake, for who may pause one
						said = can.All || len(can.On) > 0
					}
					if op == sop.OpVerify {
						said = can.All
					}
					fill := func(text string) string {
						if !strings.Contains(text, "%[") {
							return text
						}
						return strings.ReplaceAll(strings.ReplaceAll(text, "%[1]s", spec.Name), "%[2]s", "run"+strings.ReplaceAll(spec.Name, "_", ""))
					}
					status, text := ask(token, way.method, fill(way.path), fill(way.body))
					done := status != 403 && status != 404
					if op == sop.OpStatus || op == sop.OpDue {
						done = done && strings.Contains(text, `"credential":"`+spec.Name+`"`)
					}
					if done && status != 200 && status != 500 { // 500: it has reached what is beneath
						t.Errorf("%s of %s by %s is answered %d: %.300s", op, spec.Name, name, status, text)
					}
					if cells++; done != said {
						t.Errorf("%s of %s by %s: the table says %v, and it is answered %d: %.300s", op, spec.Name, name, said, status, text)
					}
				}
			}
		}
	}
	if cells < 25*13*3 {
		t.Errorf("%s were tried", fmt.Sprint(cells))
	}
}

// listed are the tokens of the table: what making and ending them is refused for is told
// where they are.
type listed struct {
	server.Tokens
	access *access.Access
}

func (l listed) Noted() time.Duration { return time.Minute }
func (l listed) List(ctx context.Context, revoked bool) ([]api.Token, error) {
	_, err := l.access.ListTokens(ctx, revoked)
	return nil, err
}
