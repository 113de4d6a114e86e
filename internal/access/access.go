// Package access says who asks a server, and what he may: it signs people in, takes the tokens of machines, keeps sessions, and refuses whoever is not known.
package access

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"rekey/internal/identity"
	"rekey/internal/journal"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// Prefix is where Routes stand.
const Prefix = "/access/"

// Options are what an Access has from outside.
type Options struct {
	// Config is rekey.yaml: identity, and the credentials that are there.
	Config *sop.Config
	// Listen is the address that the server listens on, as net.Listen takes it.
	Listen string
	// URL is how browsers reach it, without a path: https://rekey.example.com. "": only by
	// loopback, as http://localhost and the port of Listen.
	URL string
	// Journal is in whose database tokens and sessions are kept.
	Journal *journal.Journal
	// User is who runs the server, as far as the system knows: alice@laptop. He is the
	// caller where rekey.yaml has no way to come in, which is on loopback only.
	User string
	// Resolve finds the secret that a reference names.
	Resolve func(ctx context.Context, refs sop.Refs) (secret.Value, error)
	// Transport is how issuers are asked.
	Transport http.RoundTripper
	// Looks reports whether a request changes nothing although it is none of GET: it ends with
	// the right to ask for it, as those do. nil: none does.
	Looks func(*http.Request) bool
	// Noted is how often at most the use of a token is noted; 0: every minute.
	Noted time.Duration
	Now   func() time.Time
	// Again is how often it is looked whether whoever follows something still may, where
	// this process has not ended it itself; 0: every five seconds.
	Again  time.Duration
	Random io.Reader    // nil: the system's
	Log    *slog.Logger // nil: nobody is told
}

// Access decides who comes in. It may be used from several goroutines.
type Access struct {
	Options
	store *store
	base  *url.URL // of URL; nil: loopback only
	asked *limits  // attempts to sign in, by address
	// anybody bounds those of all addresses: each is a row for ten minutes.
	anybody *rate.Limiter
	wrong   *limits // tokens that are worth nothing, by address

	living living

	mu  sync.Mutex
	now *rules
}

// rules are what rekey.yaml says, as it was read last.
type rules struct {
	epoch   int // grows when it says something else of who may what
	config  *sop.Config
	id      *sop.Identity
	ci      []*identity.Verifier
	proxy   *identity.Verifier
	signIn  *identity.Verifier
	found   identity.Endpoints
	foundAt time.Time
}

// New makes its tables where they are not there yet.
//
// Errors: what MayListen says, an address that is none, and whatever the database says.
func New(ctx context.Context, o Options) (*Access, error) {
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Again == 0 {
		o.Again = lookedAgain
	}
	a := &Access{Options: o, living: living{all: map[*look]struct{}{}}, asked: newLimits(6*time.Second, 20), anybody: rate.NewLimiter(50, 1000), wrong: newLimits(time.Second, 30)}
	if o.URL != "" {
		u, err := url.Parse(o.URL)
		if err != nil || sop.CheckAddress(o.URL, false) != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
			return nil, errors.New("the address of the server must have the form https://host, without a path; http only on this machine")
		}
		u.Path = ""
		a.base = u
	}
	if err := a.Reload(o.Config); err != nil {
		return nil, err
	}
	if o.Journal == nil {
		return nil, errors.New("sessions and tokens are kept in the journal's database, and there is none")
	}
	if err := o.Journal.Tables(ctx, "access", migrations()...); err != nil {
		return nil, err
	}
	db, _ := o.Journal.DB()
	a.store = &store{db: db, now: o.Now, every: o.Noted}
	return a, nil
}

// Reload goes by a rekey.yaml that has changed. It is refused, and the last one stays,
// where everybody who reaches the server could do everything then (MayListen), or where people
// sign in who could not come back.
func (a *Access) Reload(config *sop.Config) error {
	id := config.Identity
	if err := errors.Join(MayListen(a.Listen, id), mayBeCalled(a.base, id)); err != nil {
		return err
	}
	r := &rules{config: config, id: id}
	if id != nil {
		if id.SignIn != nil && a.base == nil && !loopbackListens(a.Listen) {
			return errors.New("people who sign in are sent back to the server's own address, which is not configured: rekey serve --url https://HOST")
		}
		for _, o := range id.OIDC {
			r.ci = append(r.ci, a.verifier(o.Issuer, o.Audience, ""))
		}
		if id.SignIn != nil {
			r.signIn = a.verifier(id.SignIn.Issuer, id.SignIn.ClientID, "")
		}
		if id.Proxy != nil {
			r.proxy = a.verifier(id.Proxy.Issuer, id.Proxy.Audience, id.Proxy.Keys).OfGate()
		}
	}
	a.mu.Lock()
	if a.now != nil {
		if r.epoch = a.now.epoch; !sameAccess(a.now.config, config) {
			r.epoch++
		}
	}
	a.now = r
	a.mu.Unlock()
	a.lookAgain()
	return nil
}

func (a *Access) verifier(issuer, audience, keys string) *identity.Verifier {
	return identity.NewVerifier(issuer, audience, keys, a.Transport, a.Now)
}

func (a *Access) rules() *rules {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now
}

// caller is who asks, and how he came in.
type caller struct {
	who     rotation.Who
	subject string          // of a person; "": a machine, or whoever is there
	claims  identity.Claims // of a person
	at      time.Time       // when he was asked last who he is; zero: nobody knows
	session string          // hash of his session's id
	token   *Token          // of Rekey's own
	person  bool            // who can be asked to sign in again
	until   time.Time       // when what he came with expires, of which nobody is told otherwise; zero: it is looked up
	epoch   int             // of the rules by which he came in
}

type callerKey struct{}

func with(ctx context.Context, c *caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

func from(ctx context.Context) *caller {
	c, _ := ctx.Value(callerKey{}).(*caller)
	return c
}

// From tells who asks.
func From(ctx context.Context) (rotation.Who, bool) {
	if c := from(ctx); c != nil {
		return c.who, true
	}
	return rotation.Who{}, false
}

// Who tells who asks; it fits estate.Surroundings.Who.
func (a *Access) Who(ctx context.Context) (rotation.Who, error) {
	who, ok := From(ctx)
	if !ok {
		return who, errors.New("nobody has signed in")
	}
	return who, nil
}
