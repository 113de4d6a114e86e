package access

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"rekey/internal/estate"
	"rekey/internal/sop"
)

// Routes are what stands under Prefix: signing in and out, the sessions and tokens of
// whoever asks and, for who may, of all. They look at host and origin themselves, and
// belong outside of Middleware.
//
//	GET    /access/sign-in              page that leads to the issuer (?to=PATH&fresh=1)
//	GET    /access/start, /callback     to the issuer, and back
//	POST   /access/sign-out             ends this session
//	POST   /access/sign-out/everywhere  ends all sessions and command lines of whoever asks
//	GET    /access/sessions             own ones; ?all=1 everybody's (sessions)
//	DELETE /access/sessions/{id}        ends one; of somebody else: (sessions)
//	GET    /access/ways                 whether people sign in by a browser: {browser, open}
//	GET    /access/cli, POST            allows a command line
//	POST   /access/cli/token            gives its code for a token
func (a *Access) Routes() http.Handler {
	mux := http.NewServeMux()
	for _, name := range []string{"style.css", "icon.svg"} {
		mux.HandleFunc("GET /access/"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "max-age=3600")
			http.ServeFileFS(w, r, files, "pages/"+name)
		})
	}
	mux.HandleFunc("GET /access/sign-in", a.signInPage)
	mux.HandleFunc("GET /access/start", a.signing(a.start))
	mux.HandleFunc("GET /access/callback", a.callback)
	mux.HandleFunc("GET /access/ways", a.ways)
	mux.HandleFunc("POST /access/cli/token", a.cliToken)
	known := func(pattern string, f http.HandlerFunc) {
		mux.Handle(pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, fail := a.caller(r)
			if fail == nil && c == nil {
				fail = unauthorized("nobody has signed in", nil)
			}
			if fail != nil {
				a.refuse(w, r, fail)
				return
			}
			f(w, r.WithContext(with(r.Context(), c)))
		}))
	}
	known("POST /access/sign-out", a.signOut)
	known("POST /access/sign-out/everywhere", a.signOutEverywhere)
	known("GET /access/sessions", a.listSessions)
	known("DELETE /access/sessions/{id}", a.endSession)
	known("GET /access/cli", a.cliPage)
	known("POST /access/cli", a.cliAllow)
	return a.guarded(mux)
}

// answer is JSON that no cache keeps.
func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_ = json.NewEncoder(w).Encode(v)
}

// told answers with an error of an operation here.
func (a *Access) told(w http.ResponseWriter, r *http.Request, err error) {
	var wrong *Wrong
	switch {
	case estate.CodeOf(err) == estate.NotFresh:
		problem(w, http.StatusForbidden, string(estate.NotFresh), errors.Unwrap(err).Error())
	case errors.As(err, &wrong):
		problem(w, http.StatusUnprocessableEntity, "failed", err.Error())
	case estate.CodeOf(err) == estate.NoRole:
		problem(w, http.StatusForbidden, string(estate.NoRole), errors.Unwrap(err).Error())
	default:
		a.Log.ErrorContext(r.Context(), "failed", "path", r.URL.Path, "error", err)
		problem(w, http.StatusServiceUnavailable, string(estate.Failed), "this could not be looked up or stored")
	}
}

func (a *Access) signOut(w http.ResponseWriter, r *http.Request) {
	c := from(r.Context())
	var err error
	switch {
	case c.session != "":
		err = a.store.endSession(r.Context(), c.session)
	case c.token != nil && c.token.Person:
		err = a.Tokens().revoke(r.Context(), c.token.ID, c.who.Name)
	}
	a.gone(w, r, c, err)
}

func (a *Access) signOutEverywhere(w http.ResponseWriter, r *http.Request) {
	c := from(r.Context())
	var err error
	if c.subject != "" {
		err = a.store.endAll(r.Context(), c.subject, c.who.Name)
	}
	a.gone(w, r, c, err)
}

func (a *Access) gone(w http.ResponseWriter, r *http.Request, c *caller, err error) {
	a.lookAgain()
	if err != nil {
		a.told(w, r, err)
		return
	}
	a.Log.InfoContext(r.Context(), "signed out", "who", c.who.Name, "path", r.URL.Path)
	a.setCookie(w, "session", "", 0)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", Prefix+"sign-in?out=1")
	w.WriteHeader(http.StatusSeeOther)
}

// Session is one that somebody has signed in to.
type Session struct {
	ID       string    `json:"id"`
	Who      string    `json:"who"`
	Subject  string    `json:"subject"`
	Made     time.Time `json:"made"`
	Seen     time.Time `json:"seen"` // to about a minute
	SignedIn time.Time `json:"signed_in,omitzero"`
	Expires  time.Time `json:"expires"`
	This     bool      `json:"this,omitempty"` // it is the one that asks
}

// sessionID is by what a session is named: not what its browser holds, nor what that
// could be looked up by.
func sessionID(hash string) string { return hashed(hash)[:16] }

func (a *Access) listSessions(w http.ResponseWriter, r *http.Request) {
	c, of := from(r.Context()), ""
	if r.URL.Query().Get("all") != "" {
		if err := a.Can(r.Context(), sop.OpSessions, ""); err != nil {
			a.told(w, r, err)
			return
		}
	} else if of = c.subject; of == "" {
		answer(w, []Session{})
		return
	}
	all, err := a.store.sessions(r.Context(), of)
	if err != nil {
		a.told(w, r, err)
		return
	}
	out := []Session{}
	for _, x := range all {
		out = append(out, Session{ID: sessionID(x.hash), Who: a.name(x), Subject: x.subject, Made: x.made, Seen: x.seen, SignedIn: x.signedIn, Expires: x.expires, This: x.hash == c.session})
	}
	answer(w, out)
}

func (a *Access) endSession(w http.ResponseWriter, r *http.Request) {
	c := from(r.Context())
	all, err := a.store.sessions(r.Context(), "")
	if err != nil {
		a.told(w, r, err)
		return
	}
	for _, x := range all {
		if sessionID(x.hash) != r.PathValue("id") {
			continue
		}
		if x.subject != c.subject || c.subject == "" {
			if err := a.Can(r.Context(), sop.OpSessions, ""); err != nil {
				a.told(w, r, err)
				return
			}
		}
		if err := a.store.endSession(r.Context(), x.hash); err != nil {
			a.told(w, r, err)
			return
		}
		a.lookAgain()
		a.Log.InfoContext(r.Context(), "a session was ended", "of", a.name(x), "by", c.who.Name)
	}
	w.WriteHeader(http.StatusNoContent) // the same whether there was one or not
}
