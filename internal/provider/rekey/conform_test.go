package rekey_test

import (
	"context"
	"database/sql"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rekey/internal/access"
	"rekey/internal/estate"
	"rekey/internal/provider/rekey"
	"rekey/internal/providertest"
	"rekey/internal/rotation"
	"rekey/internal/service"
	"rekey/internal/sop"
)

// config is that of the service: who makes tokens of two families may do nothing else
// than they may.
const config = `rekey: 1
vendors: {heroku: {token: env:NOBODY}}
credentials: {}
identity:
  roles:
    bot: [{token: nightly-*}, {token: rekey-conformance-*}, {token: rotator-*}]
    other: [{token: other-*}]
    rotator: [{token: rotator-*}]
    root: [{user: alice}]
  grants:
    - {role: root, may: [look, admin]}
    - {role: bot, may: [look]}
    - {role: other, may: [look]}
    - {role: rotator, may: [tokens], credentials: ["nightly-*", "rekey-conformance-*", "rotator-*"]}
`

// server is a Rekey service in this process, as rekey serve is one, on SQLite.
type server struct {
	at     string
	db     *sql.DB
	tokens *access.Tokens
	route  *http.Transport
}

// serve starts one.
func serve(t testing.TB) *server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rekey.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(string) (string, bool) { return "", false }
	user := func() string { return "alice@laptop" }
	s, err := service.Open(t.Context(), service.Options{File: file, Listen: "127.0.0.1:0", Roles: []string{service.API}, Name: "one", Tool: "test", Drain: time.Second,
		Noted: time.Second, Env: env, User: user, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	x := &server{at: "http://" + l.Addr().String(), route: &http.Transport{}}
	t.Cleanup(func() {
		x.route.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the service ended with %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	parsed, err := sop.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	here := estate.New(parsed, estate.Surroundings{Env: env, User: user, Tool: "test"})
	j, closing, err := here.Journal()
	if err != nil {
		t.Fatal(err)
	}
	tokens, closed, err := access.OpenTokens(t.Context(), here, parsed, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = closed(), closing() })
	x.db, _ = j.DB()
	x.tokens = tokens
	return x
}

// fails is a test, of the suite or of this package.
type fails interface {
	Helper()
	Fatalf(string, ...any)
}

// maker is who runs the service.
var maker = rotation.Who{Name: "alice@laptop", Roles: []string{"root"}}

// token makes one.
func (s *server) token(t fails, w access.Wanted) (access.Token, string) {
	t.Helper()
	made, text, err := s.tokens.Create(context.Background(), maker, w)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return made, text
}

// fresh empties it: then it has the token by which Rekey asks, one in use, and one of
// others.
func (s *server) fresh(t fails) *providertest.Double {
	if _, err := s.db.Exec(`DELETE FROM access_tokens`); err != nil {
		t.Fatalf("%v", err)
	}
	_, ours := s.token(t, access.Wanted{Name: "rotator-1"})
	_, _ = s.token(t, access.Wanted{Name: "other-1"})
	_, _ = s.token(t, access.Wanted{Name: "nightly-1", Only: []string{"look"}})
	return &providertest.Double{Transport: s.route, Env: map[string]string{"AT": s.at, "REKEY_ROTATOR": ours}, Printable: []string{"AT"}}
}

// TestConform on a real service, which is emptied for each case.
func TestConform(t *testing.T) {
	s := serve(t)
	providertest.Run(t, providertest.Harness{
		Vendor:     rekey.Descriptor,
		Connection: `{"base_url":"${AT}","token":["env:REKEY_ROTATOR"]}`,
		Issuers:    map[string]string{rekey.KindToken: `{"roles":["bot"],"may":["look"],"expires_in":"30d"}`},
		Refusal:    refusal,
		Double:     func(t providertest.T) *providertest.Double { return s.fresh(t) },
	})
}

// refusal is one in the service's form, of a kind that concerns no token.
func refusal(int) string {
	return `{"type":"urn:rekey:problem:failed","code":"failed","detail":"` + providertest.Canary + `"}`
}
