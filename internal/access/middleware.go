package access

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"rekey/internal/identity"
	"rekey/internal/secret"
)

// failure is why a request is refused, as he is told: never what he sent.
type failure struct {
	status int
	why    string
	inner  error // for the log; of ours, quoting nothing
}

func (f *failure) Error() string { return f.why }

// Middleware finds out who asks and puts him into the request's context (From); nobody
// gets through whom it does not know. What is there without him, as Routes and whether
// the server lives, stands outside of it.
//
// In this order: a token in Authorization, the header of a proxy, a session's cookie.
// What is there and proves nothing refuses the request: nobody becomes somebody else in
// silence. Where rekey.yaml has no way to come in, who asks is the user who runs the
// server, which listens on loopback only then (MayListen).
//
// A look ends before it is whole, where the session or the token that it was asked with
// has, or rekey.yaml says something else of who may what. What changes something is finished.
//
// A browser's request that changes something and comes from another site is refused
// (http.CrossOriginProtection), and so is one for another host.
func (a *Access) Middleware(next http.Handler) http.Handler {
	return a.guarded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, fail := a.caller(r)
		if fail == nil && c == nil {
			fail = &failure{status: http.StatusUnauthorized, why: "nobody has signed in"}
		}
		if fail != nil {
			a.refuse(w, r, fail)
			return
		}
		ctx := r.Context()
		if r.Method == http.MethodGet || a.Looks != nil && a.Looks(r) {
			var over func()
			ctx, over = a.during(ctx, c)
			defer over()
		}
		next.ServeHTTP(w, r.WithContext(with(ctx, c)))
	}))
}

// guarded looks at where a request is for, and where it comes from.
func (a *Access) guarded(next http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.refuse(w, r, &failure{status: http.StatusForbidden, why: "this request comes from another site"})
	}))
	inner := cross.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a.host(r); err != nil {
			a.refuse(w, r, &failure{status: http.StatusMisdirectedRequest, why: err.Error()})
			return
		}
		inner.ServeHTTP(w, r)
	})
}

// caller finds out who asks; nil: nobody says.
func (a *Access) caller(r *http.Request) (*caller, *failure) {
	rules := a.rules()
	c, fail := a.callerBy(r, rules)
	if c != nil {
		c.epoch = rules.epoch
	}
	return c, fail
}

func (a *Access) callerBy(r *http.Request, rules *rules) (*caller, *failure) {
	if said := r.Header.Values("Authorization"); len(said) > 0 {
		return a.bearer(r, rules, said)
	}
	if rules.proxy != nil {
		if said := r.Header.Values(rules.id.Proxy.Header); len(said) > 0 {
			return a.gate(r, rules, said)
		}
	}
	if !rules.id.Proves() {
		return &caller{who: identity.Declared(rules.id, a.User)}, nil
	}
	return a.browser(r, rules)
}

func unauthorized(why string, inner error) *failure {
	return &failure{status: http.StatusUnauthorized, why: why, inner: inner}
}

// unavailable: whoever could be anybody is nobody for now.
func unavailable(err error) *failure {
	return &failure{status: http.StatusServiceUnavailable, why: "the caller cannot be looked up now", inner: err}
}

// bearer is who comes with a token in Authorization (RFC 6750 §2.1).
func (a *Access) bearer(r *http.Request, rules *rules, said []string) (*caller, *failure) {
	scheme, token, _ := strings.Cut(said[0], " ")
	if len(said) != 1 || !strings.EqualFold(scheme, "Bearer") || token == "" || strings.ContainsAny(token, " ,\t") {
		return nil, unauthorized("Authorization must hold one token: Bearer TOKEN", nil)
	}
	if ours, formed := oursLooks(token); ours {
		if !formed {
			return nil, unauthorized("this is not a token of Rekey: it was truncated or mistyped", nil)
		}
		return a.holder(r, rules, token)
	}
	issuer := issuerOf(token)
	var last error
	for _, v := range rules.ci {
		if v.Issuer() != issuer {
			continue
		}
		claims, err := v.Verify(r.Context(), secret.New(token))
		if err == nil {
			return &caller{who: identity.Machine(rules.id, claims), until: untilOf(claims)}, nil
		}
		last = err
	}
	if last == nil {
		last = errors.New("it does not come from an issuer that identity.oidc names")
	}
	return nil, unauthorized("this token is not valid: "+last.Error(), last)
}

// holder is who comes with a token of Rekey's own.
func (a *Access) holder(r *http.Request, rules *rules, token string) (*caller, *failure) {
	t, err := a.store.tokenOf(r.Context(), token)
	switch {
	case errors.Is(err, errAbsent):
		return nil, unauthorized("this token is unknown here", nil)
	case err != nil:
		return nil, unavailable(err)
	case !t.Revoked.IsZero():
		return nil, unauthorized("this token was revoked", errors.New("a revoked token "+t.ID))
	case !t.Live(a.Now()):
		return nil, unauthorized("this token has expired", errors.New("an expired token "+t.ID))
	}
	if t.Person {
		by := rules.signIn
		if t.gate {
			by = rules.proxy
		}
		if by == nil || by.Issuer() != t.claims.Text("iss") {
			return nil, unauthorized("people no longer sign in there", nil)
		}
		return &caller{who: person(rules, t.claims, t.gate, t.signedIn), subject: t.subject, claims: t.claims, at: t.signedIn, token: &t, person: true}, nil
	}
	return &caller{who: t.holder(rules.id), token: &t}, nil
}

// gate is who a gate in front of the server says has signed in.
func (a *Access) gate(r *http.Request, rules *rules, said []string) (*caller, *failure) {
	if len(said) != 1 {
		return nil, unauthorized("the proxy's header is present several times", nil)
	}
	claims, err := rules.proxy.Verify(r.Context(), secret.New(said[0]))
	if err != nil {
		return nil, unauthorized("what the proxy in front sends is not valid: "+err.Error(), err)
	}
	return &caller{who: person(rules, claims, true, authTime(claims)), subject: claims.Subject(), claims: claims.Only(rules.id), at: authTime(claims), until: untilOf(claims),
		person: claims.Text("sub") != ""}, nil
}

// refuse says why a request is refused: a browser that wants a page is led to where
// people sign in, everything else is told (RFC 9457, RFC 6750 §3).
func (a *Access) refuse(w http.ResponseWriter, r *http.Request, f *failure) {
	from := addressOf(r)
	if f.status == http.StatusUnauthorized && f.why != "nobody has signed in" && !a.wrong.allow(from, a.Now()) {
		f = &failure{status: http.StatusTooManyRequests, why: "too many invalid requests from there; wait a moment", inner: f.inner}
		w.Header().Set("Retry-After", "10")
	}
	a.Log.WarnContext(r.Context(), "request refused", "status", f.status, "why", f.why, "from", from, "method", r.Method, "path", r.URL.Path, "error", f.inner)
	w.Header().Set("Cache-Control", "no-store")
	if f.status == http.StatusUnauthorized {
		to := Prefix + "sign-in?" + url.Values{"to": {r.URL.RequestURI()}}.Encode()
		signIn := a.rules().signIn != nil
		switch {
		case signIn && r.Header.Get("HX-Request") == "true":
			w.Header().Set("HX-Redirect", Prefix+"sign-in")
		case signIn && r.Header.Get("Authorization") == "" && r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html"):
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusSeeOther)
			return
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="rekey"`)
	}
	problem(w, f.status, codeAt(f.status), f.why)
}

// codeAt is the code of a refusal at the door (internal/api): what may be asked again
// differs from what is wrong with whoever asks.
func codeAt(status int) string {
	switch status {
	case http.StatusTooManyRequests:
		return "too-many"
	case http.StatusServiceUnavailable:
		return "unavailable"
	case http.StatusMisdirectedRequest:
		return "wrong-host"
	case http.StatusForbidden:
		return "cross-site"
	}
	return "not-identified"
}

// problem answers with what is wrong (RFC 9457), in the form in which the API does
// (docs/api.md): whoever is refused at the door reads the same fields. code is an estate.Code;
// the request's id is what the server has put into the answer already.
func problem(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	w.WriteHeader(status)
	said := map[string]any{"type": "urn:rekey:problem:" + code, "title": strings.ReplaceAll(code, "-", " "), "status": status, "code": code, "detail": detail, "why": detail}
	if id := w.Header().Get("Request-Id"); id != "" {
		said["instance"] = id
	}
	_ = json.NewEncoder(w).Encode(said)
}

func seconds(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
