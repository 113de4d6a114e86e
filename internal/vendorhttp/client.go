// Package vendorhttp is the only HTTP client: limits, time-outs, answer classes, and no bodies in errors.
package vendorhttp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"rekey/internal/cred"
)

const (
	// DefaultTimeout bounds one request from dial to the last byte.
	DefaultTimeout = 30 * time.Second
	// MaxBody bounds an answer; the largest real one (a full list of Access
	// applications) stays far below.
	MaxBody = 8 << 20
	// UserAgent is an ordinary one: bot rules in front of a gate answer 403 to
	// library defaults, which looks like a dead credential (docs/vendors/cloudflare.md).
	UserAgent = "rekey/1"
)

// Call is one call that was made, for counting and showing; of a driver that does
// not speak HTTP too, then without method and status.
type Call struct {
	Vendor   string        `json:"vendor"`
	Op       string        `json:"op"`
	Method   string        `json:"method"`
	Status   int           `json:"status"`  // 0: no answer
	Changes  bool          `json:"changes"` // it may have changed something; otherwise it looked
	Duration time.Duration `json:"took"`
}

// Client talks to one vendor. It follows no redirects, keeps no cookies and
// repeats nothing: a repetition is an effect that the journal did not see.
type Client struct {
	Vendor    string // as named in rekey.yaml
	Base      string // URL without trailing slash
	Where     string // cred.Error.Where of what is denied or absent
	Transport http.RoundTripper
	Timeout   time.Duration // of one request; 0: DefaultTimeout
	Now       func() time.Time
	// Authorize puts the credential on a request and says in printable words
	// which one it was; nil: none.
	Authorize func(context.Context, *http.Request) (used string, err error)
	// Explain refines the class of an answer outside 2xx from the vendor's own
	// table; it must return words of ours only. nil: by status alone.
	Explain func(status int, body []byte) (class cred.Class, code, why string)
	// Observe is told of every request after it was made; nil: nobody.
	Observe func(Call)
	// Own reports whether an answer outside 2xx is in the vendor's own error shape.
	// Only such an answer is Absent, Denied, Conflict or Refused; anything else came
	// from something in front of the vendor and is Unknown. nil: any JSON is taken.
	Own func(*Response) bool
	// NotApplied reports whether an answer to a write, in the vendor's own error
	// shape, is documented by the vendor to mean that nothing was applied. nil: no
	// answer is, but those that deny the credential or tell of the rate limit.
	NotApplied func(*Response) bool
	// Pace leaves a part of the vendor's rate limit to changes and to emergencies; nil: none.
	Pace *Pace
	// Clock learns how far the vendor's clock is ahead of ours; nil: nobody asks.
	Clock *Clock
}

// Request is one request.
type Request struct {
	Op     string // in words, for errors and the live view: "create service token"
	Method string
	Path   string // below Base, escaped
	Query  url.Values
	Header map[string]string
	Body   any // encoded as JSON; nil: none
	// Reads: it changes nothing, although its method is one that may: a login, a search.
	Reads bool
}

// writes reports whether a request may change something.
func (r Request) writes() bool {
	return !r.Reads && r.Method != http.MethodGet && r.Method != http.MethodHead
}

type changesKey struct{}

// Changes reports whether a request of a Client may change something: not every method
// but GET does. Of a request of somebody else it goes by the method.
func Changes(req *http.Request) bool {
	if changes, told := req.Context().Value(changesKey{}).(bool); told {
		return changes
	}
	return req.Method != http.MethodGet && req.Method != http.MethodHead
}

// Response is one answer.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	op     string
	vendor string
	host   string
	proxy  string
	used   string
}

// Do sends one request once. The error is nil only for 2xx.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	resp, err := c.Raw(ctx, r)
	if err != nil {
		return nil, err
	}
	if resp.Status >= 200 && resp.Status < 300 {
		return resp, nil
	}
	return nil, c.Failure(r, resp)
}

// Raw sends one request once and returns whatever was answered: for probes,
// where a refusal is an answer.
func (c *Client) Raw(ctx context.Context, r Request) (*Response, error) {
	if err := c.Pace.holds(ctx, c, r); err != nil {
		return nil, err
	}
	// Finding the credential has a patience of its own: a person may be asked for it.
	req, used, err := c.request(ctx, r)
	if err != nil {
		return nil, err
	}
	timeout := c.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ctx, way := noted(ctx)
	req = req.WithContext(context.WithValue(ctx, changesKey{}, r.writes()))
	start := c.Now()
	hc := http.Client{
		Transport:     c.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := hc.Do(req)
	if err != nil {
		c.observe(r, 0, start)
		return nil, &cred.Error{Vendor: c.Vendor, Op: r.Op, Class: cred.Unknown, Why: unanswered(ctx, err, req.URL.Host, way), Err: contextError(err)}
	}
	defer func() { _ = resp.Body.Close() }()
	c.Pace.learns(ctx, c, r, resp.StatusCode, resp.Header)
	c.Clock.learns(resp.Header, start, c.Now())
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	c.observe(r, resp.StatusCode, start)
	switch {
	case err != nil:
		return nil, &cred.Error{Vendor: c.Vendor, Op: r.Op, Class: cred.Unknown, Status: resp.StatusCode, Why: "the answer was cut off"}
	case len(body) > MaxBody:
		return nil, &cred.Error{Vendor: c.Vendor, Op: r.Op, Class: cred.Unknown, Status: resp.StatusCode, Why: "the answer is larger than any that was expected"}
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: body, op: r.Op, vendor: c.Vendor, host: req.URL.Host, proxy: way.proxy, used: used}, nil
}

func (c *Client) request(ctx context.Context, r Request) (*http.Request, string, error) {
	bug := func(why string) (*http.Request, string, error) {
		return nil, "", &cred.Error{Vendor: c.Vendor, Op: r.Op, Class: cred.Refused, Why: why}
	}
	var body io.Reader
	if r.Body != nil {
		b, err := json.Marshal(r.Body)
		if err != nil {
			return bug("the request could not be encoded")
		}
		body = bytes.NewReader(b)
	}
	target := strings.TrimSuffix(c.Base, "/") + r.Path
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, target, body)
	if err != nil {
		return bug("the address is not usable")
	}
	// Without GetBody the transport has nothing to send a second time.
	req.GetBody = nil
	req.Header.Set("User-Agent", UserAgent)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range r.Header {
		req.Header.Set(k, v)
	}
	used := ""
	if c.Authorize != nil {
		if used, err = c.Authorize(ctx, req); err != nil {
			if _, classified := errors.AsType[*cred.Error](err); classified {
				return nil, "", err
			}
			// Nothing was sent, so nothing was applied.
			return nil, "", &cred.Error{Vendor: c.Vendor, Op: r.Op, Class: cred.Unsent, Why: err.Error()}
		}
	}
	return req, used, nil
}

func (c *Client) observe(r Request, status int, start time.Time) {
	if c.Observe != nil {
		c.Observe(Call{Vendor: c.Vendor, Op: r.Op, Method: r.Method, Status: status, Changes: r.writes(), Duration: c.Now().Sub(start)})
	}
}

// contextError keeps a cancellation recognisable and drops everything else: a
// transport error quotes URLs and bytes of the answer.
func contextError(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	}
	return nil
}
