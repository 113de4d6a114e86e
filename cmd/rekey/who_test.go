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
