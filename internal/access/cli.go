package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"rekey/internal/identity"
	"rekey/internal/visible"
)

// codeLives is how long the command line may take to exchange its code.
const codeLives = time.Minute

var (
	challenges = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`) // SHA-256, base64url (RFC 7636 §4.2)
	states     = regexp.MustCompile(`^[A-Za-z0-9_-]{16,128}$`)
)

// cliAsked is what a command line asks for: to act as the person whose browser it has
// opened (RFC 8252, RFC 7636).
type cliAsked struct {
	port             int // of its listener on 127.0.0.1
	challenge, state string
	machine          string // as it calls itself; shown, not believed
}

func cliOf(v url.Values) (c cliAsked, err error) {
	c = cliAsked{challenge: v.Get("challenge"), state: v.Get("state"), machine: v.Get("machine")}
	c.port, err = strconv.Atoi(v.Get("port"))
	if err != nil || c.port < 1 || c.port > 65535 || !challenges.MatchString(c.challenge) || !states.MatchString(c.state) || len(c.machine) > 200 {
		return c, errors.New("this request does not come from rekey login")
	}
	return c, nil
}

// cliPage asks somebody whether a command line may act as him: GET /access/cli. A link
// that leads here does nothing by itself.
func (a *Access) cliPage(w http.ResponseWriter, r *http.Request) {
	c := from(r.Context())
	asked, err := cliOf(r.URL.Query())
	if err != nil || !c.person || c.token != nil {
		a.failed(w, r, http.StatusBadRequest, "Only somebody who signed in with a browser can allow this, and only for rekey login.", err)
		return
	}
	machine := visible.Text(asked.machine)
	if machine == "" {
		machine = "this computer"
	}
	a.show(w, http.StatusOK, page{
		Title: "Allow the command line?", Form: Prefix + "cli", Act: "Allow",
		Text:   []string{"rekey login on " + machine + " asks to act as " + c.who.Name + ".", "Continue only if you have just started it yourself."},
		Hidden: []field{{"port", strconv.Itoa(asked.port)}, {"challenge", asked.challenge}, {"state", asked.state}},
		Note:   "It can then do everything that you can, until your sign-in ends or you end all of your sign-ins.",
	}, "http://127.0.0.1:*")
}

// cliAllow gives the command line a code: POST /access/cli.
func (a *Access) cliAllow(w http.ResponseWriter, r *http.Request) {
	c := from(r.Context())
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	err := r.ParseForm()
	var asked cliAsked
	if err == nil {
		asked, err = cliOf(r.PostForm)
	}
	if err != nil || !c.person || c.token != nil {
		a.failed(w, r, http.StatusBadRequest, "This request does not come from rekey login.", err)
		return
	}
	code, err := chance(a.Random, 43)
	if err == nil {
		now := a.Now()
		lives := now.Add(defaultLifetime)
		if c.session != "" {
			if x, err := a.store.session(r.Context(), c.session, defaultLifetime); err == nil {
				lives = x.expires
			}
		}
		_, err = a.store.changed(r.Context(), `INSERT INTO access_codes (hash, challenge, subject, claims, signed_in, expires, lives) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			hashed(code), asked.challenge, c.subject, text(gated{c.claims, c.session == ""}), ms(c.at), ms(now.Add(codeLives)), ms(lives))
	}
	if err != nil {
		a.failed(w, r, http.StatusServiceUnavailable, "This could not be stored, so the command line cannot sign in now.", err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Location", "http://127.0.0.1:"+strconv.Itoa(asked.port)+"/?"+url.Values{"code": {code}, "state": {asked.state}}.Encode())
	w.WriteHeader(http.StatusSeeOther)
}

// gated are claims, and whether a gate has said them.
type gated struct {
	Claims identity.Claims `json:"claims"`
	Gate   bool            `json:"gate,omitempty"`
}

// Login is what a command line is given.
type Login struct {
	Token   string    `json:"token"`
	Who     string    `json:"who"`
	Expires time.Time `json:"expires"`
}

// cliToken gives a code, once, for a token: POST /access/cli/token.
func (a *Access) cliToken(w http.ResponseWriter, r *http.Request) {
	if !a.asked.allow(addressOf(r), a.Now()) {
		w.Header().Set("Retry-After", "10")
		problem(w, http.StatusTooManyRequests, codeAt(http.StatusTooManyRequests), "too many requests from there")
		return
	}
	var said struct {
		Code     string `json:"code"`
		Verifier string `json:"verifier"`
		Machine  string `json:"machine"`
	}
	if json.NewDecoder(http.MaxBytesReader(w, r.Body, 8<<10)).Decode(&said) != nil || said.Code == "" || len(said.Verifier) < 43 || len(said.Verifier) > 128 {
		problem(w, http.StatusBadRequest, "not-identified", "a code and its verifier are required")
		return
	}
	var challenge, subject, claims string
	var signedIn, expires, lives int64
	err := a.store.db.QueryRowContext(r.Context(), `DELETE FROM access_codes WHERE hash = $1 RETURNING challenge, subject, claims, signed_in, expires, lives`, hashed(said.Code)).
		Scan(&challenge, &subject, &claims, &signedIn, &expires, &lives)
	sum := sha256.Sum256([]byte(said.Verifier))
	fits := subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
	now := a.Now().UTC()
	switch {
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		problem(w, http.StatusServiceUnavailable, "failed", "this cannot be looked up now")
		return
	case err != nil, !fits, ms(now) >= expires, ms(now) >= lives:
		problem(w, http.StatusForbidden, "not-identified", "this code has expired, or belongs to somebody else")
		return
	}
	var of gated
	if json.Unmarshal([]byte(claims), &of) != nil {
		problem(w, http.StatusForbidden, "not-identified", "this code has expired, or belongs to somebody else")
		return
	}
	who := identity.Person(a.rules().id, of.Claims, of.Gate)
	made := Token{Name: visible.Text(who.Name), Made: now, By: who.Name, Expires: at(lives), subject: subject, claims: of.Claims, gate: of.Gate, signedIn: at(signedIn), Person: true}
	token, err := a.Tokens().put(r.Context(), &made)
	if err != nil {
		problem(w, http.StatusServiceUnavailable, "failed", "the token could not be stored")
		return
	}
	a.Log.InfoContext(r.Context(), "a command line signed in", "who", who.Name, "token", made.ID, "from", addressOf(r))
	answer(w, Login{Token: token, Who: who.Name, Expires: made.Expires})
}
