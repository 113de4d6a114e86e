package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"rekey/internal/sim"
)

// TestCIProvesWhoItIs goes the whole way: a platform on this machine signs a
// token, rekey.yaml gives its subject the role, a run is carried out, and the
// journal keeps the claims and nothing of the token.
func TestCIProvesWhoItIs(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	platform := httptest.NewServer(mux)
	defer platform.Close()
	mux.HandleFunc("/.well-known/openid-configuration", func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(rw, `{"issuer":%q,"jwks_uri":%q}`, platform.URL, platform.URL+"/keys")
	})
	mux.HandleFunc("/keys", func(rw http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(rw).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k", Use: "sig"}}})
	})
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	claims := fmt.Sprintf(`{"iss":%q,"aud":"rekey","sub":"repo:raxx/ops:ref:refs/heads/main","run_id":"4711","iat":%d,"exp":%d}`,
		platform.URL, time.Now().Unix(), time.Now().Add(time.Hour).Unix())
	signed, err := signer.Sign([]byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}

	w := newTown(t)
	run := []string{"run", console, "--confirm", console}
	if code, out := w.rekey(run...); code != exitDone {
		t.Fatalf("before roles are enforced: %d %s", code, out)
	}
	w.rewrite(func(text string) string {
		return text + fmt.Sprintf("\nidentity:\n  oidc:\n    - issuer: %s\n      token: env:REKEY_TEST_ID_TOKEN\n  roles:\n    superadmin:\n      - claims: {sub: \"repo:raxx/ops:*\"}\n", platform.URL)
	})
	if code, out := w.rekey(run...); code != exitFailed || !strings.Contains(out, "is changed by the role superadmin") {
		t.Errorf("without a token: %d %s", code, out)
	}
	t.Setenv("REKEY_TEST_ID_TOKEN", token)
	code, out := w.rekey(run...)
	if code != exitDone {
		t.Fatalf("with the token: %d %s", code, out)
	}
	_, log := w.rekey("log", "--json")
	var all struct {
		Runs []struct{ Run, Actor string }
	}
	if err := json.Unmarshal([]byte(log), &all); err != nil || len(all.Runs) != 2 {
		t.Fatalf("%v %s", err, log)
	}
	last := all.Runs[1]
	if last.Actor != "repo:raxx/ops:ref:refs/heads/main" {
		t.Errorf("the actor is %q", last.Actor)
	}
	_, entries := w.rekey("log", last.Run, "--json")
	if !strings.Contains(entries, `"run_id": "4711"`) || !strings.Contains(entries, `"verified": true`) {
		t.Errorf("the claims are not on record: %.600s", entries)
	}
	for _, part := range strings.Split(token, ".") {
		if strings.Contains(out+log+entries, part) {
			t.Error("a part of the token was kept")
		}
	}
}

// TestAnInterruptedEmergencyIsGoneOnWith by whoever is there, with a reason, on the
// record: without the role it could only have been undone.
func TestAnInterruptedEmergencyIsGoneOnWith(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.rewrite(func(text string) string {
		return text + "\nidentity:\n  roles:\n    superadmin:\n      - user: nobody-here\n"
	})
	w.world.Inject(sim.Fault{Vendor: "cloudflare", Endpoint: "PUT", Status: 403, Times: -1})
	w.world.Inject(sim.Fault{Vendor: "cloudflare", Endpoint: "DELETE", Status: 403, Times: -1})
	code, out := w.rekey("revoke", console, "--reason", "leaked", "--without-role", "--confirm", console)
	if code != exitStuck {
		t.Fatalf("exit %d: %s", code, out)
	}
	w.world.Look(func(s *sim.State) { s.Faults = nil })
	_, log := w.rekey("log", "--json")
	var all struct{ Runs []struct{ Run string } }
	if err := json.Unmarshal([]byte(log), &all); err != nil || len(all.Runs) != 1 {
		t.Fatalf("%v %s", err, log)
	}
	run := all.Runs[0].Run
	if code, out = w.rekey("resume", run); code != exitFailed || !strings.Contains(out, "is changed by the role superadmin") || !strings.Contains(out, "--without-role --reason 'what happened'") {
		t.Errorf("without the role: exit %d: %s", code, out)
	}
	if code, out = w.rekey("resume", run, "--without-role"); code != exitUsage || !strings.Contains(out, "needs a reason, which is recorded") {
		t.Errorf("without a reason: exit %d: %s", code, out)
	}
	if code, out = w.rekey("resume", run, "--without-role", "--reason", "still leaked", "--confirm", console); code != exitDone || !strings.Contains(out, "revoked  "+console) {
		t.Errorf("exit %d: %s", code, out)
	}
	if _, out = w.rekey("log", run); !strings.Contains(out, "without the role superadmin: still leaked") {
		t.Errorf("it is not on record: %s", out)
	}
	if _, out = w.rekey("evidence", "--from", "2020-01-01"); !strings.Contains(out, ": still leaked") || !strings.Contains(out, "went on without the required role superadmin") {
		t.Errorf("the evidence does not say it: %s", out)
	}
}

// TestARotationIsNotGoneOnWithWithoutTheRole: it can be undone without.
func TestARotationIsNotGoneOnWithWithoutTheRole(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.world.Inject(sim.Fault{Vendor: "cloudflare", Endpoint: "DELETE", Status: 403, Times: -1})
	if code, out := w.rekey("run", console, "--confirm", console); code != exitStuck {
		t.Fatalf("exit %d: %s", code, out)
	}
	w.rewrite(func(text string) string {
		return text + "\nidentity:\n  roles:\n    superadmin:\n      - user: nobody-here\n"
	})
	if code, out := w.rekey("resume", "--without-role", "--reason", "it hurts"); code != exitUsage || !strings.Contains(out, " rollback ") {
		t.Errorf("exit %d: %s", code, out)
	}
}

// TestRolesThatAreGivenByMistake: lint names the line.
func TestRolesThatAreGivenByMistake(t *testing.T) {
	t.Parallel()
	const head = "\nidentity:\n  oidc:\n    - issuer: https://token.actions.githubusercontent.com\n    - {issuer: \"https://gitlab.com\", token: \"env:GITLAB_ID_TOKEN\"}\n  roles:\n    superadmin:\n"
	for role, want := range map[string]string{
		`- claims: {sub: "repo:raxx/ops:*", environment: ""}`:                                    `the claim "environment" has no value: a token without it would have it`,
		`- claims: {sub: "   "}`:                                                                 `the claim "sub" has no value`,
		`- claims: {sub: "repo:raxx/ops:*"}`:                                                     "that says sub repo:raxx/ops:*: add iss, the issuer that is meant",
		`- claims: {sub: "repo:raxx/ops:*", iss: "https://token.actions.githubusercontent.com"}`: "",
	} {
		w := newTown(t)
		w.rewrite(func(text string) string { return text + head + "      " + role + "\n" })
		_, out := w.rekey("lint")
		if want != "" && (!strings.Contains(out, want) || !strings.Contains(out, "rekey.yaml:")) || want == "" && strings.Contains(out, "superadmin") {
			t.Errorf("%s: %s", role, out)
		}
	}
}
