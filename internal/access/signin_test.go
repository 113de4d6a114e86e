package access

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/sop"
)

func TestSomebodySignsInAndOut(t *testing.T) {
	w := newWorld(t, everything())
	b := w.browser()
	led := b.get("/runs?open=1", "Accept", "text/html")
	if led.StatusCode != 303 || led.Header.Get("Location") != "/access/sign-in?to=%2Fruns%3Fopen%3D1" {
		t.Fatalf("%d %s", led.StatusCode, led.Header.Get("Location"))
	}
	page := b.get(led.Header.Get("Location"))
	if text := bodyOf(t, page); page.StatusCode != 200 || !strings.Contains(text, `href="/access/start?fresh=&amp;to=%2Fruns%3Fopen%3D1"`) || !strings.Contains(page.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Fatalf("%d %s", page.StatusCode, text)
	}
	if to := b.signIn("/runs?open=1"); to != "/runs?open=1" {
		t.Errorf("led to %s", to)
	}
	var said struct{ Who rotation.Who }
	if err := json.NewDecoder(b.get("/").Body).Decode(&said); err != nil {
		t.Fatal(err)
	}
	if who := said.Who; who.Name != "alice@example.com" || !who.Verified || who.How != idp || strings.Join(who.Roles, ",") != "admin,ops,superadmin" || who.Claims["sub"] != "u-1" || who.Claims["groups"] != "ops, staff" {
		t.Errorf("%+v", who)
	}
	stolen := map[string]string{}
	for k, v := range b.cookies {
		stolen[k] = v
	}
	if out := b.do("POST", "/access/sign-out", nil, "Sec-Fetch-Site", "same-origin"); out.StatusCode != 303 || len(b.cookies) != 0 {
		t.Errorf("%d, cookies %v", out.StatusCode, b.cookies)
	}
	thief := w.browser()
	thief.cookies = stolen
	if name, status := thief.met(); status != 401 {
		t.Errorf("a session that was signed out is %s", name)
	}
}

// TestTheCookieIsBoundToTheHost, is no script's, and goes over https only.
func TestTheCookieIsBoundToTheHost(t *testing.T) {
	w := newWorld(t, everything())
	b := w.browser()
	led := b.get("/access/start?to=/")
	got := b.get(w.idp.authorize(t, led.Header.Get("Location")).String())
	found := false
	for _, c := range got.Cookies() {
		if c.MaxAge < 0 {
			continue
		}
		found = true
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 12*3600 {
			t.Errorf("%+v", c)
		}
	}
	if !found {
		t.Error("no cookie was set")
	}
}

// TestAnAttemptIsUsedOnce, by the browser that began it, with what the issuer was asked.
func TestAnAttemptIsUsedOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(w *world, b *browser, back *url.URL) *http.Response
		want string
	}{
		"played again": {func(w *world, b *browser, back *url.URL) *http.Response {
			held := b.cookies["__Host-rekey-sign-in"]
			if r := b.get(back.String()); r.StatusCode != 303 {
				t.Fatal(r.StatusCode)
			}
			b.cookies = map[string]string{"__Host-rekey-sign-in": held}
			w.idp.codes["code-0"] = code{} // whatever the issuer lets happen
			return b.get(back.String())
		}, "has expired"},
		"in another browser": {func(w *world, _ *browser, back *url.URL) *http.Response { return w.browser().get(back.String()) }, "has expired"},
		"in a browser with an attempt of its own": {func(w *world, _ *browser, back *url.URL) *http.Response {
			other := w.browser()
			other.get("/access/start")
			return other.get(back.String())
		}, "another attempt"},
		"another state": {func(_ *world, b *browser, back *url.URL) *http.Response {
			q := back.Query()
			q.Set("state", q.Get("state")+"x")
			back.RawQuery = q.Encode()
			return b.get(back.String())
		}, "another attempt"},
		"two states": {func(_ *world, b *browser, back *url.URL) *http.Response { return b.get(back.String() + "&state=x") }, "another attempt"},
		"no state": {func(_ *world, b *browser, back *url.URL) *http.Response {
			q := back.Query()
			q.Del("state")
			back.RawQuery = q.Encode()
			return b.get(back.String())
		}, "another attempt"},
		"another issuer (mix-up)": {func(_ *world, b *browser, back *url.URL) *http.Response {
			q := back.Query()
			q.Set("iss", "https://evil.example.com")
			back.RawQuery = q.Encode()
			return b.get(back.String())
		}, "another issuer"},
		"too late": {func(w *world, b *browser, back *url.URL) *http.Response {
			w.time.pass(11 * time.Minute)
			return b.get(back.String())
		}, "has expired"},
		"refused by the issuer": {func(_ *world, b *browser, back *url.URL) *http.Response {
			q := back.Query()
			q.Set("error", "access_denied<script>")
			back.RawQuery = q.Encode()
			return b.get(back.String())
		}, "refused the sign-in"},
		"a code of somebody else's": {func(w *world, b *browser, back *url.URL) *http.Response {
			other := w.browser()
			theirs := w.idp.authorize(t, other.get("/access/start").Header.Get("Location"))
			q := back.Query()
			q.Set("code", theirs.Query().Get("code")) // code injection: stopped by PKCE
			back.RawQuery = q.Encode()
			return b.get(back.String())
		}, "invalid_grant"},
		"another nonce": {func(w *world, b *browser, back *url.URL) *http.Response {
			w.idp.over = map[string]any{"nonce": "of-another-attempt"}
			return b.get(back.String())
		}, "another sign-in attempt"},
		"no nonce": {func(w *world, b *browser, back *url.URL) *http.Response {
			w.idp.over = map[string]any{"nonce": nil}
			return b.get(back.String())
		}, "another sign-in attempt"},
		"for another client": {func(w *world, b *browser, back *url.URL) *http.Response {
			w.idp.over = map[string]any{"aud": "other-client"}
			return b.get(back.String())
		}, "another audience"},
		"for several, made out to another": {func(w *world, b *browser, back *url.URL) *http.Response {
			w.idp.over = map[string]any{"aud": []string{"rekey-client", "other"}, "azp": "other"}
			return b.get(back.String())
		}, "another client"},
		"for several, made out to nobody": {func(w *world, b *browser, back *url.URL) *http.Response {
			w.idp.over = map[string]any{"aud": []string{"rekey-client", "other"}}
			return b.get(back.String())
		}, "another client"},
		"by another issuer": {func(w *world, b *browser, back *url.URL) *http.Response {
			w.idp.over = map[string]any{"iss": ci}
			return b.get(back.String())
		}, "another issuer"},
		"expired": {func(w *world, b *browser, back *url.URL) *http.Response {
			w.idp.over = map[string]any{"exp": w.time.now().Add(-time.Minute).Unix()}
			return b.get(back.String())
		}, "has expired"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, everything())
			b := w.browser()
			led := b.get("/access/start?to=/")
			r := tt.do(w, b, w.idp.authorize(t, led.Header.Get("Location")))
			text := bodyOf(t, r)
			if r.StatusCode < 400 || !strings.Contains(text, tt.want) || strings.Contains(text, "canary") || strings.Contains(text, "<script") {
				t.Errorf("%d %s", r.StatusCode, text)
			}
			for _, c := range r.Cookies() {
				if strings.HasSuffix(c.Name, "session") && c.MaxAge >= 0 {
					t.Error("a session was begun")
				}
			}
		})
	}
}

// TestASessionIsNotFixed: an id that somebody else has put into a browser is worth
// nothing after it has signed in, and the one of before it neither.
func TestASessionIsNotFixed(t *testing.T) {
	w := newWorld(t, everything())
	victim, attacker := w.browser(), w.browser()
	victim.cookies["__Host-rekey-session"], attacker.cookies["__Host-rekey-session"] = "chosen-by-the-attacker", "chosen-by-the-attacker"
	victim.signIn("/")
	if victim.cookies["__Host-rekey-session"] == "chosen-by-the-attacker" {
		t.Error("the id was kept")
	}
	if name, status := attacker.met(); status != 401 {
		t.Errorf("the attacker is %s", name)
	}
	before := victim.cookies["__Host-rekey-session"]
	victim.signIn("/")
	old := w.browser()
	old.cookies["__Host-rekey-session"] = before
	if name, status := old.met(); status != 401 || before == victim.cookies["__Host-rekey-session"] {
		t.Errorf("the session of before is still %s", name)
	}
	// Two cookies of one name: nobody says which one the server has set.
	if r := w.browser().get("/", "Cookie", "__Host-rekey-session="+victim.cookies["__Host-rekey-session"]+"; __Host-rekey-session=x"); r.StatusCode != 401 {
		t.Errorf("two cookies: %d", r.StatusCode)
	}
}

func TestNobodyIsLedToAnotherSite(t *testing.T) {
	w := newWorld(t, everything())
	for _, to := range []string{"https://evil.example.com/", "//evil.example.com", "/\\evil.example.com", "\\\\evil.example.com", "/\t/evil.example.com", "/\n/evil", "javascript:alert(1)", "evil.example.com", "",
		"/access/sign-out", "/access/callback?code=x", "/x\r\nSet-Cookie: a=b", "/" + strings.Repeat("a", 3000), " /x", "/\u2028/x"} {
		if got := w.browser().signIn(to); got != "/" {
			t.Errorf("%q leads to %q", to, got)
		}
		w.time.pass(time.Minute)
	}
	for _, to := range []string{"/", "/runs/35sp4b?x=1#y", "/credentials/CF_A"} {
		if got := w.browser().signIn(to); got != to {
			t.Errorf("%q leads to %q", to, got)
		}
		w.time.pass(time.Minute)
	}
}

// TestAFreshSignIn is asked for of people only, and is one only if the issuer says when
// it asked.
func TestAFreshSignIn(t *testing.T) {
	w := newWorld(t, everything())
	b := w.browser()
	b.signIn("/")
	fresh := func() bool {
		var said struct{ Fresh bool }
		if err := json.NewDecoder(b.get("/").Body).Decode(&said); err != nil {
			t.Fatal(err)
		}
		return said.Fresh
	}
	if !fresh() {
		t.Error("it is not fresh at once")
	}
	w.time.pass(11 * time.Minute)
	if fresh() {
		t.Error("it is fresh after 11 minutes")
	}
	led := b.get("/access/start?to=/&fresh=1").Header.Get("Location")
	if !strings.Contains(led, "max_age=0") {
		t.Errorf("asked %s", led)
	}
	b.get(w.idp.authorize(t, led).String())
	if !fresh() {
		t.Error("it is not fresh after another sign-in")
	}
	for name, said := range map[string]any{"the issuer has not asked again": w.time.now().Add(-time.Hour).Unix(), "it does not say": nil} {
		w.idp.over = map[string]any{"auth_time": said}
		led := b.get("/access/start?to=/&fresh=1").Header.Get("Location")
		if r := b.get(w.idp.authorize(t, led).String()); r.StatusCode != 403 || !strings.Contains(bodyOf(t, r), "not count as a fresh sign-in") {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
	}
}

// TestAnIssuerThatTellsMoreWhenItIsAsked, of whom the token names and of nobody else; and
// of a token only what is signed.
func TestAnIssuerThatTellsMoreWhenItIsAsked(t *testing.T) {
	for name, tt := range map[string]struct {
		tells map[string]any
		name  string
		roles string
	}{
		"who it is":         {map[string]any{"sub": "u-1", "email": "alice@example.com", "email_verified": true, "groups": []string{"ops"}}, "alice@example.com", "admin,ops,superadmin"},
		"another issuer":    {map[string]any{"sub": "u-1", "iss": ci, "auth_time": 1, "nonce": "x"}, "u-1", ""},
		"somebody else":     {map[string]any{"sub": "u-2", "email": "alice@example.com", "email_verified": true}, "", ""},
		"nobody":            {map[string]any{"email": "alice@example.com", "email_verified": true}, "", ""},
		"an unsure address": {map[string]any{"sub": "u-1", "email": "alice@example.com"}, "u-1", ""},
	} {
		w := newWorld(t, everything())
		w.idp.over = map[string]any{"email": nil, "email_verified": nil, "groups": nil}
		w.idp.tells = tt.tells
		b := w.browser()
		got := b.get(w.idp.authorize(t, b.get("/access/start?to=/").Header.Get("Location")).String())
		if tt.name == "" {
			if text := bodyOf(t, got); got.StatusCode != 403 || !strings.Contains(text, "somebody else") {
				t.Errorf("%s: %d %s", name, got.StatusCode, text)
			}
			continue
		}
		var said struct {
			Who   rotation.Who
			Fresh bool
		}
		if err := json.NewDecoder(b.get("/").Body).Decode(&said); err != nil || said.Who.Name != tt.name || strings.Join(said.Who.Roles, ",") != tt.roles || said.Who.How != idp || !said.Fresh {
			t.Errorf("%s: %v %+v", name, err, said)
		}
	}
}

// TestAnUnverifiedAddressGivesNoRole: whoever opens an account at the issuer can name
// any.
func TestAnUnverifiedAddressGivesNoRole(t *testing.T) {
	for name, said := range map[string]any{"unverified": false, "not said": nil, "a text": "no"} {
		w := newWorld(t, everything())
		w.idp.over = map[string]any{"email_verified": said, "groups": []string{"guests"}, "preferred_username": "alice@example.com"}
		b := w.browser()
		b.signIn("/")
		var got struct{ Who rotation.Who }
		if err := json.NewDecoder(b.get("/").Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		if got.Who.Name != "u-1" || len(got.Who.Roles) > 0 || got.Who.Claims["email"] != "" {
			t.Errorf("%s: %+v", name, got.Who)
		}
	}
}

func TestSessionsEnd(t *testing.T) {
	w := newWorld(t, everything())
	b, other := w.browser(), w.browser()
	b.signIn("/")
	w.time.pass(59 * time.Minute)
	if _, status := b.met(); status != 200 {
		t.Error("it ended early")
	}
	w.time.pass(61 * time.Minute)
	if _, status := b.met(); status != 401 {
		t.Error("it lives on without being used")
	}
	b.signIn("/")
	for range 13 { // in use all the time
		w.time.pass(56 * time.Minute)
		_, _ = b.met()
	}
	if _, status := b.met(); status != 401 {
		t.Error("it lives for longer than 12 hours")
	}
	b.signIn("/")
	other.signIn("/")
	b.do("POST", "/access/sign-out/everywhere", nil)
	if _, status := other.met(); status != 401 {
		t.Error("one session was left")
	}
	// One by its id; of somebody else only by whoever may.
	w.idp.over = map[string]any{"sub": "u-2", "email": "bob@example.com"}
	b.signIn("/")
	w.idp.over = map[string]any{"sub": "u-9", "email": "root@example.com", "groups": nil}
	other.signIn("/")
	list := func(b *browser, all string) (out []Session) {
		if err := json.NewDecoder(b.get("/access/sessions" + all).Body).Decode(&out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	if mine := list(b, ""); len(mine) != 1 || !mine[0].This || mine[0].Who != "bob@example.com" {
		t.Errorf("%+v", mine)
	}
	if r := b.get("/access/sessions?all=1"); r.StatusCode != 403 {
		t.Errorf("bob sees everybody's: %d", r.StatusCode)
	}
	theirs := list(other, "")[0].ID
	if r := b.do("DELETE", "/access/sessions/"+theirs, nil); r.StatusCode != 403 {
		t.Errorf("bob ends root's: %d", r.StatusCode)
	}
	if all := list(other, "?all=1"); len(all) != 2 {
		t.Errorf("%+v", all)
	}
	if r := other.do("DELETE", "/access/sessions/"+list(b, "")[0].ID, nil); r.StatusCode != 204 {
		t.Errorf("root cannot: %d", r.StatusCode)
	}
	if _, status := b.met(); status != 401 {
		t.Error("bob is still there")
	}
}

// TestRolesAreThoseOfToday: who has signed in loses what rekey.yaml takes from him.
func TestRolesAreThoseOfToday(t *testing.T) {
	w := newWorld(t, everything())
	b := w.browser()
	b.signIn("/")
	changed := everything()
	delete(changed.Identity.Roles, "superadmin")
	if err := w.Reload(changed); err != nil {
		t.Fatal(err)
	}
	var got struct{ Who rotation.Who }
	if err := json.NewDecoder(b.get("/").Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if strings.Join(got.Who.Roles, ",") != "admin,ops" {
		t.Errorf("%v", got.Who.Roles)
	}
	// Another issuer is trusted now: whoever the last one has let in is out.
	changed = everything()
	changed.Identity.SignIn = &sop.SignIn{Issuer: "https://other.example.com", ClientID: "x"}
	if err := w.Reload(changed); err != nil {
		t.Fatal(err)
	}
	if _, status := b.met(); status != 401 {
		t.Error("a session of an issuer that is not trusted any more")
	}
	// A file without a way to come in would let in everybody.
	if err := w.Reload(&sop.Config{}); err == nil || !strings.Contains(err.Error(), "no identity") {
		t.Errorf("%v", err)
	}
}

func TestSigningInIsLimited(t *testing.T) {
	w := newWorld(t, everything())
	b := w.browser()
	// Who has begun comes back, however many begin after him from where he is.
	honest := w.browser()
	begun := w.idp.authorize(t, honest.get("/access/start?to=/").Header.Get("Location")).String()
	for range 30 {
		w.browser().get("/access/start")
	}
	if r := honest.get(begun); r.StatusCode != 303 {
		t.Errorf("who has begun is kept from coming back: %d", r.StatusCode)
	}
	for range 30 {
		w.browser().get(begun)
	}
	if r := w.browser().get(begun); r.StatusCode != 429 {
		t.Errorf("who has not is answered %d, however often", r.StatusCode)
	}
	w.time.pass(2 * time.Minute)
	refused := 0
	for range 40 {
		if b.get("/access/start").StatusCode == 429 {
			refused++
		}
	}
	if refused != 20 {
		t.Errorf("%d of 40 were refused", refused)
	}
	other := w.browser()
	other.from = "198.51.100.7:99"
	other.signIn("/")
	w.time.pass(time.Minute)
	b.signIn("/")
	// From as many addresses as somebody may have, it is bounded as well.
	refused = 0
	w.anybody.SetBurstAt(w.time.now(), 100) // a tenth of what it is
	for i := range 130 {
		many := w.browser()
		many.from = fmt.Sprintf("203.0.%d.%d:1", i/250, i%250)
		if many.get("/access/start").StatusCode == 429 {
			refused++
		}
	}
	if refused < 25 || refused > 35 {
		t.Errorf("%d of 130 addresses were refused", refused)
	}
	if _, status := b.met(); status != 200 {
		t.Error("who has signed in is kept out meanwhile")
	}
	w.time.pass(time.Minute)
	// One machine has as many addresses of IPv6 as it likes.
	six := w.browser()
	refused = 0
	for i := range 40 {
		six.from = "[2001:db8::" + string(rune('a'+i%6)) + "]:1"
		if six.get("/access/start").StatusCode == 429 {
			refused++
		}
	}
	if refused != 20 {
		t.Errorf("IPv6: %d of 40 were refused", refused)
	}
}

func TestAnIssuerThatIsDown(t *testing.T) {
	w := newWorld(t, everything())
	b := w.browser()
	b.signIn("/")
	w.idp.down = true
	w.time.pass(50 * time.Minute)
	if name, status := b.met(); status != 200 {
		t.Errorf("who has signed in is out: %s", name)
	}
	w.time.pass(2 * time.Hour)
	if r := w.browser().get("/access/start"); r.StatusCode != 502 || !strings.Contains(bodyOf(t, r), "cannot be reached") {
		t.Errorf("%d", r.StatusCode)
	}
}
