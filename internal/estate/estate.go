package estate

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"rekey/internal/journal"
	"rekey/internal/kept"
	"rekey/internal/provider"
	"rekey/internal/refs"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Estate carries the operations out on this machine, by one configuration. It keeps
// nothing open between two of them but what references gave, so that nobody is asked
// for the same twice.
type Estate struct {
	config *sop.Config
	here   Surroundings
	asked  refs.Asked
	// addresses are what references of the journal gave. They are found in this process's
	// own environment, and what a simulated world knows by the same name is another thing.
	addresses refs.Asked
	memory    provider.Memory // what the vendors of all runs remember for each other
	evidence  verified        // of the notices, where no Past is given
}

// Surroundings are what an estate has from outside.
type Surroundings struct {
	// Env looks a variable of this process up.
	Env func(name string) (string, bool)
	// User is who runs this process, as far as the system knows: alice@laptop.
	User func() string
	// Who tells who asks, from the context of an operation: a service has signed its callers
	// in. nil: whoever runs this process, by the configuration's identity and the environment.
	// Its errors are NotIdentified.
	Who func(ctx context.Context) (rotation.Who, error)
	// Tool is the version of this program, for the record.
	Tool string
	// Person does by hand what no request can; nil: nobody is there.
	Person provider.Person
	// Clock is time; nil: the real one.
	Clock Clock
	// Random is where the ids of runs come from; nil: the system's.
	Random io.Reader
	// Network is asked instead of the real one, by everything that is not in a simulated
	// world; nil: the real one.
	Network http.RoundTripper
	// Journal is opened already, and shared by all operations; nil: each opens that of the
	// configuration.
	Journal *journal.Journal
	// Past is what this process has read of that journal already; nil: each operation reads
	// what it needs anew.
	Past *Past
}

// New returns the estate of a configuration.
func New(config *sop.Config, here Surroundings) *Estate {
	if here.Clock == nil {
		here.Clock = RealClock{}
	}
	if here.Random == nil {
		here.Random = rand.Reader
	}
	if here.User == nil {
		here.User = func() string { return "unknown" }
	}
	if here.Env == nil {
		here.Env = func(string) (string, bool) { return "", false }
	}
	e := &Estate{config: config, here: here}
	if here.Journal != nil { // it is one of many that a service goes through
		e.asked.Holds = refs.Lasting
	}
	return e
}

func (e *Estate) now() time.Time { return e.here.Clock.Now() }

// simulated tells whether the configuration leads to a simulated world.
func (e *Estate) simulated() bool { return e.config.Simulate != "" }

// journalDir is where the journal is kept.
func (e *Estate) journalDir() string {
	if filepath.IsAbs(e.config.Journal) {
		return e.config.Journal
	}
	return filepath.Join(e.config.Dir, e.config.Journal)
}

// place is where journal, keys and marks are kept. What it is named by is found in this
// process's environment, in a simulation too: what is practised may have a database.
func (e *Estate) place() kept.Place {
	return kept.Place{
		Folder: e.journalDir(), Database: e.config.Database, FingerprintKey: e.config.FingerprintKey,
		Finder: &refs.Finder{Dir: e.config.Dir, Env: e.here.Env, Asked: &e.addresses},
	}
}

// RealClock is real time.
type RealClock struct{}

// Now is the time.
func (RealClock) Now() time.Time { return time.Now() }

// Sleep waits, or returns the error of ctx once that is done.
func (RealClock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// spec finds a credential.
func (e *Estate) spec(name string) (sop.Spec, error) {
	spec, err := e.config.Spec(name)
	if err != nil {
		return spec, &Error{Code: NoCredential, Credential: name, Err: err}
	}
	return spec, nil
}

// specs finds these credentials, or all.
func (e *Estate) specs(names []string) ([]sop.Spec, error) {
	if len(names) == 0 {
		return e.config.Specs, nil
	}
	var specs []sop.Spec
	for _, n := range names {
		spec, err := e.spec(n)
		if err != nil {
			return nil, err
		}
		specs = append(specs, spec)
	}
	return specs, nil
}
