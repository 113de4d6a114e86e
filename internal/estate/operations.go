// Package estate holds the operations on credentials: what every face offers, the command line and the service, in its own words.
package estate

import (
	"context"

	"rekey/internal/history"
	"rekey/internal/rotation"
)

// Operations are all that can be done. *Estate does it here; another implementation may
// carry each over a network: what goes in and comes out is plain data without secrets,
// and a run is told of while it happens.
//
// Whatever is refused or fails does so with an *Error, whose Code is one of a closed set
// (Codes): a face turns each into its exit code or status, and into its own words, once.
// Those that any operation may end with are not repeated below:
//
//   - Failed: something of this machine or its journal could not be read or written.
//   - OtherWorld: the journal is one of simulated runs and the configuration is not, or
//     the other way round.
//   - KeyDamaged: the key of the fingerprints beside the journal is not sound.
//   - OtherKey: several machines share the journal, and this one has another fingerprint
//     key, or none.
//   - MovedAway: the journal is kept elsewhere, or has not arrived yet.
//   - NoDatabase: the journal's database cannot be used, or not by this version.
//   - Interrupted: ctx was done before anything was changed.
//   - Repeated, OtherRequest: of those that change something, where the request is one that
//     was done already, or bears the key of another one (Asking).
//
// Beside them a service takes what a run asks a person for by hand. That ends with
// NothingAsked, or NotTaken where the process that asked is gone.
//
// They may be called from several goroutines, and from several processes: of what must
// not be done twice at once, one is refused.
//
// Operations that look change nothing at a vendor and may be repeated at any time; where
// one notes in the journal what it saw, it says so. Those that take a Face change things,
// and each may be repeated after whatever ended it: the journal knows what was meant.
//
// What a run asks somebody to do by hand is answered beside them, with NothingAsked or
// NotTaken where nobody asks that any more.
type Operations interface {
	// Open opens a run and advances it until it is over, stuck, or waits for a person, or
	// until ctx is done: what has begun is finished then, and the run stays open.
	//
	// Refused, with nothing opened: NoCredential, NoFormerName, NotFormer, NoConsumer,
	// NotRehearsed, BadStrategy, UnknownPlace, OtherName, NoReason (an emergency, or
	// without the role), WindowClosed, NoRole, NotIdentified, Unwired (a vendor cannot
	// be opened: a reference is not set), RunOpen, PlaceBusy, PlanDone, NotNewest, PlanDecides, Busy;
	// RunUnseen and Refused (a rehearsal beside which a run would be refused); where somebody
	// has to agree first, AwaitsApproval (he was asked), ApprovalRefused, NotSeen and
	// Refused. Unwritable: the journal
	// could not be written, so nothing was done.
	//
	// Once it is open: Stopped and Overtaken, as of Advance.
	Open(ctx context.Context, o Opening, f Face) (Ended, error)

	// Advance takes an open run up, and advances it as Open does. Who names no run means
	// the only one that is open. Confirming what a run waits for is advancing it with the
	// credential's name.
	//
	// Refused, with nothing written: NoRun, NoneOpen, SeveralOpen, RunOver, NewerRun, NoCredential,
	// RehearsalGone, OtherName, UnknownPlace, NotHeld, NoReason, RoleNeeded, NoRole,
	// NotIdentified, Unwired, Busy, Unwritable; and a confirmation where others have to
	// agree: AwaitsApproval, ApprovalRefused.
	//
	// Stopped: the journal cannot be written any more, or another mistake ended this
	// process's part; Overtaken: another process has taken the run up. Both name what is
	// live.
	Advance(ctx context.Context, a Advancing, f Face) (Ended, error)

	// GoBack turns an open run back, and advances it. Refused as Advance is, and with
	// PastReturn once the old credential may have been deleted.
	GoBack(ctx context.Context, b Backing, f Face) (Ended, error)

	// Check looks at everything that a run would need, and notes in the journal what it
	// came to. What stands against a run is in what it returns, and is not an error.
	//
	// Refused: NoCredential, BadStrategy, Unwired.
	Check(ctx context.Context, w Wish) (Checked, error)

	// Plan tells what a run of a wish would do, and who would be without a credential.
	//
	// Refused as Open is for the same wish, and: NotSeen, Refused.
	Plan(ctx context.Context, w Wish) (Planned, error)

	// PlanBack tells what GoBack would do, from the journal alone. Refused: NoRun, NoJournal,
	// RunOver, PastReturn.
	PlanBack(ctx context.Context, run string) (BackPlan, error)

	// Compare compares issuer, store and consumers of these credentials, or of all, and
	// notes in the journal what it found. Refused: NoCredential, NoCredentials, Misfit.
	Compare(ctx context.Context, credentials []string) (Compared, error)

	// Discover finds who holds a credential without being registered, looking at all and
	// telling of these, and notes it in the journal. Refused as Compare is.
	Discover(ctx context.Context, credentials []string) (Discovered, error)

	// FormerNames tells who still has a former name. Refused as Compare is.
	FormerNames(ctx context.Context, credentials []string) (FormerNames, error)

	// Status tells of every credential what the journal knows, asking nobody unless it is
	// to be live. Refused, where it is: NoCredentials, Misfit.
	Status(ctx context.Context, a StatusAsked) (Status, error)

	// Doctor tells everything that these credentials, or all, lack on this machine. No
	// vendor is asked more than whether it answers. Refused: NoCredential.
	Doctor(ctx context.Context, credentials []string) ([]Finding, error)

	// Document renders the written procedure of each of these credentials and hands it
	// over, page by page. It ends with the first error of each. Refused: NoCredential,
	// Misfit.
	Document(ctx context.Context, d Documenting, each func(Page) error) error

	// Evidence tells what was done in a period, and hands it to lines as JSON lines,
	// signed, with the entries and their proofs, some whole lines at a time; nil: they
	// are not wanted. What an error cuts off has no signature. Refused: NotIdentified,
	// Unnamed, Unsigned, NoEntries.
	Evidence(ctx context.Context, p Period, lines func([]byte) error) (Evidence, error)

	// Verify checks the journal against its chain, its checkpoints, and those given.
	// That it does not verify is in the report, and is not an error. Refused: NoJournal;
	// KeysUnread where the public keys beside it cannot be read.
	Verify(ctx context.Context, v Verifying) (Verified, error)

	// Sign signs the journal as it is, and sends every checkpoint that was not sent yet.
	// What went wrong is in what it returns, and is not an error.
	Sign(ctx context.Context) (Signed, error)

	// Key returns the public key with which checkpoints are verified, and makes one if
	// there never was any.
	Key(ctx context.Context) (public string, err error)

	// NewKey hands over to a new key. Refused: NoReason, NoRole, NotIdentified, NotThisKey.
	NewKey(ctx context.Context, n NewKey) (HandedOver, error)

	// Schedule tells of every credential when it is due, what the service begins now, and
	// of everything else why not. It asks nobody and begins nothing.
	Schedule(ctx context.Context) (Schedule, error)

	// Pause has the service begin nothing by itself, until Continue; runs that are open continue.
	// May be repeated. Refused: NoReason, NoRole, NotIdentified, Unwritable.
	Pause(ctx context.Context, reason string) error

	// Continue lets the service begin again what is due: after Pause, and after too many
	// runs failed. May be repeated. Refused: NoRole, NotIdentified, Unwritable.
	Continue(ctx context.Context, reason string) error

	// Approvals returns the requests that somebody can still answer, or that are agreed to
	// and not begun yet, oldest first.
	Approvals(ctx context.Context) ([]Approval, error)

	// Approve agrees to a request. What waits for it may be begun once as many people have
	// as the rule wants: by the service, or by Open or Advance. Refused, with nothing
	// written: NothingAsked, OtherAsked, NotApprover, NotProven, OwnRequest, NotFresh,
	// AgreedAlready, NotIdentified, Unwritable.
	Approve(ctx context.Context, a Answering) (Approval, error)

	// Refuse refuses a request, which ends it: nobody is asked for the same again before it
	// would have expired. Refused: NoReason, NothingAsked, OtherAsked, NotApprover,
	// NotProven, NotIdentified, Unwritable.
	Refuse(ctx context.Context, a Answering) (Approval, error)

	// TakeBack takes one's own agreement back, or one's own request. Refused: NothingAsked,
	// OtherAsked, NotTheirs, NotIdentified, Unwritable.
	TakeBack(ctx context.Context, a Answering) (Approval, error)

	// Findings tells everything that the last looks have found, as the journal keeps it,
	// with who lets it be. It asks nobody.
	Findings(ctx context.Context) (Findings, error)

	// Acknowledge notes that whoever asks knows of a finding and lets it be, until a day and
	// for as long as it stays as it is: it is not notified then, and does not count for a
	// credential's status. It stays in every list, and in the evidence. Refused, with nothing
	// written: NoFinding, FindingChanged, BadUntil, NotAcknowledged, NoReason, NoRole,
	// NotIdentified, Unwritable.
	Acknowledge(ctx context.Context, a Acknowledging) (Acknowledged, error)

	// Whoami tells who asks, how sure that is, and which credentials he may not change.
	// Refused: NotIdentified.
	Whoami(ctx context.Context) (Whoami, error)

	// Runs returns all runs, oldest first; none where there is no journal yet.
	Runs(ctx context.Context) ([]history.Summary, error)

	// RunsOf returns the runs of one credential, oldest first; none of one that nobody knows.
	RunsOf(ctx context.Context, credential string) ([]history.Summary, error)

	// OneRun returns one run in one line. Refused: NoRun.
	OneRun(ctx context.Context, run string) (history.Summary, error)

	// OpenRuns returns those that are open, with whether they are past the point of no
	// return.
	OpenRuns(ctx context.Context) ([]OpenRun, error)

	// Log returns everything that the journal holds of a run. Refused: NoJournal, NoRun.
	Log(ctx context.Context, run string) (Logged, error)
}

// Face is told of a run while it happens, and asked what only a person can say. Its
// methods may be called from several goroutines; none may call an operation.
type Face interface {
	// Behind is told, before anything is done, why the journal is not the one of which a
	// checkpoint has left the machine. It stops nothing.
	Behind(why error)

	// Past is told once, before anything else that follows, what earlier processes of the
	// run did; nothing where it was opened just now.
	Past(events []rotation.Event)

	// Event is told of an event after it is on disk.
	Event(e rotation.Event)

	// Starts is told which steps are about to be tried.
	Starts(actions []rotation.Action)

	// Waits is told what is being waited for.
	Waits(w rotation.Wait)

	// Call is told after each request.
	Call(c Call)

	// End is told that nothing more of the run happens in this process.
	End()

	// Confirm asks whether to go on with what cannot be undone. It returns how that was
	// said, for the record, or ErrNotConfirmed: the run waits then. It is not asked where
	// the credential's name was given beforehand.
	Confirm(ctx context.Context, ask rotation.Ask) (how string, err error)
}

var _ Operations = (*Estate)(nil)
