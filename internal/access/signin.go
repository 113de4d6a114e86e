package access

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"time"

	"rekey/internal/identity"
	"rekey/internal/secret"
)

const (
	// attemptLives is how long somebody may take to sign in at the issuer.
	attemptLives = 10 * time.Minute
	// freshWithin is how long ago the issuer may have asked him where it was told to ask
	// again: he has typed his password before he came back.
	freshWithin = attemptLives
	// endpointsFor is how long an issuer's addresses are gone by.
	endpointsFor = time.Hour
)

// attemptOf derives what an attempt to sign in is made of from what the browser alone
// holds: the database has nothing that it could be finished with.
func attemptOf(held string, fresh bool) identity.Attempt {
	of := func(what string) string {
		m := hmac.New(sha256.New, []byte(held))
		m.Write([]byte(what))
		return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
	}
	return identity.Attempt{State: of("state"), Nonce: of("nonce"), Verifier: of("verifier"), Fresh: fresh}
}

// SignInAt is the path of the page by which people sign in; "": rekey.yaml has no issuer
// for that.
func (a *Access) SignInAt() string {
	if a.rules().signIn == nil {
		return ""
	}
	return Prefix + "sign-in"
}

// SignOutAt is where the sign-in of who asks is ended; "": he has none here. Whoever is on
// this machine, and who comes through a gate in front, has none that could be ended here.
func SignOutAt(ctx context.Context) string {
	if c := from(ctx); c == nil || c.session == "" {
		return ""
	}
	return Prefix + "sign-out"
}

// ways says to a command line, before it opens a browser, whether somebody could allow it
// there: GET /access/ways. It tells nothing of anybody.
func (a *Access) ways(w http.ResponseWriter, _ *http.Request) {
	rules := a.rules()
	answer(w, waysIn{Browser: new(rules.signIn != nil || rules.proxy != nil), Open: !rules.id.Proves()})
}

// waysIn are how people come in. Open: nobody is asked who he is.
type waysIn struct {
	Browser *bool `json:"browser"` // nil: whoever answered is not a server of Rekey's
	Open    bool  `json:"open"`
}

// signInPage is where people are led who have not signed in: GET /access/sign-in. It
// starts nothing by itself, so that who has signed out stays out.
func (a *Access) signInPage(w http.ResponseWriter, r *http.Request) {
	rules := a.rules()
	q := r.URL.Query()
	p := page{Title: "Sign in", Act: "Sign in"}
	switch {
	case rules.signIn == nil:
		p = page{Title: "Nobody signs in here", Text: []string{"rekey.yaml names no issuer under identity.sign_in. Machines come with a token: Authorization: Bearer TOKEN."}}
		a.show(w, http.StatusNotFound, p, "")
		return
	case q.Get("out") != "":
		p.Title, p.Act = "Signed out", "Sign in again"
	case q.Get("fresh") != "":
		p.Title = "Sign in once more"
		p.Text = []string{"What you are about to do cannot be undone, so please prove once more that it is you."}
	}
	p.Link = Prefix + "start?" + url.Values{"to": {back(q.Get("to"))}, "fresh": {q.Get("fresh")}}.Encode()
	if u, err := url.Parse(rules.signIn.Issuer()); err == nil {
		p.Note = "You sign in at " + u.Host + "; Rekey sees no password."
	}
	a.show(w, http.StatusOK, p, "")
}

// signing is the beginning of signing in: for who does not ask too often, where people
// sign in, and while all together do not. Whoever comes back from the issuer has begun, and
// is not counted again: nobody keeps him from it by beginning often.
func (a *Access) signing(step func(http.ResponseWriter, *http.Request, *rules)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		rules := a.rules()
		switch {
		case rules.signIn == nil:
			a.signInPage(w, r)
		case !a.asked.allow(addressOf(r), a.Now()) || !a.anybody.AllowN(a.Now(), 1):
			a.tooOften(w, r)
		default:
			step(w, r, rules)
		}
	}
}

// start leads to the issuer: GET /access/start.
func (a *Access) start(w http.ResponseWriter, r *http.Request, rules *rules) {
	at, err := a.endpoints(r.Context(), rules)
	if err != nil {
		a.failed(w, r, http.StatusBadGateway, "The issuer cannot be reached now, so nobody can sign in. Those who are signed in can continue.", err)
		return
	}
	held, err := chance(a.Random, 43)
	fresh := r.URL.Query().Get("fresh") != ""
	if err == nil {
		err = a.putAttempt(r.Context(), held, back(r.URL.Query().Get("to")), fresh)
	}
	if err != nil {
		a.failed(w, r, http.StatusServiceUnavailable, "This could not be stored, so nobody can sign in now.", err)
		return
	}
	registration := a.registration(r, rules, secret.Value{})
	a.setCookie(w, "sign-in", held, attemptLives)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", registration.Ask(at, attemptOf(held, fresh)))
	w.WriteHeader(http.StatusSeeOther)
}

// callback is where people come back to from the issuer: GET /access/callback.
func (a *Access) callback(w http.ResponseWriter, r *http.Request) {
	rules := a.rules()
	if rules.signIn == nil {
		a.signInPage(w, r)
		return
	}
	q := r.URL.Query()
	held := a.cookieOf(r, "sign-in")
	a.setCookie(w, "sign-in", "", 0)
	// It is forgotten before anything else: nothing of it is used twice.
	to, fresh, err := a.takeAttempt(r.Context(), held)
	if err != nil && !a.asked.allow(addressOf(r), a.Now()) {
		a.tooOften(w, r)
		return
	}
	if err != nil {
		again := "This sign-in attempt has expired, or was started in another browser."
		a.failed(w, r, http.StatusBadRequest, again, err)
		return
	}
	attempt := attemptOf(held, fresh)
	issuer, named := q["iss"]
	switch {
	case len(q["state"]) != 1 || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(attempt.State)) != 1:
		a.failed(w, r, http.StatusBadRequest, "This answer belongs to another attempt to sign in.", errors.New("another state"))
		return
	case named && (len(issuer) != 1 || issuer[0] != rules.signIn.Issuer()): // RFC 9207 §2.4
		a.failed(w, r, http.StatusBadRequest, "This answer comes from another issuer.", errors.New("another issuer"))
		return
	case q.Get("error") != "":
		a.failed(w, r, http.StatusForbidden, "The issuer refused the sign-in.", errors.New("the issuer refused"))
		return
	case len(q["code"]) != 1 || q.Get("code") == "" || len(q.Get("code")) > 4<<10:
		a.failed(w, r, http.StatusBadRequest, "The issuer answered without a code.", errors.New("no code"))
		return
	}
	in, err := a.exchange(r, rules, attempt, q.Get("code"))
	switch {
	case err != nil:
		a.failed(w, r, http.StatusForbidden, "The issuer's answer does not prove who you are: "+err.Error()+".", err)
		return
	case fresh && in.At.IsZero():
		a.failed(w, r, http.StatusForbidden, "The issuer does not report when you last authenticated, so this does not count as a fresh sign-in.", errors.New("no auth_time"))
		return
	case fresh && a.Now().Sub(in.At) > freshWithin:
		a.failed(w, r, http.StatusForbidden, "The issuer did not ask you to authenticate again, so this does not count as a fresh sign-in.", errors.New("an old auth_time"))
		return
	}
	if err := a.begin(w, r, rules, in); err != nil {
		a.failed(w, r, http.StatusServiceUnavailable, "This could not be stored, so nobody can sign in now.", err)
		return
	}
	who := identity.Person(rules.id, in.Claims, false)
	a.Log.InfoContext(r.Context(), "signed in", "who", who.Name, "roles", who.Roles, "fresh", fresh, "from", addressOf(r))
	if left := in.Claims.LeftOut(rules.id); len(left) > 0 {
		a.Log.WarnContext(r.Context(), "the issuer left out claims by which rekey.yaml gives roles: it lists no groups for somebody who is in too many; configure it to send only the groups that this client needs", "who", who.Name, "claims", left)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

func (a *Access) exchange(r *http.Request, rules *rules, attempt identity.Attempt, code string) (identity.SignedIn, error) {
	at, err := a.endpoints(r.Context(), rules)
	if err != nil {
		return identity.SignedIn{}, err
	}
	var key secret.Value
	if refs := rules.id.SignIn.ClientSecret; len(refs) > 0 {
		if key, err = a.Resolve(r.Context(), refs); err != nil {
			return identity.SignedIn{}, errors.New("the secret under identity.sign_in.client_secret cannot be read")
		}
	}
	return rules.signIn.Exchange(r.Context(), a.Transport, a.registration(r, rules, key), at, attempt, code)
}

func (a *Access) registration(r *http.Request, rules *rules, key secret.Value) identity.Registration {
	s := rules.id.SignIn
	scopes := s.Scopes
	if len(scopes) == 0 {
		scopes = []string{"openid", "email", "profile"}
	}
	return identity.Registration{ClientID: s.ClientID, Secret: key, Redirect: a.origin(r) + Prefix + "callback", Scopes: scopes}
}

// endpoints are the issuer's addresses, asked for once an hour.
func (a *Access) endpoints(ctx context.Context, rules *rules) (identity.Endpoints, error) {
	a.mu.Lock()
	found, when := rules.found, rules.foundAt
	a.mu.Unlock()
	if !when.IsZero() && a.Now().Sub(when) < endpointsFor {
		return found, nil
	}
	found, err := rules.signIn.Endpoints(ctx)
	if err != nil {
		return found, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	rules.found, rules.foundAt = found, a.Now()
	return found, nil
}

func (a *Access) putAttempt(ctx context.Context, held, to string, fresh bool) error {
	if err := a.store.sweep(ctx); err != nil {
		return err
	}
	f := 0
	if fresh {
		f = 1
	}
	_, err := a.store.changed(ctx, `INSERT INTO access_attempts (hash, back, fresh, expires) VALUES ($1, $2, $3, $4)`, hashed(held), to, f, ms(a.Now().Add(attemptLives)))
	return err
}

// takeAttempt returns an attempt once.
func (a *Access) takeAttempt(ctx context.Context, held string) (to string, fresh bool, err error) {
	if held == "" {
		return "", false, errAbsent
	}
	var f, expires int64
	err = a.store.db.QueryRowContext(ctx, `DELETE FROM access_attempts WHERE hash = $1 RETURNING back, fresh, expires`, hashed(held)).Scan(&to, &f, &expires)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", false, errAbsent
	case err != nil:
		return "", false, err
	case ms(a.Now()) >= expires:
		return "", false, errAbsent
	}
	return back(to), f != 0, nil
}

func (a *Access) tooOften(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Retry-After", "10")
	a.failed(w, r, http.StatusTooManyRequests, "Too many requests from your address. Wait a moment.", errors.New("too often"))
}

// failed says why somebody could not sign in, and how he goes on.
func (a *Access) failed(w http.ResponseWriter, r *http.Request, status int, why string, err error) {
	a.Log.WarnContext(r.Context(), "not signed in", "status", status, "from", addressOf(r), "path", r.URL.Path, "error", err)
	a.show(w, status, page{Title: "Not signed in", Bad: why, Link: Prefix + "sign-in", Act: "Try again"}, "")
}
