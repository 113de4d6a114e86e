// Package client is the operations on a server: internal/estate's interface over HTTP.
//
// A command line that is given one of these cannot tell it from an estate on its own
// machine: what is refused is the same *estate.Error, and a run is told of while it
// happens. What opens or advances a run is sent under a name of its own, and sent again
// under that name where the answer was lost, so that it happens once; the run is then
// followed by its id, and taken up again after the last event that was told where the
// connection breaks.
package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"rekey/internal/api"
	"rekey/internal/estate"
)

// Client asks one server. Make it with New.
type Client struct {
	base *url.URL
	o    Options
}

// Options are what a client has from outside.
type Options struct {
	// Transport makes the requests. It must not repeat any by itself.
	Transport http.RoundTripper
	// Authorize puts who asks on a request; nil: nothing is put on it. It is called for each.
	Authorize func(ctx context.Context, r *http.Request) error
	// Version of this program, which a server is told, and which a mismatch is told with.
	Version string
	Random  io.Reader // names of requests; nil: the system's
	// Sleep waits between two attempts; nil: for real.
	Sleep func(ctx context.Context, d time.Duration) error
	// Patience is how long a server that does not answer is asked again, for what may be
	// asked again; 0: two minutes.
	Patience time.Duration
	Now      func() time.Time
}

var _ estate.Operations = (*Client)(nil)

// New returns a client for the server at base, an http or https URL.
func New(base *url.URL, o Options) (*Client, error) {
	switch {
	case base.Scheme != "http" && base.Scheme != "https", base.Host == "":
		return nil, errors.New("the server's address must have the form https://rekey.example.com")
	case base.User != nil:
		return nil, errors.New("the server's address must not have a name or a password in it")
	case base.Scheme == "http" && o.Authorize != nil && !loopback(base.Hostname()):
		return nil, errors.New("a token is not sent to another machine without encryption; the server's address has to begin with https")
	case base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("the server's address must end with its path")
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Patience == 0 {
		o.Patience = 2 * time.Minute
	}
	if o.Sleep == nil {
		o.Sleep = estate.RealClock{}.Sleep
	}
	at := *base
	at.Path = strings.TrimRight(at.Path, "/")
	return &Client{base: &at, o: o}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Server is the server's address.
func (c *Client) Server() string { return c.base.String() }

// Open opens a run at the server, and follows it.
func (c *Client) Open(ctx context.Context, o estate.Opening, f estate.Face) (estate.Ended, error) {
	var begun estate.Begun
	if err := c.once(ctx, "openRun", "", o, &begun); err != nil {
		return estate.Ended{}, err
	}
	return c.attend(ctx, begun.Run, 0, f)
}

// Advance has an open run taken up, and follows it.
func (c *Client) Advance(ctx context.Context, a estate.Advancing, f estate.Face) (estate.Ended, error) {
	run := a.Run
	if run == "" {
		run = api.OnlyOpen
	}
	var taken estate.Taken
	if err := c.once(ctx, "advanceRun", run, api.Advancing{Confirm: a.Confirm, Reason: a.Reason, Despite: a.Despite, Without: a.Without}, &taken); err != nil {
		return estate.Ended{}, err
	}
	return c.attend(ctx, taken.Run, taken.After, f)
}

// GoBack has an open run turned back, and follows it.
func (c *Client) GoBack(ctx context.Context, b estate.Backing, f estate.Face) (estate.Ended, error) {
	var taken estate.Taken
	if err := c.once(ctx, "goBack", b.Run, api.Backing{Reason: b.Reason, Without: b.Without}, &taken); err != nil {
		return estate.Ended{}, err
	}
	return c.attend(ctx, taken.Run, taken.After, f)
}

// once sends what must happen once: under a name of its own, and again under that name
// while nothing tells whether it has happened.
func (c *Client) once(ctx context.Context, id, run string, body, into any) error {
	name := make([]byte, 16)
	if _, err := io.ReadFull(c.o.Random, name); err != nil {
		return &estate.Error{Code: estate.Failed, Err: fmt.Errorf("name the request: %w", err)}
	}
	key := fmt.Sprintf("%x", name)
	until := c.o.Now().Add(c.o.Patience)
	for wait := time.Second / 2; ; wait = min(2*wait, 10*time.Second) {
		err := c.ask(ctx, asking{id: id, run: run, body: body, key: key}, into)
		lost, again := errors.AsType[*lost](err)
		switch {
		case err == nil || !again:
			return err
		case ctx.Err() != nil || c.o.Now().After(until):
			return &estate.Error{Code: estate.Failed, Err: fmt.Errorf("whether %s was done is not known: %w", words(id), lost), Advice: []string{"rekey status", "rekey log"}}
		}
		if c.o.Sleep(ctx, wait) != nil {
			return &estate.Error{Code: estate.Failed, Err: fmt.Errorf("whether %s was done is not known: %w", words(id), lost), Advice: []string{"rekey status", "rekey log"}}
		}
	}
}

func words(id string) string {
	switch id {
	case "openRun":
		return "the opening of the run"
	case "goBack":
		return "the turning back of the run"
	case "advanceRun":
		return "the taking up of the run"
	case "approve", "refuse", "takeBack":
		return "the answer to the request"
	case "newKey":
		return "the change of the key"
	case "createToken":
		return "the making of the token"
	}
	return "what was asked"
}
