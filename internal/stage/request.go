package stage

import (
	"bytes"
	"io"
	"net/http"
	"regexp"

	"rekey/internal/world"
)

// request is a call by HTTP.
type request struct {
	s   *Stage
	req *http.Request
}

func (r request) kind() string { return Endpoint(r.req) }

func (r request) changes() bool {
	return r.req.Method != http.MethodGet && r.req.Method != http.MethodHead
}

func (r request) site() bool { return r.s.World.Host(r.req.URL.Host) == nil }

func (r request) page(status int) (*http.Response, error) {
	text := "<html>404 Not Found</html>"
	if status == http.StatusBadGateway {
		text = "<html>502 Bad Gateway</html>"
	}
	return Answer(r.req, status, "text/html", text), nil
}

func (r request) refusal(status int) (*http.Response, error) {
	resp := r.s.Refusal(r.req, status)
	if status == http.StatusTooManyRequests {
		resp.Header.Set("Retry-After", "5")
	}
	return resp, nil
}

func (r request) elsewhere() (*http.Response, error) {
	resp := Answer(r.req, http.StatusFound, "text/html", "<html>Found</html>")
	resp.Header.Set("Location", "https://login.example.com/")
	return resp, nil
}

func (r request) nothing() (*http.Response, error) {
	return Answer(r.req, http.StatusOK, "application/json", "{}"), nil
}

// cutOff is half of what was answered, and says of itself that it is all.
func (r request) cutOff(resp *http.Response, err error) (*http.Response, error) {
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	half := Answer(r.req, resp.StatusCode, resp.Header.Get("Content-Type"), string(body[:len(body)/2]))
	return half, nil
}

func (r request) failure() (*http.Response, error) {
	resp := r.s.Refusal(r.req, http.StatusBadRequest)
	resp.StatusCode = http.StatusOK
	return resp, nil
}

func (r request) vendor() string { return r.req.URL.Host }

// Refusal answers in the shape of the double that was asked; in no shape, a page, if
// it has none.
func (s *Stage) Refusal(req *http.Request, status int) *http.Response {
	d, ok := s.World.Host(req.URL.Host).(world.Fails)
	if !ok {
		return Answer(req, status, "text/html", "<html>no</html>")
	}
	r := world.NewReply()
	d.Fail(r, status, "")
	return Answer(req, r.Status, r.Header().Get("Content-Type"), r.Body.String())
}

// Endpoint is the kind of a request: method, host and path without ids.
func Endpoint(req *http.Request) string {
	return req.Method + " " + req.URL.Host + ids.ReplaceAllString(req.URL.Path, "*")
}

var ids = regexp.MustCompile(`[0-9a-f-]{36}`)

// Answer is one of whoever stands in for a vendor.
func Answer(req *http.Request, status int, kind, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Request: req, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(bytes.NewReader([]byte(body))), ContentLength: int64(len(body)),
	}
}
