package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
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

	dir := t.TempDir()
	rekey := func(args ...string) (int, string) {
		var out bytes.Buffer
		code := execute(t.Context(), args, streams{in: strings.NewReader(""), out: &out, err: &out})
		return code, out.String()
	}
	if code, out := rekey("-C", dir, "demo", "--latency", "0s"); code != exitDone {
		t.Fatalf("demo: %d %s", code, out)
	}
	folder := filepath.Join(dir, "rekey-demo")
	f, err := os.OpenFile(filepath.Join(folder, "rekey.yaml"), os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(f, "\nidentity:\n  oidc:\n    - issuer: %s\n      token: env:REKEY_TEST_ID_TOKEN\n  roles:\n    superadmin:\n      - claims: {sub: \"repo:raxx/ops:*\"}\n", platform.URL)
	if err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	run := []string{"-C", folder, "run", "CF_ACCESS_SVC_CONSOLE", "--confirm", "CF_ACCESS_SVC_CONSOLE"}
	if code, out := rekey(run...); code != exitFailed || !strings.Contains(out, "is changed by the role superadmin") {
		t.Errorf("without a token: %d %s", code, out)
	}
	t.Setenv("REKEY_TEST_ID_TOKEN", token)
	code, out := rekey(run...)
	if code != exitDone {
		t.Fatalf("with the token: %d %s", code, out)
	}
	_, log := rekey("-C", folder, "log", "--json")
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
	_, entries := rekey("-C", folder, "log", last.Run, "--json")
	if !strings.Contains(entries, `"run_id": "4711"`) || !strings.Contains(entries, `"verified": true`) {
		t.Errorf("the claims are not on record: %.600s", entries)
	}
	for _, part := range strings.Split(token, ".") {
		if strings.Contains(out+log+entries, part) {
			t.Error("a part of the token was kept")
		}
	}
}
