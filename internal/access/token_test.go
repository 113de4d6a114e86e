package access

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"rekey/internal/journal"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// onBoth runs a test with both databases.
func onBoth(t *testing.T, f func(t *testing.T, open func(t *testing.T) *journal.Journal)) {
	t.Run("SQLite", func(t *testing.T) { f(t, openSQLite) })
	t.Run("PostgreSQL", func(t *testing.T) { f(t, openPostgres) })
}

func root() rotation.Who {
	return rotation.Who{Name: "root@example.com", How: idp, Verified: true, Roles: []string{"admin"}}
}

// create makes a token as somebody who may do everything it may.
func (w *world) create(t *testing.T, want Wanted) (Token, string) {
	t.Helper()
	by := rotation.Who{Name: "alice@example.com", Verified: true, Roles: []string{"admin", "superadmin", "viewer", "bot"}}
	made, secret, err := w.Tokens().Create(t.Context(), by, want)
	if err != nil {
		t.Fatal(err)
	}
	return made, secret
}

var recognised = regexp.MustCompile(`^rekey_[0-9A-Za-z]{46}$`)

func TestATokenOfOurOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(t *testing.T) *journal.Journal) {
		w := newWorld(t, everything(), func(o *Options) { o.Journal = open(t) })
		b := w.browser()
		made, secret := w.create(t, Wanted{Name: "nightly", Only: []string{"look", "rotate"}, Credentials: []string{"CF_A", "CF_B"}, Lives: 30 * 24 * time.Hour})
		if !recognised.MatchString(secret) {
			t.Errorf("a scanner does not recognise %d characters", len(secret))
		}
		db, _ := w.opened.DB()
		var kept string
		if err := db.QueryRow(`SELECT hash FROM access_tokens`).Scan(&kept); err != nil || kept != hashed(secret) || strings.Contains(kept, secret) {
			t.Errorf("%v: it is kept as %s", err, kept)
		}
		var got struct{ Who rotation.Who }
		r := b.get("/", bearer(secret)...)
		if r.StatusCode != 200 || json.NewDecoder(r.Body).Decode(&got) != nil || got.Who.Name != "nightly" || strings.Join(got.Who.Roles, ",") != "bot" || got.Who.Claims["token"] != made.ID || got.Who.Claims["made_by"] != "alice@example.com" || len(got.Who.Only) != 2 || len(got.Who.On) != 2 {
			t.Fatalf("%d %+v", r.StatusCode, got.Who)
		}
		w.time.pass(time.Hour)
		_ = b.get("/", bearer(secret)...)
		list, err := w.Tokens().List(t.Context(), root())
		if err != nil || len(list) != 1 || !list[0].Used.Equal(w.time.now()) || list[0].By != "alice@example.com" {
			t.Errorf("%v %+v", err, list)
		}
		out, err := json.Marshal(list)
		if err != nil || strings.Contains(string(out), secret) || strings.Contains(string(out), kept) {
			t.Errorf("%v %s", err, out)
		}
		// It ends: by itself, and by hand.
		w.time.pass(30 * 24 * time.Hour)
		if _, status := b.met(bearer(secret)...); status != 401 {
			t.Errorf("an expired one: %d", status)
		}
		made, secret = w.create(t, Wanted{Name: "nightly"})
		if _, _, err := w.Tokens().Create(t.Context(), root(), Wanted{Name: "nightly"}); err == nil {
			t.Error("two live tokens of one name")
		}
		if _, err := w.Tokens().Revoke(t.Context(), root(), made.ID); err != nil {
			t.Error(err)
		}
		if _, status := b.met(bearer(secret)...); status != 401 {
			t.Errorf("a revoked one: %d", status)
		}
		if _, err := w.Tokens().Revoke(t.Context(), root(), "nightly"); err == nil {
			t.Error("there is no live one of this name any more")
		}
	})
}

// TestATokenRotatesItself with an overlap; a lost answer can be asked for again, and one
// that was stolen does not outlive the theft unseen.
func TestATokenRotatesItself(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(t *testing.T) *journal.Journal) {
		w := newWorld(t, everything(), func(o *Options) { o.Journal = open(t) })
		b := w.browser()
		_, old := w.create(t, Wanted{Name: "nightly", Only: []string{"look"}, Lives: 24 * time.Hour})
		rotate := func(token, overlap string) (Minted, int) {
			r := b.do("POST", "/tokens/rotate?overlap="+overlap, nil, bearer(token)...)
			var m Minted
			if r.StatusCode == 200 {
				if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
					t.Fatal(err)
				}
			}
			return m, r.StatusCode
		}
		w.time.pass(12 * time.Hour)
		lost, status := rotate(old, "1h")
		if status != 200 || !lost.Expires.Equal(w.time.now().Add(24*time.Hour)) || lost.Name != "nightly" || lost.Only[0] != "look" {
			t.Fatalf("%d %+v", status, lost.Token)
		}
		again, status := rotate(old, "1h")
		if status != 200 || again.Secret == lost.Secret || !again.Expires.Equal(lost.Expires) {
			t.Fatalf("%d %+v", status, again.Token)
		}
		if _, status := b.met(bearer(lost.Secret)...); status != 401 {
			t.Error("the one whose answer was lost works")
		}
		for _, s := range []string{old, again.Secret} {
			if _, status := b.met(bearer(s)...); status != 200 {
				t.Error("no overlap")
			}
		}
		if _, status := rotate(old, "1h"); status != 422 {
			t.Errorf("its successor is in use, and it makes another: %d", status)
		}
		w.time.pass(time.Hour)
		if _, status := b.met(bearer(old)...); status != 401 {
			t.Error("the old one lives on")
		}
		if _, status := rotate(again.Secret, "200h"); status != 422 {
			t.Errorf("an overlap of 200 hours: %d", status)
		}
		if _, status := rotate(w.ci.token(nil), "1h"); status != 422 {
			t.Errorf("a platform's token rotates: %d", status)
		}
		// It ends itself.
		if r := b.do("DELETE", "/tokens/"+again.ID, nil, bearer(again.Secret)...); r.StatusCode != 200 {
			t.Errorf("%d", r.StatusCode)
		}
		if _, status := b.met(bearer(again.Secret)...); status != 401 {
			t.Error("it has not ended")
		}
	})
}

// TestATokenWhoseRotationDiedLocksNobodyOut: whoever rotates it is killed before he has kept
// the answer, with no overlap at all, and comes back much later. The old one is good until
// a successor was used, and at the end there is one that works.
func TestATokenWhoseRotationDiedLocksNobodyOut(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(t *testing.T) *journal.Journal) {
		w := newWorld(t, everything(), func(o *Options) { o.Journal = open(t) })
		b := w.browser()
		_, old := w.create(t, Wanted{Name: "nightly", Only: []string{"look"}, Lives: 24 * time.Hour})
		var texts []string
		for range 3 { // each answer but the last is lost
			r := b.do("POST", "/tokens/rotate?overlap=0s", nil, bearer(old)...)
			var m Minted
			if err := json.NewDecoder(r.Body).Decode(&m); err != nil || r.StatusCode != 200 {
				t.Fatalf("%d (%v)", r.StatusCode, err)
			}
			texts = append(texts, m.Secret)
			w.time.pass(2 * time.Hour)
			if _, status := b.met(bearer(old)...); status != 200 {
				t.Fatalf("nobody has its successor, and the old one is answered %d", status)
			}
		}
		if _, status := b.met(bearer(texts[2])...); status != 200 {
			t.Errorf("the successor is answered %d", status)
		}
		for n, dead := range append(texts[:2:2], old) {
			if _, status := b.met(bearer(dead)...); status != 401 {
				t.Errorf("one that was replaced (%d) lives on: %d", n, status)
			}
		}
		live := 0
		all, err := w.Access.Tokens().List(t.Context(), root())
		for _, x := range all {
			if x.Name == "nightly" && x.Live(w.time.now()) {
				live++
			}
		}
		if err != nil || live != 1 {
			t.Errorf("%d live ones are left (%v)", live, err)
		}
	})
}

// TestNobodyGivesWhatHeHasNot.
func TestNobodyGivesWhatHeHasNot(t *testing.T) {
	w := newWorld(t, everything())
	viewer := rotation.Who{Name: "carol", Verified: true, Roles: []string{"viewer"}}
	for name, tt := range map[string]struct {
		by   rotation.Who
		want Wanted
		err  string
	}{
		"who may not":               {viewer, Wanted{Name: "x"}, "tokens x is for another role"},
		"more than he may":          {root(), Wanted{Name: "nightly"}, "this token could rotate (CF_B), and root@example.com may not"},
		"no more than he may":       {root(), Wanted{Name: "nightly", Only: []string{"look"}}, ""},
		"a name with nothing":       {root(), Wanted{Name: "stranger"}, ""},
		"no name":                   {root(), Wanted{}, "needs a name"},
		"a pattern as a name":       {root(), Wanted{Name: "night*"}, "needs a name"},
		"a hostile name":            {root(), Wanted{Name: "a\x1b[2J"}, "needs a name"},
		"an unknown word":           {root(), Wanted{Name: "x", Only: []string{"everything"}}, "is not something that a token can be limited to"},
		"a credential with a space": {root(), Wanted{Name: "x", Credentials: []string{"A B"}}, "not the name of a credential"},
		"for ever":                  {root(), Wanted{Name: "x", Lives: 400 * 24 * time.Hour}, "366 days"},
		"for less than nothing":     {root(), Wanted{Name: "x", Lives: -1}, "366 days"},
	} {
		_, _, err := w.Tokens().Create(t.Context(), tt.by, tt.want)
		if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%s: %v, want %q", name, err, tt.err)
		}
	}
}

// TestTokensOfWhoeverSignedIn: they go by his role, and want a fresh sign-in.
func TestTokensOfWhoeverSignedIn(t *testing.T) {
	w := newWorld(t, everything())
	b := w.browser()
	w.idp.over = map[string]any{"sub": "u-9", "email": "root@example.com", "groups": nil}
	b.signIn("/")
	post := func(body string) *http.Response {
		return b.do("POST", "/tokens", strings.NewReader(body), "Content-Type", "application/json")
	}
	r := post(`{"name":"dashboard","only":["look"],"expires":"7d"}`)
	var m Minted
	if r.StatusCode != 200 || json.NewDecoder(r.Body).Decode(&m) != nil || !recognised.MatchString(m.Secret) || r.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %+v", r.StatusCode, m.Token)
	}
	if r := b.get("/tokens"); r.StatusCode != 200 || strings.Contains(bodyOf(t, r), m.Secret) {
		t.Error("the list shows it")
	}
	for _, body := range []string{`{"name":"x","roles":["superadmin"]}`, `{"name":"` + strings.Repeat("x", 100<<10) + `"}`, `{"name":"nightly"}`} {
		if r := post(body); r.StatusCode != 422 && r.StatusCode != 403 {
			t.Errorf("%.40s: %d", body, r.StatusCode)
		}
	}
	w.time.pass(11 * time.Minute)
	if r := post(`{"name":"y"}`); r.StatusCode != 403 || !strings.Contains(bodyOf(t, r), "not-fresh") {
		t.Errorf("long after the sign-in: %d", r.StatusCode)
	}
	if r := b.do("DELETE", "/tokens/dashboard", nil); r.StatusCode != 200 {
		t.Errorf("%d", r.StatusCode)
	}
	if r := b.do("POST", "/tokens", strings.NewReader(`{"name":"y"}`), bearer(w.ci.token(nil))...); r.StatusCode != 403 {
		t.Errorf("a machine makes tokens: %d", r.StatusCode)
	}
}

// TestChanceIsEven: no character of a token is more likely than others, and what the
// system gives badly is an error.
func TestChanceIsEven(t *testing.T) {
	if _, err := chance(strings.NewReader("too little"), 40); err == nil {
		t.Error("half a token")
	}
	count := map[byte]int{}
	all := make([]byte, 0, 256*62)
	for i := range 256 * 62 {
		all = append(all, byte(i))
	}
	s, err := chance(io.MultiReader(strings.NewReader(string(all)), zeros{}), 248*62)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(s) {
		count[s[i]]++
	}
	for c := range count {
		if count[c] != count['0'] {
			t.Errorf("%c %d, 0 %d", c, count[c], count['0'])
		}
	}
	if len(count) != 62 {
		t.Errorf("%d characters", len(count))
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestAnAbsentDatabaseIsNoAnswer(t *testing.T) {
	w := newWorld(t, everything())
	_, secret := w.create(t, Wanted{Name: "nightly", Only: []string{"look"}})
	if err := w.opened.Close(); err != nil {
		t.Fatal(err)
	}
	if r := w.browser().get("/", bearer(secret)...); r.StatusCode != 503 {
		t.Errorf("%d", r.StatusCode)
	}
	b := w.browser()
	b.cookies["__Host-rekey-session"] = "x"
	if r := b.get("/"); r.StatusCode != 503 {
		t.Errorf("%d", r.StatusCode)
	}
}

func TestCallersOfNobody(t *testing.T) {
	w := newWorld(t, everything())
	if _, err := w.Who(context.Background()); err == nil {
		t.Error("nobody is somebody")
	}
	if err := w.Can(context.Background(), sop.OpWhoami, ""); err == nil {
		t.Error("nobody may")
	}
	if err := w.Fresh(context.Background()); err == nil {
		t.Error("nobody is fresh")
	}
}
