package providertest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"rekey/internal/cred"
)

// Canary stands in every hostile answer, where a vendor could put something
// secret: in the body, in headers, in the status line, in error texts.
const Canary = "canary-2f6d81c07b"

// gateway answers in JSON as vendors do, in a shape of its own.
const gateway = "JSON of a gateway"

// canaryID is an error id in no vendor's table: what is not known is not shown.
const canaryID = "canary_in_an_error_id"

// answer is one way to answer badly.
type answer struct {
	name    string
	respond func(*http.Request) (*http.Response, error)
	classes []cred.Class // allowed; never Done
	// unproven: given to what changes something, it does not prove that nothing was changed.
	unproven bool
	says     string // has to stand in the error
	write    bool   // tried on what changes something only: of a look it may be true
	shape    bool   // only the vendor's own error shape tells it from the vendor
}

func reply(req *http.Request, status int, mime string, body io.Reader) *http.Response {
	return &http.Response{
		StatusCode: status, Status: fmt.Sprintf("%d %s", status, Canary), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1,
		Header: http.Header{
			"Content-Type": {mime}, "Set-Cookie": {"session=" + Canary}, "X-Request-Id": {Canary}, "Retry-After": {"7"},
			"Location": {"https://elsewhere.example.com/" + Canary},
		},
		Body: io.NopCloser(body), Request: req,
	}
}

// shapes is an error in the shapes of many vendors at once.
func shapes(code int) string {
	return `{"success":false,"errors":[{"code":99999,"message":"` + Canary + `"}],"messages":[],"result":null,` +
		`"id":"` + canaryID + `","message":"` + Canary + `","error":"` + Canary + `","reqId":"` + Canary + `","statusCode":` + strconv.Itoa(code) + `}`
}

// own are all errors in the vendor's own shape.
type own struct{ body func(status int) string }

func (o own) status(code int, classes ...cred.Class) answer {
	body := o.body(code)
	return answer{fmt.Sprint(code), func(req *http.Request) (*http.Response, error) {
		return reply(req, code, "application/json", strings.NewReader(body)), nil
	}, classes, code != http.StatusUnauthorized && code != http.StatusForbidden && code != http.StatusTooManyRequests, "", false, false}
}

// redirect leads elsewhere, where no credential may go.
func (o own) redirect(code int) answer {
	a := o.status(code, cred.Unknown)
	a.says = "redirected"
	return a
}

// stranger is an answer with the status of an error that no vendor gave: it says
// nothing of what the vendor has.
func stranger(code int, what, mime, body string) answer {
	return answer{fmt.Sprintf("%d with %s", code, what), func(req *http.Request) (*http.Response, error) {
		return reply(req, code, mime, strings.NewReader(body)), nil
	}, []cred.Class{cred.Unknown}, true, "between here and", false, what == gateway}
}

func content(name, mime, body string) answer {
	return answer{name, func(req *http.Request) (*http.Response, error) {
		return reply(req, http.StatusOK, mime, strings.NewReader(body)), nil
	}, []cred.Class{cred.Unknown}, true, "", false, false}
}

// nothing says that all went well, and not with what.
func nothing(name, body string) answer {
	a := content(name, "application/json", body)
	a.write = true
	return a
}

// answers are all bad ones. What a 200 says that cannot be understood may have
// happened: Unknown, never a refusal, and never done.
func (s *suite) answers() []answer {
	o := own{shapes}
	if s.Refusal != nil {
		o.body = s.Refusal
	}
	return []answer{
		o.status(401, cred.Denied), o.status(403, cred.Denied), o.status(404, cred.Absent, cred.Unknown), o.status(409, cred.Conflict), // a 404 that is in no table may be nobody's word
		o.status(400, cred.Refused), o.status(422, cred.Refused), o.status(429, cred.Limited),
		o.status(500, cred.Unknown), o.status(502, cred.Unknown), o.status(503, cred.Unknown), o.status(504, cred.Unknown),
		o.redirect(302), o.redirect(307),
		stranger(404, "a page", "text/html", "<html>"+Canary+"</html>"), stranger(404, "nothing", "", ""), stranger(403, "a text", "text/plain", Canary),
		stranger(409, "a page", "text/html", "<html>"+Canary+"</html>"), stranger(400, "nothing", "application/json", ""),
		stranger(502, "a page", "text/html", "<html>"+Canary+"</html>"),
		stranger(404, gateway, "application/json", `{"message":"no Route matched with those values","request_id":"`+Canary+`"}`),
		stranger(409, gateway, "application/json", `{"error":"`+Canary+`"}`),
		content("a page", "text/html", "<html>"+Canary+"</html>"),
		content("nothing", "application/json", ""),
		content("half of an answer", "application/json", `{"success":true,"result":{"client_secret":"`+Canary),
		content("an empty object", "application/json", `{}`),
		content("null", "application/json", `null`),
		content("an empty part", "application/json", `{"secrets":{},"clientSecrets":{},"workspace":{}}`),
		nothing("an envelope with nothing in it", `{"success":true,"errors":[],"messages":[],"result":{}}`),
		content("a list of nothing in particular", "application/json", `[{}]`),
		content("a text", "application/json", `"`+Canary+`"`),
		content("numbers for texts", "application/json", `[[1,2,{"`+Canary+`":3}]]`),
		{"an answer cut off", func(req *http.Request) (*http.Response, error) {
			return reply(req, http.StatusOK, "application/json", io.MultiReader(strings.NewReader(`{"success":true,"x":"`+Canary), broken{})), nil
		}, []cred.Class{cred.Unknown}, true, "cut off", false, false},
		{"an endless answer", func(req *http.Request) (*http.Response, error) {
			return reply(req, http.StatusOK, "application/json", ceaseless{}), nil
		}, []cred.Class{cred.Unknown}, true, "larger than", false, false},
		{"a cut connection", func(*http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("read tcp: %s: %w", Canary, io.ErrUnexpectedEOF)
		}, []cred.Class{cred.Unknown}, true, "was cut before the answer", false, false},
		{"a library's error with an address", func(*http.Request) (*http.Response, error) {
			return nil, errors.New("get https://vendor/?token=" + Canary + ": malformed HTTP response \"" + Canary + "\"")
		}, []cred.Class{cred.Unknown}, true, "", false, false},
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, fmt.Errorf("%s: %w", Canary, io.ErrUnexpectedEOF) }

type ceaseless struct{}

func (ceaseless) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte("x"), len(p))), nil }
