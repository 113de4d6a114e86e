// Package providertest is the conformance suite that every driver passes, on its double or on a real server, and, when asked to, on the real service.
//
// It knows no vendor. It follows the descriptor: each role that this names is tried,
// each sheet is held against the code, and whatever can go wrong between a driver and
// its vendor goes wrong once at every place: bad answers over HTTP, and below it
// connections that are refused, cut, full of garbage or late, programs that are killed,
// files that cannot be written. One rule is above all: an error that says "not applied"
// is true, and a success is one.
package providertest

import (
	"net/http"
	"time"

	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/vendorhttp"
)

// Harness is all that a driver brings; everything else follows from its descriptor.
//
// In every text of settings ${NAME} is filled in from Double.Env: an address that only
// a server that was just started knows. Secrets are named as env:NAME, as people do.
type Harness struct {
	Vendor     provider.Descriptor
	Connection string            // as under vendors in rekey.yaml, as JSON
	Issuers    map[string]string // settings as JSON, by kind
	Store      string            // settings as JSON; "" if it is none
	Consumer   string            // settings as JSON; "" if it is none
	Slots      []string          // that store or consumer hold in the double's world
	Refer      string            // a reference that leads to a value there, without its type; "" if it is none that refers

	// Double starts a fresh world, with a generation in use of every kind and with a
	// value in every slot. It is called for each case anew, so with a real server it
	// empties that rather than start another one. What it has to end, it gives to
	// T.Cleanup.
	Double func(T) *Double
	// Positions is at how many places of an operation each fault below HTTP is tried,
	// the first and the last ones; 0: 8. Fewer where a fresh world takes long.
	Positions int

	// Sample tries each fault on one look and on one change of each role only: where
	// what is below is another program, which is not broken by it.
	Sample bool

	// Of drivers that speak HTTP:
	Login   string                  // part of the path of its login, if it has one
	Refusal func(status int) string // body of an error in the vendor's own shape, with Canary in it; nil: one that has the shapes of many
	AnyJSON bool                    // it has no error shape of its own: any JSON is taken for its answer
	Judge   Judge                   // what the vendor publishes of its requests and answers; nil: nothing
	Least   int                     // operations that Judge has to have seen

	ByHand   bool     // a person stands in for credentials
	Sections []string // headings that doc.md must have, besides the usual ones
	Lacks    []string // calls for which the service of this world has no route; they have to say so
}

// Double is the world that one case is tried in.
type Double struct {
	// HTTP answers requests, of every host; nil: Transport does.
	HTTP http.Handler
	// Transport carries requests; nil, with HTTP nil: a driver must send none.
	Transport http.RoundTripper
	// Ways are all other ways out; nil: closed.
	Ways outside.Ways
	// Env holds the values that settings name by env:NAME. They are secret, and looked
	// for wherever something is printed, unless they are in Printable.
	Env       map[string]string
	Printable []string
	// Now is the world's clock, Wait lets its time pass; nil: real time.
	Now  func() time.Time
	Wait func(time.Duration)
	// Person does by hand what the driver asks for, over this network; nil: nobody.
	Person func(network http.RoundTripper, now func() time.Time, seen func(vendorhttp.Call)) provider.Person
}

// Judge holds what passes between a driver and its double against what the vendor
// publishes. *contract.Recorder is one.
type Judge interface {
	Around(http.RoundTripper) http.RoundTripper
	Violations() []string
	Counts() map[string]int // exchanges by operation
}

// Run runs the suite.
func Run[X Test[X]](t X, h Harness) { run(as[X]{t}, h) }

func run(t T, h Harness) {
	s := &suite{Harness: h, did: map[string]int{}, met: map[string]int{}}
	if s.Positions == 0 {
		s.Positions = 8
	}
	t.Run("what it says of itself", s.says)
	t.Run("works", s.works)
	t.Run("lacks", s.lacks)
	t.Run("repeats safely", s.repeats)
	t.Run("side by side", s.together)
	t.Run("bad answers", func(t T) { s.hostile(t, false) })
	t.Run("bad answers to what changes something", func(t T) { s.hostile(t, true) })
	if h.Login != "" {
		t.Run("bad answers to the login", s.loginFails)
	}
	t.Run("faults below", s.below)
	t.Run("arrives in pieces", s.pieces)
	t.Run("waits no longer than it is told", s.cancelled)
	t.Run("lets go of a run that is another's", s.fenced)
	t.Run("without credentials", s.unset)
	t.Run("life cycle", s.life)
	t.Run("speaks as published", s.speaks)
	t.Run("nothing was left out", s.whole)
	t.Run("live", s.live)
}

// suite is one run.
type suite struct {
	Harness
	did map[string]int // operations that were carried out as they should, by role
	met map[string]int // faults that were met, by kind of use
	// counts: the store counts versions; nil until it was asked.
	counts *bool
}
