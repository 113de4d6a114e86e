package world

import (
	"net/http"
	"time"
)

// Double is one vendor's simulated server, or a part of the world beside vendors, as
// the world knows it. The world calls it one call at a time, when everything that was
// due by State.At has happened. What else it is it says by the interfaces below.
type Double interface {
	// Name is the first part of its addresses (/NAME/…), what faults, counts and clocks
	// call it, and its key in a world's file.
	Name() string
	// Memory points to all that it remembers: written down as JSON under its name, and
	// read back before the world begins.
	Memory() any
	// Routes adds what it answers. Nothing it does may depend on anything but its
	// memory, the world's State and the request.
	Routes(mux *http.ServeMux)
}

// Begins is a double that completes what was read from an older file, or was never
// begun, before the first request.
type Begins interface{ Begin() }

// Hosted is a double that stands for real addresses: a simulated run is led away
// from them.
type Hosted interface{ Hosts() []string }

// Elsewhere is the double that stands for every host that no other one stands for;
// calls to it are counted as visits, by host (the first part of the path).
type Elsewhere interface{ Elsewhere() }

// Apart is a double that can be served at an address of its own, at the root.
type Apart interface {
	// ClientEnv is the environment in which the vendor's own tools work on it at base
	// (http://127.0.0.1:7778, no slash at the end); env is what World.Env returns.
	ClientEnv(base string, env map[string]string) map[string]string
	// Root is the path below the base where its interface begins; "": at the base.
	Root() string
	// TakesPath reports whether those tools can be given a base with a path.
	TakesPath() bool
}

// Fails is a double that has a shape of its own for failures; id is the vendor's word
// for one, "" the usual one of the status.
type Fails interface {
	Fail(rw http.ResponseWriter, status int, id string)
}

// Limits is a double that counts calls, and answers itself where there are too many.
type Limits interface {
	Limited(rw http.ResponseWriter) bool
}

// Moves is a double in which things happen by themselves: it offers the times of
// those that come next, and what to do then.
type Moves interface {
	Events(offer func(at time.Time, happen func()))
}

// Shared is a double at which people and other programs work, too.
type Shared interface {
	// Others are what somebody else can do there, in the same order every time.
	Others() []Act
}

// Accounts is a double that has more than one account: a proxy, a cache or another token may
// lead a call to one that is not the run's.
type Accounts interface {
	// Astray lets it answer for another account until back; what is done there stays there.
	Astray() (back func())
}

// Act is something that somebody else can do at a vendor's.
type Act struct {
	Name string // what they do, as in "they …": "delete the old one"
	// Do does it as of State.At; false: there is nothing to do it to.
	Do func() bool
}

// Process is one process of a consumer and what it holds.
type Process struct {
	App, ID string // of which consumer; unique within it
	Env     map[string]string
	Started time.Time
	Stops   time.Time // zero: it lives on
	Dead    bool      // it has crashed
}

// Alive reports whether it lives at a moment.
func (p Process) Alive(at time.Time) bool {
	return !p.Dead && !p.Started.After(at) && (p.Stops.IsZero() || p.Stops.After(at))
}

// Runs is a double on which processes run.
type Runs interface {
	// Processes yields the living and the ended ones.
	Processes(yield func(Process))
}

// Gate is a double that decides whether what a process holds is accepted.
type Gate interface {
	// Denied tells every variable of a process's environment whose value is
	// refused now, and why; nothing of those that are no credential of its own.
	Denied(env map[string]string, tell func(name, why string))
	// Used notes that a process used what it holds at a moment.
	Used(env map[string]string, at time.Time)
}

// Generation is one generation of a credential, as its issuer knows it.
type Generation struct {
	Kind     string // "service token": what the vendor calls one, in small letters
	ID, Name string
	Live     bool              // it is not ended, whether or not it is switched on
	On       bool              // it is switched on and not expired
	Fields   map[string]string // the secret part of its bundle
	Public   map[string]string // the part that may be printed
	Earlier  string            // the secret before the present one, while it is accepted too
	Until    time.Time         // so long; zero: without end
	Named    int               // rules that name it
}

// Issues is a double that makes generations.
type Issues interface {
	// Generations are all that there were, ended ones included.
	Generations() []Generation
}

// Kept is a value that is kept in a store or in force at a consumer.
type Kept struct {
	Where string // as places are called by their drivers: "heroku:raxx-console-prod"
	Slot  string
	Value string
}

// Keeps is a double in which values are kept; the newest of each slot.
type Keeps interface {
	Kept(yield func(Kept))
}

// Hides is a double that holds secrets besides those of its generations, by what
// they are.
type Hides interface {
	Secrets() map[string]string
}

// Behind is a double whose apps serve what stands behind a gate.
type Behind interface {
	// Backend tells how an app is, by its name; false: there is no such app.
	Backend(app string) (Backend, bool)
}

// Backend is an app that serves a site.
type Backend struct {
	Up          bool                // a web process runs
	Maintenance bool                // and it is closed to visitors
	Web         []map[string]string // what each living web process holds that is not being replaced
}

// each calls f with every double that is also a T.
func each[T any](doubles []Double, f func(T)) {
	for _, d := range doubles {
		if t, ok := d.(T); ok {
			f(t)
		}
	}
}

// Hosts are the real addresses that doubles stand for, with the doubles' names.
func Hosts(doubles []Double) map[string]string {
	out := map[string]string{}
	for _, d := range doubles {
		if h, ok := d.(Hosted); ok {
			for _, host := range h.Hosts() {
				out[host] = d.Name()
			}
		}
	}
	return out
}
