package access

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rekey/internal/identity"
	"rekey/internal/rotation"
)

const (
	defaultIdle     = time.Hour
	defaultLifetime = 12 * time.Hour
)

// cookie names one of the server's. By https it is one that no other host can set
// (__Host-, RFC 6265bis §4.1.3.2); on loopback browsers take those from https only.
func (a *Access) cookie(name string) string {
	if a.secure() {
		return "__Host-rekey-" + name
	}
	return "rekey-" + name
}

func (a *Access) setCookie(w http.ResponseWriter, name, value string, lives time.Duration) {
	c := &http.Cookie{Name: a.cookie(name), Value: value, Path: "/", HttpOnly: true, Secure: a.secure(), SameSite: http.SameSiteLaxMode, MaxAge: int(lives / time.Second)}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// cookieOf is what a browser holds; "": nothing, or more than one, of which nobody could
// say which is the server's own.
func (a *Access) cookieOf(r *http.Request, name string) string {
	if all := r.CookiesNamed(a.cookie(name)); len(all) == 1 {
		return all[0].Value
	}
	return ""
}

// browser is who has signed in by this browser; nil: nobody.
func (a *Access) browser(r *http.Request, rules *rules) (*caller, *failure) {
	id := a.cookieOf(r, "session")
	if id == "" || rules.signIn == nil {
		return nil, nil
	}
	x, err := a.store.session(r.Context(), hashed(id), rules.id.SignIn.Idle.Or(defaultIdle))
	switch {
	case errors.Is(err, errAbsent):
		return nil, nil
	case err != nil:
		return nil, unavailable(err)
	case x.claims.Text("iss") != rules.signIn.Issuer():
		return nil, nil // rekey.yaml trusts another one now
	}
	return &caller{who: person(rules, x.claims, false, x.signedIn), subject: x.subject, claims: x.claims, at: x.signedIn, session: x.hash, person: true}, nil
}

// begin gives a browser a new session, whatever it held before: an id that somebody
// else has put there is worth nothing.
func (a *Access) begin(w http.ResponseWriter, r *http.Request, rules *rules, in identity.SignedIn) error {
	if old := a.cookieOf(r, "session"); old != "" {
		if err := a.store.endSession(r.Context(), hashed(old)); err != nil {
			return err
		}
	}
	id, err := chance(a.Random, 43)
	if err != nil {
		return err
	}
	now, lives := a.Now().UTC(), rules.id.SignIn.Lifetime.Or(defaultLifetime)
	x := session{hash: hashed(id), subject: in.Claims.Subject(), claims: in.Claims.Only(rules.id), signedIn: in.At, made: now, seen: now, expires: now.Add(lives)}
	x.claims["email_verified"] = in.Claims["email_verified"]
	if err := a.store.putSession(r.Context(), x); err != nil {
		return err
	}
	a.setCookie(w, "session", id, lives)
	return nil
}

// person is who has signed in, with when: the record of an agreement wants it.
func person(rules *rules, claims identity.Claims, gate bool, at time.Time) rotation.Who {
	who := identity.Person(rules.id, claims, gate)
	if !at.IsZero() {
		who.Claims["auth_time"] = strconv.FormatInt(at.Unix(), 10)
	} else {
		delete(who.Claims, "auth_time")
	}
	return who
}

// authTime is when the issuer asked somebody last who he is; zero: it does not say.
func authTime(c identity.Claims) time.Time { return at(seconds(c.Text("auth_time")) * 1000) }

// issuerOf is who a token says has issued it, before anything of it is believed: it
// chooses who is to verify it, and no more.
func issuerOf(token string) string {
	parts := strings.SplitN(token, ".", 3)
	if len(parts) != 3 || len(token) > 16<<10 {
		return ""
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var said struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(b, &said) != nil {
		return ""
	}
	return said.Issuer
}

// back is where somebody goes on after he signed in: a path of this server, and nothing
// that a browser could take for another host.
func back(to string) string {
	if len(to) > 2000 || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.HasPrefix(to, Prefix) && !strings.HasPrefix(to, Prefix+"cli?") || strings.ContainsFunc(to, func(c rune) bool {
		return c <= ' ' || c == '\\' || c >= 0x7f
	}) {
		return "/"
	}
	return to
}

// name is who a session is of, as the journal would call him.
func (a *Access) name(x session) string {
	return identity.Person(a.rules().id, x.claims, false).Name
}
