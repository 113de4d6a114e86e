package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"rekey/internal/api"
	"rekey/internal/estate"
	"rekey/internal/visible"
)

// asking is one request.
type asking struct {
	id    string // the operation's, in the API
	run   string
	query url.Values
	body  any    // nil: none
	key   string // its name, where it may be sent again
}

// runID is what may stand for a run in a path, whatever somebody typed.
var runID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// lost is an attempt of which nobody knows what became.
type lost struct{ err error }

func (l *lost) Error() string { return l.err.Error() }
func (l *lost) Unwrap() error { return l.err }

// maxAnswer bounds an answer that is held in memory: the status of 100,000 credentials.
const maxAnswer = 256 << 20

// ask sends a request and reads its answer.
func (c *Client) ask(ctx context.Context, a asking, into any) error {
	resp, err := c.send(ctx, a)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return unanswered(fmt.Errorf("the answer was cut off: %w", plain(err)))
	case len(b) > maxAnswer:
		return &estate.Error{Code: estate.Failed, Err: errors.New("the server's answer is too large")}
	}
	if err := json.Unmarshal(b, into); err != nil {
		return c.strange("its answer is not what this version expects")
	}
	return nil
}

// send sends a request; what comes back is an answer to it, of the type that it has.
func (c *Client) send(ctx context.Context, a asking) (*http.Response, error) {
	way := api.WayOf(a.id)
	if strings.Contains(way.Path, "{run}") && !runID.MatchString(a.run) {
		return nil, &estate.Error{Code: estate.NoRun, Run: visible.Text(a.run)}
	}
	at := *c.base
	at.Path += api.Base + strings.ReplaceAll(way.Path, "{run}", a.run)
	at.RawQuery = a.query.Encode()
	var body io.Reader
	if a.body != nil {
		b, err := json.Marshal(a.body)
		if err != nil {
			return nil, &estate.Error{Code: estate.Failed, Err: fmt.Errorf("encode the request: %w", err)}
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, way.Method, at.String(), body)
	if err != nil {
		return nil, &estate.Error{Code: estate.Failed, Err: err}
	}
	req.GetBody = nil // net/http would send it again by itself
	req.Header.Set("Accept", way.Type+", "+api.Problem)
	req.Header.Set("User-Agent", "rekey/"+c.o.Version)
	if a.body != nil {
		req.Header.Set("Content-Type", api.JSON)
	}
	if a.key != "" {
		req.Header.Set(api.RequestHeader, a.key)
	}
	if c.o.Authorize != nil {
		if err := c.o.Authorize(ctx, req); err != nil {
			return nil, &estate.Error{Code: estate.NotIdentified, Err: err}
		}
	}
	resp, err := c.o.Transport.RoundTrip(req)
	if err != nil {
		return nil, unanswered(fmt.Errorf("the server at %s does not answer: %w", c.base.Host, plain(err)))
	}
	if err := c.answered(way, resp); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// answered returns why an answer is none to the operation.
func (c *Client) answered(way api.Way, resp *http.Response) error {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	ours := resp.Header.Get(api.VersionHeader) != ""
	switch {
	case ours && resp.StatusCode/100 == 2 && (kind == way.Type || resp.StatusCode == http.StatusNoContent):
		return nil
	case ours && kind == api.Problem:
		b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
		if err != nil {
			return unanswered(fmt.Errorf("the answer was cut off: %w", plain(err)))
		}
		if problem, is := api.ReadRefusal(b); is {
			return c.refused(problem, resp)
		}
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests:
		// Something in between could not reach the server, or it could not answer.
		return unanswered(fmt.Errorf("the server at %s answers %d", c.base.Host, resp.StatusCode))
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden || resp.StatusCode/100 == 3:
		return &estate.Error{Code: estate.NotIdentified, Err: fmt.Errorf("something in front of the server at %s requires its own sign-in (it answers %d)", c.base.Host, resp.StatusCode)}
	}
	return c.strange(fmt.Sprintf("it answers %d with %s", resp.StatusCode, visible.Text(orNothing(kind))))
}

func orNothing(kind string) string {
	if kind == "" {
		return "nothing that says what it is"
	}
	return kind
}

// refused makes the error of a problem. What the server is too old or too new for is said
// with both versions.
func (c *Client) refused(problem api.Refusal, resp *http.Response) error {
	theirs := visible.Text(resp.Header.Get(api.VersionHeader))
	switch problem.Code {
	case api.NoWay, api.NoMethod:
		return &estate.Error{Code: estate.Failed, Err: fmt.Errorf("the server at %s does not know this operation: it is Rekey %s, and this is %s", c.base.Host, theirs, c.o.Version),
			Advice: []string{"use the server's version of rekey, or update the server"}}
	case api.BadRequest:
		if theirs != c.o.Version {
			problem.Why = ""
			problem.Mistakes = append(problem.Mistakes, api.Mistake{At: "version", What: fmt.Sprintf("the server is Rekey %s, and this is %s", theirs, c.o.Version)})
		}
	case api.TooMany, api.Draining, api.Unavailable, api.TookTooLong:
		return unanswered(problem.Err())
	}
	return problem.Err()
}

// strange is a server that is none of Rekey's, or of another age.
func (c *Client) strange(what string) error {
	return &estate.Error{Code: estate.Failed, Err: fmt.Errorf("what answers at %s is not a Rekey server that this version (%s) can talk to: %s", c.base.Host, c.o.Version, what)}
}

// unanswered is what nobody knows the outcome of.
func unanswered(err error) error { return &lost{err: err} }

// plain takes the request's address out of an error of net/http.
func plain(err error) error {
	if e, is := errors.AsType[*url.Error](err); is {
		return e.Err
	}
	return err
}

// look asks for what may be asked again at any time, and does so once: whoever asked sees
// that it failed, and asks again.
func (c *Client) look(ctx context.Context, a asking, into any) error {
	err := c.ask(ctx, a, into)
	if lost, is := errors.AsType[*lost](err); is {
		if errors.Is(ctx.Err(), context.Canceled) {
			return &estate.Error{Code: estate.Interrupted, Err: context.Canceled}
		}
		return &estate.Error{Code: estate.Failed, Err: lost.err, Advice: []string{"rekey status"}}
	}
	return err
}
