// Package console shows the estate and its runs as pages, and takes what a person decides by their forms.
//
// Pages are rendered here, by html/template; the browser gets HTML that is whole without
// JavaScript. Where there is JavaScript, htmx (vendored, assets/htmx.LICENSE) swaps a
// list while somebody types and a run while it happens, and app.js shows times as the
// reader's clock has them. Nothing is loaded from elsewhere and nothing stands inline:
// the Content-Security-Policy of every answer says so.
//
// What changes something is a POST that ends with a redirect, refused where it comes
// from another site (net/http.CrossOriginProtection). What a GET does may be done at any
// time: it looks.
package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"rekey/internal/engine"
	"rekey/internal/estate"
	"rekey/internal/rotation"
)

// Options are what the console is made of. Ops is wanted; whatever else is nil is left
// out of the pages.
type Options struct {
	Ops Operations
	// Now is time; nil: the real one.
	Now func() time.Time
	// Who tells who asks, as whoever signs people in knows it. nil: nobody signs in, and
	// the operations say who it is.
	Who func(*http.Request) (rotation.Who, bool)
	// SignIn tells the path to which somebody is sent who is not signed in; the page that he
	// wanted is appended as ?to=. "", or nil: people do not sign in, and he is refused.
	SignIn func() string
	// SignOut tells where a form ends the sign-in of who asks; "", or nil: there is none that
	// could be ended here.
	SignOut func(*http.Request) string
	// Origins are origins of other sites whose forms are taken: a proxy's, under which the
	// console is reached by another name. See http.CrossOriginProtection.AddTrustedOrigin.
	Origins []string
	// Simulated says on every page that the vendors are simulated ones.
	Simulated bool
	// Tool is the version of this program.
	Tool string
	// File is what rekey.yaml is called here, for the texts that tell what to write there.
	File string

	// Mistakes are those of a rekey.yaml that is not in force because of them, for whoever may
	// read them; none: it is.
	Mistakes func(ctx context.Context) []string
	// Workers and Leases tell who advances runs, as internal/engine does. nil: the pages have
	// what the journal tells.
	Workers func(ctx context.Context) ([]engine.Worker, error)
	Leases  func(ctx context.Context) ([]engine.Lease, error)
	// Facts are further lines of the health page: the database, the rate limits' budgets.
	Facts func(ctx context.Context) ([]Fact, error)
	// Doctor tells what this machine lacks, on request. nil: it is not offered.
	Doctor func(ctx context.Context, credentials []string) ([]estate.Finding, error)

	// ByHand tells of a vendor of rekey.yaml whether a person makes what it issues; nil: none.
	// Asked is what a run waits for that only a person can do (nil: for nothing), and HandOver
	// answers it once; both are there where ByHand is.
	ByHand   func(vendor string) bool
	Asked    func(ctx context.Context, run string) (*estate.AskedByHand, error)
	HandOver func(ctx context.Context, run, id string, answer estate.Answer) error

	// Guide is what the first page proposes to try, in order; nil, or none: nothing.
	Guide func() []Hint

	// Streams is how many runs may be followed at the same time; 0: 256. Whoever comes
	// after has a page that does not move.
	Streams int
	// Each is how many of these one person may follow; 0: 32.
	Each int
	// Log is told of what failed and was not refused; nil: slog.Default().
	Log *slog.Logger
}

// Console is the handler of all pages.
type Console struct {
	o       Options
	pages   map[string]*templates
	assets  map[string]asset
	streams *seats
	live    live
	handler http.Handler
}

// New returns the console. It fails only if a template or an origin cannot be read.
func New(o Options) (*Console, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Streams <= 0 {
		o.Streams = 256
	}
	if o.Each <= 0 {
		o.Each = 32
	}
	if o.File == "" {
		o.File = "rekey.yaml"
	}
	c := &Console{o: o, streams: &seats{all: o.Streams, each: o.Each, of: map[string]int{}}, live: live{runs: map[string]*watched{}}}
	var err error
	if c.assets, err = readAssets(); err != nil {
		return nil, err
	}
	if c.pages, err = c.readPages(); err != nil {
		return nil, err
	}
	protection := http.NewCrossOriginProtection()
	for _, origin := range o.Origins {
		if err := protection.AddTrustedOrigin(origin); err != nil {
			return nil, err
		}
	}
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.fail(w, r, http.StatusForbidden, problem{
			Title: "This form was sent from another site", Why: "Only forms of this console are accepted, so that no other site can make your browser press a button here.",
			Live: []string{"Nothing was touched."}, Links: []link{{"Back to the estate", "/"}},
		})
	}))
	c.handler = protection.Handler(c.routes())
	return c, nil
}

func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	c.handler.ServeHTTP(w, r)
}

// maxBody is more than a form with the largest plan needs.
const maxBody = 4 << 20

// policy allows what is served here, and nothing that stands inline.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

func (c *Console) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /assets/{sum}/{name}", c.asset)
	page := func(pattern string, f func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { c.answer(w, r, f) })
	}
	page("GET /{$}", c.estatePage)
	page("GET /credentials/{name}", c.credentialPage)
	page("GET /credentials/{name}/plan", c.planPage)
	page("POST /credentials/{name}/run", c.begin)
	page("POST /credentials/{name}/check", c.check)
	page("POST /credentials/{name}/compare", c.compare)
	page("POST /credentials/{name}/discover", c.discover)
	page("GET /credentials/{name}/procedure", c.procedure)
	page("GET /runs", c.runsPage)
	page("GET /runs/{run}", c.runPage)
	page("GET /runs/{run}/events", c.runEvents)
	page("GET /runs/{run}/back", c.backPage)
	page("POST /runs/{run}/back", c.turnBack)
	page("POST /runs/{run}/resume", c.takeUp)
	if c.o.ByHand != nil {
		page("GET /runs/{run}/by-hand", c.byHandPart)
		page("POST /runs/{run}/by-hand", c.handOver)
	}
	page("GET /calendar", c.calendarPage)
	page("POST /schedule/{what}", c.schedule)
	page("GET /approvals", c.approvalsPage)
	page("POST /approvals/{id}/{what}", c.answerApproval)
	page("GET /evidence", c.evidencePage)
	page("POST /evidence/export", c.export)
	page("POST /evidence/verify", c.verify)
	page("GET /health", c.healthPage)
	page("GET /findings", c.findingsPage)
	page("POST /findings/compare", c.compareAll)
	page("POST /findings/discover", c.discoverAll)
	page("POST /findings/{id}/{what}", c.acknowledge)
	page("/", func(http.ResponseWriter, *http.Request) error { return errNoPage })
	return mux
}

// Looks reports whether a request to the console is a form that changes nothing: what it is
// answered may be long, or takes its time.
func Looks(r *http.Request) bool {
	switch path := r.URL.Path; {
	case r.Method != http.MethodPost:
		return false
	case path == "/evidence/export", path == "/evidence/verify", path == "/findings/compare", path == "/findings/discover":
		return true
	case strings.HasPrefix(path, "/credentials/"):
		return strings.HasSuffix(path, "/check") || strings.HasSuffix(path, "/compare") || strings.HasSuffix(path, "/discover")
	}
	return false
}

var errNoPage = errors.New("there is no such page")

// answer carries one request out, and tells what stopped it.
func (c *Console) answer(w http.ResponseWriter, r *http.Request, f func(http.ResponseWriter, *http.Request) error) {
	if c.o.Who != nil {
		if _, known := c.o.Who(r); !known {
			c.unknown(w, r)
			return
		}
	}
	err := f(w, r)
	if err == nil || r.Context().Err() != nil {
		return
	}
	c.failed(w, r, err)
}

// unknown sends somebody who is not signed in where he can sign in.
func (c *Console) unknown(w http.ResponseWriter, r *http.Request) {
	to := c.signInAt()
	if to == "" || r.Method != http.MethodGet {
		c.fail(w, r, http.StatusUnauthorized, problem{Title: "You are not signed in", Why: "Your session has ended, or there was none.", Live: []string{"Nothing was touched."}, Links: c.signIn()})
		return
	}
	http.Redirect(w, r, to+"?to="+queryEscape(r.URL.RequestURI()), http.StatusSeeOther)
}

// signInAt is where people sign in; "": nowhere.
func (c *Console) signInAt() string {
	if c.o.SignIn == nil {
		return ""
	}
	return c.o.SignIn()
}

func (c *Console) signIn() []link {
	if to := c.signInAt(); to != "" {
		return []link{{"Sign in", to}}
	}
	return nil
}

// signInAgain leads to a sign-in that does not go by an old one, and from there to a page.
func (c *Console) signInAgain(then string) []link {
	if to := c.signInAt(); to != "" {
		return []link{{"Sign in again", to + "?fresh=1&to=" + queryEscape(then)}}
	}
	return nil
}

// cameFrom is the page of this console whose form was sent.
func cameFrom(r *http.Request) string {
	u, err := url.Parse(r.Referer())
	if err != nil || u.Host != r.Host || u.Path == "" || strings.HasPrefix(u.Path, "//") || strings.Contains(u.Path, `\`) {
		return "/" // what a browser could take for another site is none of its pages
	}
	return u.RequestURI()
}

// withoutRole is nil where somebody may not see what a page has besides: the page is
// shown without it.
func withoutRole(err error) error {
	if err != nil && estate.CodeOf(err) == estate.NoRole {
		return nil
	}
	return err
}

// done ends a POST: the browser is sent to a page, so that nothing is sent again by
// looking at it again.
func done(w http.ResponseWriter, r *http.Request, to string) error {
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}
