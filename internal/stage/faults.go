package stage

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

// Kind of a fault at one call.
type Kind string

// The kinds of faults that every call is given.
const (
	CrashBefore Kind = "crash before" // the process dies before the request is sent
	CrashAfter  Kind = "crash after"  // the effect happens, the process dies before the answer
	Lost        Kind = "not applied"  // the connection breaks before the effect
	Applied     Kind = "applied"      // the effect happens, the connection breaks
	Page        Kind = "html"         // the effect happens, a proxy answers 502 with a page
	Refused     Kind = "refused"      // 403 in the vendor's own shape
	Limited     Kind = "limited"      // 429 with Retry-After
	Late        Kind = "late"         // as applied, and what was made is listed late

	// What a world does that is less polite: answers that are not true.
	NotThere     Kind = "404"              // 404 in the vendor's own shape; nothing was done
	NotThereHTML Kind = "404 html"         // 404 with a page; nothing was done
	Applied400   Kind = "applied, 400"     // a gateway sent it twice, and passes on what became of the second
	Applied409   Kind = "applied, 409"     //
	Applied422   Kind = "applied, 422"     //
	Moved        Kind = "applied, 302"     //
	Nothing      Kind = "applied, {}"      // 200 with an empty object
	SetBack      Kind = "journal set back" // as crash after, and the journal has lost its tail
	Twin         Kind = "two processes"    // another process takes the run up after the effect, and ends it
	TwinBefore   Kind = "two, one waits"   // the same before the effect

	// RefusedForEver refuses every call of this kind from here on.
	RefusedForEver Kind = "refused for ever"
)

// Kinds are all kinds that hit a single call.
var Kinds = []Kind{CrashBefore, CrashAfter, Lost, Applied, Page, Refused, Limited, Late}

// Rude are the kinds of a world that answers what is not true, or in which a journal
// is not what it was.
var Rude = []Kind{NotThere, NotThereHTML, Applied400, Applied409, Applied422, Moved, Nothing, SetBack, Twin, TwinBefore}

// Fault is a kind of fault at the n-th call of a run.
type Fault struct {
	Call int
	Kind Kind
}

func (f Fault) String() string { return fmt.Sprintf("%s at call %d", f.Kind, f.Call) }

// Arrange makes the stage suffer these faults.
func (s *Stage) Arrange(faults ...Fault) {
	s.Before = func(n int, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		for _, f := range faults {
			if f.Call == n {
				return s.suffer(f.Kind, req, send)
			}
		}
		if s.refused[endpoint(req)] {
			return refusal(req, http.StatusForbidden), nil
		}
		return send()
	}
}

func (s *Stage) suffer(k Kind, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
	switch k {
	case CrashBefore:
		panic(Crash{})
	case CrashAfter:
		_, _ = send()
		panic(Crash{})
	case Lost:
		return nil, io.ErrUnexpectedEOF
	case Applied:
		_, _ = send()
		return nil, io.ErrUnexpectedEOF
	case Page:
		_, _ = send()
		return answer(req, http.StatusBadGateway, "text/html", "<html>502 Bad Gateway</html>"), nil
	case Late:
		s.late, s.lateMade = true, s.lateMade || creates(req)
		s.World.Turn(func(k *sim.Knobs) { k.ListLag = 1 })
		_, _ = send()
		return nil, io.ErrUnexpectedEOF
	case Refused:
		return refusal(req, http.StatusForbidden), nil
	case RefusedForEver:
		if s.refused == nil {
			s.refused = map[string]bool{}
		}
		s.refused[endpoint(req)] = true
		return refusal(req, http.StatusForbidden), nil
	case NotThere:
		return refusal(req, http.StatusNotFound), nil
	case NotThereHTML:
		return answer(req, http.StatusNotFound, "text/html", "<html>404 Not Found</html>"), nil
	case Applied400, Applied409, Applied422, Moved:
		_, _ = send()
		if k == Moved {
			return redirected(req), nil
		}
		return refusal(req, map[Kind]int{Applied400: 400, Applied409: 409, Applied422: 422}[k]), nil
	case Nothing:
		if sim.Hosts[req.URL.Host] == "" {
			return send() // what a site answers with 200 is an acceptance, by whatever body
		}
		_, _ = send()
		return answer(req, http.StatusOK, "application/json", "{}"), nil
	case SetBack:
		_, _ = send()
		s.setBack = true
		panic(Crash{})
	case Twin:
		resp, err := send()
		s.another()
		return resp, err
	case TwinBefore:
		s.another()
		if req.Method != http.MethodGet && req.Method != http.MethodHead && s.overtaken() != nil {
			return nil, errOvertaken // it was about to be sent; what was on its way already is another kind
		}
		return send()
	case Limited:
		r := refusal(req, http.StatusTooManyRequests)
		r.Header.Set("Retry-After", "5")
		return r, nil
	}
	panic("unknown kind of fault " + k)
}

// creates reports whether a call makes a new generation.
func creates(req *http.Request) bool {
	return req.Method == http.MethodPost && (strings.HasSuffix(req.URL.Path, "/service_tokens") || strings.HasSuffix(req.URL.Path, "/oauth/authorizations") || strings.HasSuffix(req.URL.Path, "/client-secrets"))
}

// endpoint is the kind of a call: method and path without ids.
func endpoint(req *http.Request) string {
	return req.Method + " " + req.URL.Host + ids.ReplaceAllString(req.URL.Path, "*")
}

var ids = regexp.MustCompile(`[0-9a-f-]{36}`)

// refusal answers in the shape of the vendor that was asked.
func refusal(req *http.Request, status int) *http.Response {
	switch vendor := sim.Hosts[req.URL.Host]; vendor {
	case "cloudflare":
		code := map[int]int{400: 12130, 403: 10000, 404: 7003, 409: 12130, 422: 12130, 429: 971}[status]
		return answer(req, status, "application/json", fmt.Sprintf(`{"success":false,"errors":[{"code":%d,"message":"no"}],"messages":[],"result":null}`, code))
	case "infisical":
		name := map[int]string{400: "BadRequest", 403: "PermissionDenied", 404: "NotFound", 409: "Conflict", 422: "ValidationFailure", 429: "RateLimitExceeded"}[status]
		return answer(req, status, "application/json", fmt.Sprintf(`{"statusCode":%d,"message":"no","error":%q}`, status, name))
	case "heroku":
		id := map[int]string{400: "bad_request", 403: "forbidden", 404: "not_found", 409: "conflict", 422: "invalid_params", 429: "rate_limit"}[status]
		return answer(req, status, "application/json", fmt.Sprintf(`{"id":%q,"message":"no"}`, id))
	}
	return answer(req, status, "text/html", "<html>no</html>")
}

// redirected answers a 302 as a gateway does.
func redirected(req *http.Request) *http.Response {
	r := answer(req, http.StatusFound, "text/html", "<html>Found</html>")
	r.Header.Set("Location", "https://login.example.com/")
	return r
}

func answer(req *http.Request, status int, kind, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Request: req, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(bytes.NewReader([]byte(body))), ContentLength: int64(len(body)),
	}
}

// Scenario is one way to play the SOP.
type Scenario struct {
	Credential string
	// On makes the stage; nil: New.
	On func(seed int64, knobs sim.Knobs) *Stage
	// Around as of the stage.
	Around func(http.RoundTripper) http.RoundTripper
	// Everyone: a rule accepts any valid token, so no rule has to be edited.
	Everyone bool
	Faults   []Fault
	// Strategy of the issuer; "": replace.
	Strategy string
	// Purpose of the run; "": to rotate.
	Purpose sop.Purpose
	// Knobs of the world; nil: those of a realistic Heroku.
	Knobs *sim.Knobs
	// Damage breaks the plan, to see whether the judge sees it.
	Damage func(*rotation.Plan)
}

func (sc Scenario) String() string {
	parts := []string{sc.Credential}
	if sc.Strategy != "" {
		parts = append(parts, sc.Strategy)
	}
	if sc.Purpose != "" {
		parts = append(parts, "to "+string(sc.Purpose))
	}
	if sc.Everyone {
		parts = append(parts, "without admission")
	}
	for _, f := range sc.Faults {
		parts = append(parts, f.String())
	}
	return strings.Join(parts, ", ")
}
