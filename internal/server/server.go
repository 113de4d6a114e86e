// Package server serves the operations over HTTP: the API that internal/api describes, the console, and what an operator watches a service by.
//
// It is a thin face: what may be asked, by whom and when is decided by the operations,
// and told as a problem of RFC 9457 with all fields of estate.Error. What it adds is what
// HTTP needs: limits, one answer for one request that was sent twice, streams that go on
// where they were cut, and no way in for a page of another site.
package server

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"rekey/internal/api"
	"rekey/internal/estate"
	"rekey/internal/rotation"
)

// Engine is what is served: all operations, and those that return while a run goes on.
// internal/engine says what each does.
type Engine interface {
	estate.Operations
	Begin(ctx context.Context, o estate.Opening) (run string, err error)
	TakeUp(ctx context.Context, a estate.Advancing) (run string, err error)
	TurnBack(ctx context.Context, b estate.Backing) (run string, err error)
	Answered(ctx context.Context) error
	Follow(ctx context.Context, run string, after int64, f estate.Face) (estate.Ended, error)
}

// Options are what a server has from outside. Engine, Configured and Version are needed.
type Options struct {
	Engine Engine
	// Configured tells what rekey.yaml says now, and what is wrong with its newest version.
	Configured func() api.Configured
	Version    string // of this program
	// Console answers everything that is neither the API's nor a probe's; nil: nothing does.
	Console http.Handler
	// SignIn puts the caller into the context of a request, or refuses it; nil: whoever
	// reaches the server is believed, which is for loopback only. /healthz and /readyz are
	// asked without it, and tell nothing but a word then.
	SignIn func(http.Handler) http.Handler
	// Public are answered without SignIn, by their patterns: where people sign in.
	Public map[string]http.Handler
	// Who is the caller that SignIn has put there; nil: nobody is known.
	Who func(ctx context.Context) (rotation.Who, bool)
	// May refuses an operation by the id of its way in the API, before it is asked, and so
	// "metrics" and "readyz", which tell of everything; the operations refuse what wants a
	// role themselves. nil: everybody may ask for everything.
	May func(ctx context.Context, id string) error
	// Sees tells whether whoever asks may see a credential at all, or, with "", all of them;
	// nil: everybody sees all.
	Sees func(ctx context.Context, credential string) bool
	// Tokens makes and ends the server's own; nil: it has none.
	Tokens Tokens
	// Behind are proxies in front, whose X-Forwarded-For says where a request came from.
	Behind []netip.Prefix
	// Secure: browsers reach it by https only, and are to remember that (RFC 6797).
	Secure bool
	// Hosts are the names by which the server may be asked for, beside those of loopback:
	// a page of a site whose name leads here would otherwise read everything.
	Hosts []string
	// Probed is looked at by /readyz and /metrics, where nobody asks; nil: Engine. Engine may
	// refuse whoever is not signed in.
	Probed estate.Operations
	// Probes are looked at by /readyz, beside the journal and the configuration.
	Probes []Probe
	// Gauges adds figures to /metrics.
	Gauges func(ctx context.Context) []Gauge

	Log    *slog.Logger // nil: nothing is logged
	Now    func() time.Time
	Random io.Reader // ids of requests; nil: the system's
	Limits Limits
}

// Limits bound what one caller can take. Zero is the default of each.
type Limits struct {
	Body     int64         // bytes of a body: 1 MiB
	Plan     int64         // bytes of one that may carry a reviewed plan, or checkpoints: 16 MiB
	Answer   time.Duration // for an operation, with all its calls to vendors: 5 minutes
	Stream   time.Duration // for a stream of pages or evidence: 30 minutes
	Write    time.Duration // for one part of a stream, to a reader that is slow: 20 seconds
	Beat     time.Duration // between signs of life of a stream in which nothing happens: 15 seconds
	Streams  int           // of one caller at once: 16
	All      int           // of all callers: 512
	Requests int           // of one caller at once, beside streams: 64
	// Connections at once: 1024. For one more, the one that has said nothing for longest is
	// closed.
	Connections int
}

func (l Limits) filled() Limits {
	or := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	if l.Body == 0 {
		l.Body = 1 << 20
	}
	if l.Plan == 0 {
		l.Plan = 16 << 20
	}
	or(&l.Answer, 5*time.Minute)
	or(&l.Stream, 30*time.Minute)
	or(&l.Write, 20*time.Second)
	or(&l.Beat, 15*time.Second)
	if l.Streams == 0 {
		l.Streams = 16
	}
	if l.All == 0 {
		l.All = 512
	}
	if l.Requests == 0 {
		l.Requests = 64
	}
	if l.Connections == 0 {
		l.Connections = 1024
	}
	return l
}

// Server is the handler, and what ends its streams.
type Server struct {
	o       Options
	handler http.Handler
	bodies  *api.Bodies
	busy    *busy
	figures *figures
	drained chan struct{} // closed when the server is stopping
	drain   func()
}

// New returns a server. An error is one of the program.
func New(o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Probed == nil {
		o.Probed = o.Engine
	}
	o.Limits = o.Limits.filled()
	bodies, err := api.NewBodies()
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, bodies: bodies, busy: newBusy(o.Limits), figures: newFigures(), drained: make(chan struct{})}
	s.drain = sync.OnceFunc(func() { close(s.drained) })
	s.handler = s.guarded(s.routes())
	return s, nil
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// routes leads every request to what answers it.
func (s *Server) routes() http.Handler {
	signed := http.NewServeMux()
	for id, answer := range s.answers() {
		if way := api.WayOf(id); way.Group == "Tokens" && s.o.Tokens == nil {
			continue
		}
		way := api.WayOf(id)
		signed.HandleFunc(way.Method+" "+api.Base+way.Path, s.asked(way, answer))
	}
	signed.HandleFunc("GET "+api.Base+"/openapi.json", s.document)
	signed.HandleFunc("GET /metrics", s.metrics)
	for _, path := range []string{api.Base, api.Base + "/", "/api", "/api/", api.Base + "/openapi.json", "/metrics"} {
		signed.HandleFunc(path, s.noWay)
	}
	if s.o.Console != nil {
		console := s.o.Console
		signed.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			console.ServeHTTP(w, r.WithContext(estate.Through(r.Context(), "console")))
		})
	} else {
		signed.HandleFunc("/", s.noWay)
	}
	var in http.Handler = signed
	if s.o.SignIn != nil {
		in = s.o.SignIn(signed)
	}
	all := http.NewServeMux()
	all.HandleFunc("GET /healthz", s.healthy)
	all.Handle("GET /readyz", s.ready())
	all.HandleFunc("/healthz", s.noWay)
	all.HandleFunc("/readyz", s.noWay)
	for pattern, public := range s.o.Public {
		all.Handle(pattern, public)
	}
	all.Handle("/", in)
	return all
}

// answer answers one operation. It writes what it has, or returns why there is nothing.
type answer func(w http.ResponseWriter, r *http.Request) error

// answers are all of them, by the ids of the API's ways.
func (s *Server) answers() map[string]answer {
	return map[string]answer{
		"openRun": s.openRun, "listRuns": s.listRuns, "listOpenRuns": s.listOpenRuns, "getRun": s.getRun, "getLog": s.getLog, "followRun": s.followRun,
		"advanceRun": s.advanceRun, "planBack": s.planBack, "goBack": s.goBack,
		"getStatus": s.getStatus, "check": s.check, "plan": s.plan, "compare": s.compare, "discover": s.discover, "formerNames": s.formerNames, "listFindings": s.listFindings, "acknowledge": s.acknowledge, "doctor": s.doctor,
		"getCredentials": s.getCredentials, "document": s.written, "whoami": s.whoami,
		"getSchedule": s.getSchedule, "pause": s.pause, "continue": s.goOn,
		"listApprovals": s.listApprovals, "approve": s.approve, "refuse": s.refuseRequest, "takeBack": s.takeBack,
		"evidence": s.evidence, "verify": s.verify, "sign": s.sign, "getKey": s.getKey, "newKey": s.newKey,
		"listTokens": s.listTokens, "createToken": s.createToken, "revokeToken": s.revokeToken, "rotateToken": s.rotateToken,
	}
}

// Looks reports whether a request asks for an operation by POST that changes nothing, because
// it takes a body: evidence may be long, and a look at vendors takes its time.
func Looks(r *http.Request) bool {
	return r.Method == http.MethodPost && slices.ContainsFunc(api.Ways(), func(w api.Way) bool {
		return w.Method == http.MethodPost && !w.Role && w.Body != nil && r.URL.Path == api.Base+w.Path
	})
}

// document is the API's description.
func (s *Server) document(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", api.JSON)
	_, _ = w.Write(api.Document())
}
