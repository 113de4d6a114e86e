package provider

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"rekey/internal/byhand"
	"rekey/internal/outside"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// Descriptor is what a vendor says of itself. It is a value, checked by the
// compiler, from which the schema, the docs and the conformance run are made.
type Descriptor struct {
	Name       string  // type, as written in rekey.yaml
	Title      string  // as its makers write it
	Base       string  // address of the public service, where base_url may name another; "": there is none
	Connection any     // settings under vendors; a pointer to a struct
	Issuers    []Sheet // what it can issue
	Store      any     // settings of a store; nil if it is none
	Consumer   any     // settings of a consumer; nil if it is none
	StoreID    string  // setting that tells one store of the vendor from another, for its key
	// ConsumerID are the ways to name a consumer, of which one is used: settings
	// joined by +, as "app" or "pipeline+stage". Their values make its key.
	ConsumerID []string
	// Keeps tells how the store keeps what it holds, Holds how the consumer does.
	Keeps, Holds Holding
	Queries      bool      // it answers a query of a check (role Queries)
	Refers       Reference // how a reference in rekey.yaml names one of its values (role Refers); zero: none can
	Doc          string    // docs page: prerequisites, least privilege, gotchas
	// ByHand tells how one of its roles is done by hand, with bash, curl and jq, for
	// the written procedure. It reads nothing but the question. nil: there a person does it
	// with the vendor's own tools (byhand.ByPerson).
	ByHand func(byhand.Question) (byhand.Recipe, error)
	Open   func(Env, string, json.RawMessage) (Vendor, error)
}

// Reference is how a value of a vendor is named in rekey.yaml, after its type and a
// colon: vault:secret/ci#token.
type Reference struct {
	Form    string // for people: "MOUNT/PATH#KEY"
	Pattern string // regular expression that every such name matches; "": any text
}

// Sheet is the capability sheet of one kind of credential.
type Sheet struct {
	Kind     string   // as written in rekey.yaml
	Settings any      // a pointer to a struct
	Fields   []string // of the bundle
	Optional []string // fields that slots may hold and need not
	Public   []string // fields that are not secret: they name the credential and do not give it away
	MaxLive  int      // how many generations may live at once, as published; some have more by contract. 0: no limit known
	Create   bool     // a second generation can be made beside the first
	Roll     string   // rotation.RollWithGrace, rotation.RollAtOnce, or ""
	Disable  bool     // a generation can be switched off and on again
	LastSeen bool     // the issuer tells when a generation was last used
	Admits   bool     // rules elsewhere decide who gets in
	Label    bool     // it shows a name that we choose
	NameMax  int      // characters that this name may have, as the vendor publishes; 0: not known
	Person   bool     // only a person makes, lists and ends it: nothing is planned where nobody can be asked
	Verifies bool     // it tells by itself whether a credential works (sop.IssuerItself), so validate may be left out

	NameChars string        // characters that this name may have, as the inside of a regexp class: "a-z0-9_"; "": any that can be printed
	OwnScope  bool          // the list shows only what is ours: where Label is false, what a lost answer left is told by difference
	GraceMax  time.Duration // longest grace of Roll, as the vendor has it; 0: no limit known
	Lingers   bool          // a grace has no end by itself: the secret before the present one works until Keep ends it
	End       string        // what its end is called, in the vendor's word as a participle: "dropped"; "": "revoked"
}

// Holding tells how a store or a consumer of one vendor holds values. The zero
// Holding is of one that is written in one request and can be read back.
type Holding struct {
	Piecewise bool   // a write of several slots is not atomic: some may be written and others not
	WriteOnly bool   // a value cannot be read back (Held.Hidden): the write is stamped and dated, and told so in plan and proof
	Cost      string // what a write costs, in the vendor's words: "a restart of every dyno"; "": nothing
	Applied   bool   // what is written takes effect only by Applier.Apply
}

// Vendor is one opened vendor; it also implements the factories below for the
// roles that it plays.
type Vendor interface {
	// Close ends what was opened (a login); it never fails a run.
	Close(ctx context.Context)
}

// Issues is a Vendor that has issuers. The value returned may also be an
// Admitter and a Prober.
type Issues interface {
	Issuer(kind string, settings json.RawMessage) (Issuer, error)
}

// Stores is a Vendor that has stores.
type Stores interface {
	Store(settings json.RawMessage) (Store, error)
}

// Consumes is a Vendor that has consumers.
type Consumes interface {
	Consumer(settings json.RawMessage) (Consumer, error)
}

// Env is everything that a vendor may have from outside.
type Env struct {
	Transport http.RoundTripper
	Now       func() time.Time
	// Resolve fetches the first reference that is set.
	Resolve func(ctx context.Context, refs sop.Refs) (secret.Value, Source, error)
	// Text resolves a printable setting.
	Text func(t sop.Text) (string, error)
	// Observe is told of every call after it was made; may be nil.
	Observe func(vendorhttp.Call)
	// Together runs independent calls side by side and returns their errors
	// joined; tests that count calls run them in order.
	Together func(calls ...func() error) error
	// Urgent leaves nothing of a vendor's rate limit to others: an emergency.
	Urgent bool
	// Person does by hand what no request can; nil: nobody is there.
	Person Person
	// Outside are the ways out that are not HTTP; nil: closed.
	Outside outside.Ways
	// Ours returns why the run that is carried out is not this process's any more; nil
	// function or nil: it is. Change asks it right before it changes something.
	Ours func(context.Context) error
	// Late is Ours once more, right before the bytes of a change go out; nil: it is never
	// too late.
	Late func(context.Context) error
	// Left is how long the lease on the run lasts still; nil or 0: there is none. A server
	// that goes on without us is told to give a change up by then (Within).
	Left func() time.Duration
	// Random is where secrets that we make come from; nil: the system's.
	Random io.Reader
	// At is where rekey.yaml names the vendor that is opened: "rekey.yaml:12"; "": not known.
	At string
	// Marks are of what was refused, by this process or by one before; nil: none are kept.
	Marks Marks
	// Memory is shared by everything that this process opens; nil: nothing is.
	Memory *Memory
	// Limits are what all processes know of the vendors' rate limits; nil: each on its own.
	Limits vendorhttp.Limits
	// Account is whose rate limit the vendor that is opened uses: the first of the names that
	// rekey.yaml has for one connection.
	Account string
}

// Marks outlive the process: what was refused is not tried again at once by the next
// command either. They hold names and values as keyed hashes only.
type Marks interface {
	// Mark notes that a value was refused under a name. The caller goes on whether or
	// not that can be kept.
	Mark(name string, v secret.Value, at time.Time)

	// Marked returns when values were refused under a name, latest last, and whether
	// the last of them was this one.
	Marked(name string, v secret.Value) (at []time.Time, same bool)

	// Clear forgets a name: its login worked.
	Clear(name string)
}

// Pace is how a client shares the vendor's rate limit: looking leaves so many
// calls and changes a fifth of them, unless it is urgent; so many come back each second
// where the vendor does not say when (0: it does). With a reserve of 0 only what the vendor
// refuses holds anything back.
func (e Env) Pace(reserve int, perSecond float64) *vendorhttp.Pace {
	return &vendorhttp.Pace{Reserve: reserve, PerSecond: perSecond, Urgent: e.Urgent, Limits: e.Limits, Account: e.Account}
}

// Source tells where a secret came from, to be shown.
type Source struct {
	Ref      sop.Ref   // the one used
	Fallback bool      // not the first of the list
	Others   []sop.Ref // set as well, and not tried
}

// String says where the secret came from, and what was not tried.
func (s Source) String() string {
	out := s.Ref.String()
	if s.Fallback {
		out += " (not the first choice, which is not set)"
	}
	for _, o := range s.Others {
		out += ", " + o.String() + " is set too and was not tried"
	}
	return out
}
