package provider

import (
	"context"
	"slices"
	"time"

	"rekey/internal/cred"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// Gone is a write that takes slots away, each once and in order.
func Gone(slots []string) []SlotValue {
	out := make([]SlotValue, 0, len(slots))
	for _, name := range slices.Compact(slices.Sorted(slices.Values(slots))) {
		out = append(out, SlotValue{Slot: name})
	}
	return out
}

// Maker is an issuer whose secrets we make: a database's passwords, keys. The secret
// is made before anything is sent and is held by the caller, so after a lost answer it
// is found out by trying it, instead of making another one. Make them by
// secret.Generate and nothing else.
type Maker interface {
	// Make returns what a generation with this name will consist of, every field that
	// the sheet names. It touches nothing.
	Make(name string) (secret.Bundle, error)

	// CreateWith is Issuer.Create with a bundle of Make. Not repeated inside. After an
	// error that does not prove that nothing was applied, List and Works tell.
	CreateWith(ctx context.Context, name string, b secret.Bundle) (cred.Handle, error)

	// Works tells whether h is live with exactly this bundle, by using it: a login.
	// Denied by the server is (false, nil); an error means that nobody answered.
	// Read-only.
	Works(ctx context.Context, h cred.Handle, b secret.Bundle) (bool, error)
}

// RollMaker is a Roller whose secrets we make.
type RollMaker interface {
	Maker

	// RollWith is Roller.Roll with a bundle of Make. Not repeated inside.
	RollWith(ctx context.Context, h cred.Handle, keep time.Time, b secret.Bundle) (cred.Handle, error)
}

// EndForesight is an issuer that can tell before a run begins what will fail at its
// end: no right to drop, objects that are owned, a limit that is reached.
type EndForesight interface {
	// ForeseeEnd tells what will stand against making another one beside old, and
	// against ending old afterwards. Refused stops a run at its start. Read-only.
	ForeseeEnd(ctx context.Context, old cred.Handle) (Foreseen, error)
}

// Users is an issuer that can tell who uses a generation now: sessions of a role,
// addresses that it was last used from.
type Users interface {
	// Users returns them, an empty list if nobody is seen; that a list is empty says
	// nothing of somebody who comes back later. Sessions of Rekey itself are left
	// out. Read-only.
	Users(ctx context.Context, h cred.Handle) ([]User, error)
}

// User is somebody who is seen to use a credential.
type User struct {
	Name  string    // as it names itself: an application_name, a client name; "" if it does not
	From  string    // address, without port; "" where there is none
	Count int       // of sessions like this; at least 1
	Since time.Time // of the oldest; zero: not told
	Last  time.Time // when it was last active; zero: not told
}

// Refers is a Vendor of which a reference in rekey.yaml may name one value:
// <type>:REST or <type>[instance]:REST. It never uses a credential that it resolves.
type Refers interface {
	// Refer returns the value that rest names. Absent: there is none. Read-only.
	Refer(ctx context.Context, rest string) (secret.Value, error)
}

// Applier is a store or a consumer of which what is written takes effect only by
// another step: a file and the restart of who reads it, a Secret and a rollout. The
// runner applies after Write, as a step of its own, and asks Progress afterwards.
type Applier interface {
	// Apply makes what is held effective. Idempotent: what runs with it already is
	// left alone where that can be seen, and is restarted once more where it cannot.
	Apply(ctx context.Context, slots []string) error
}

// Queries is a Vendor that answers a question of the written procedure in a language
// of its own (verify, query).
type Queries interface {
	// Query asks once, with the rights that rekey.yaml gives the vendor. Done: it came
	// out true, by the rule that the vendor's page names. Waiting: it did not. Failed:
	// waiting will not change that: it cannot be asked so. The text says which, and
	// nothing of what the answer holds. It changes nothing, whatever the question says.
	Query(ctx context.Context, question string) (cred.Class, string, error)
}

// Feeds is a Checker that can hand a check what it is to work with.
type Feeds interface {
	// CheckWith is Checker.Check with what the check reads from its standard input.
	CheckWith(ctx context.Context, c sop.Check, since time.Time, stdin secret.Value) (cred.Class, string, error)
}

// Unroller takes a roll back, where the secret before it has no end by itself: without
// that, a run that went back leaves a secret that works and that nobody holds.
type Unroller interface {
	// Unroll leaves the secret in b as the only one of h: it ends the one that the last
	// roll put beside it. Only after a roll that is known to have happened, and when
	// everybody was seen to hold b again. Refused, with nothing changed, where b is none
	// of its secrets or there are more than the two. Idempotent.
	Unroll(ctx context.Context, h cred.Handle, b secret.Bundle) (cred.Handle, error)
}

// EndsNamed is a Roller under which two secrets work, and which is told which of them
// is to end. Which is the old one is otherwise told by their order alone, and somebody
// may have replaced one of them, while no process was there, for instance.
type EndsNamed interface {
	// EndNamed ends the secret of h in goes and no other; the one in stays works on.
	// Refused, with nothing changed, where stays is none of its secrets. One that no
	// longer exists is ended: idempotent.
	EndNamed(ctx context.Context, h cred.Handle, goes, stays secret.Bundle) (cred.Handle, error)
}
