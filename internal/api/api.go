// Package api is the operations as HTTP: which path each has, what goes over it, and what a refusal looks like.
//
// It is shared by internal/server, which serves it, and internal/client, which asks, so
// that neither can mean something else by it. The bodies are the plain data of
// internal/estate. openapi.json describes all of it for everybody else; it is made from
// the types here (go test ./internal/api -update), and the server checks every body
// against it.
package api

import (
	"net/http"
	"reflect"

	"rekey/internal/estate"
)

// Version is the API's. It is part of every path, and grows only where something that was
// there changes its meaning.
const Version = "v1"

// Base is what every path of the API begins with.
const Base = "/api/" + Version

// Headers, beside those of HTTP.
const (
	// RequestHeader names a request that changes something, so that one whose answer was lost
	// can be asked again (draft-ietf-httpapi-idempotency-key-header): 1 to 200 visible ASCII
	// characters, the caller's own. It is known for estate.RequestKept.
	RequestHeader = "Idempotency-Key"
	// ReplayedHeader is in an answer that was given before, to the same request.
	ReplayedHeader = "Idempotent-Replayed"
	// VersionHeader is in every answer: the version of the program that serves. An answer
	// without it comes from something else.
	VersionHeader = "Rekey-Version"
	// IDHeader is in every answer: the id under which the server has logged the request.
	IDHeader = "Request-Id"
)

// Types of bodies.
const (
	JSON    = "application/json"
	Problem = "application/problem+json" // RFC 9457
	Lines   = "application/x-ndjson"     // one JSON object a line
	Events  = "text/event-stream"        // [html.spec.whatwg.org/multipage/server-sent-events.html]
)

// OnlyOpen stands for a run's id in a path: the only run that is open.
const OnlyOpen = "-"

// Way is how one operation is asked for.
type Way struct {
	ID      string // its operationId
	Method  string
	Path    string // below Base; {run} is a run's id
	Summary string // one line, for people
	Params  []Param
	Body    reflect.Type // JSON; nil: none
	Answer  reflect.Type // of the answer, or of each line or event of a stream
	Type    string       // of the answer
	Status  int          // of an answer that is no problem
	Named   bool         // takes RequestHeader
	Role    bool         // changes something, so that who asks has to have a role
	Group   string       // heading under which a document lists it
}

// Param is one parameter of a path's query.
type Param struct {
	Name, Type, Summary string // Type is string, integer or boolean
	Many                bool   // it may be repeated
}

func typed[T any]() reflect.Type { return reflect.TypeFor[T]() }

// page are the parameters of a list that comes in pages.
func page(more ...Param) []Param {
	return append(more,
		Param{Name: "limit", Type: "integer", Summary: "Page size: 1 to 5000, 200 if left out."},
		Param{Name: "cursor", Type: "string", Summary: "Cursor: the field next of the previous page."})
}

// Ways are all operations, in the order of a document.
func Ways() []Way {
	get, post := http.MethodGet, http.MethodPost
	ways := []Way{
		{Group: "Runs", ID: "openRun", Method: post, Path: "/runs", Status: http.StatusCreated, Named: true, Role: true, Body: typed[estate.Opening](), Answer: typed[estate.Begun](), Summary: "Open a run. It is carried out by a worker; follow it by its events."},
		{Group: "Runs", ID: "listRuns", Method: get, Path: "/runs", Answer: typed[Runs](), Summary: "All runs, newest first.", Params: page(
			Param{Name: "credential", Type: "string", Summary: "Only of this credential."}, Param{Name: "open", Type: "boolean", Summary: "Only those that are open, or only those that are over."})},
		{Group: "Runs", ID: "listOpenRuns", Method: get, Path: "/open-runs", Answer: typed[OpenRuns](), Summary: "The runs that are open, with whether they are past the point of no return."},
		{Group: "Runs", ID: "getRun", Method: get, Path: "/runs/{run}", Answer: typed[estate.Summary](), Summary: "One run in one line."},
		{Group: "Runs", ID: "getLog", Method: get, Path: "/runs/{run}/log", Answer: typed[Log](), Params: page(), Summary: "Everything that the journal holds of a run."},
		{Group: "Runs", ID: "followRun", Method: get, Path: "/runs/{run}/events", Answer: typed[Told](), Type: Events, Params: []Param{{Name: "after", Type: "integer", Summary: "Number of the last event received; the same as Last-Event-ID."}}, Summary: "The events of a run, as they happen, until it is over, stuck, or waits for a person."},
		{Group: "Runs", ID: "advanceRun", Method: post, Path: "/runs/{run}/advance", Named: true, Role: true, Body: typed[Advancing](), Answer: typed[estate.Taken](), Summary: "Resume an open run, or confirm what it waits for. The id - stands for the only open run."},
		{Group: "Runs", ID: "planBack", Method: get, Path: "/runs/{run}/back", Answer: typed[estate.BackPlan](), Summary: "What a rollback would do, according to the journal."},
		{Group: "Runs", ID: "goBack", Method: post, Path: "/runs/{run}/back", Named: true, Role: true, Body: typed[Backing](), Answer: typed[estate.Taken](), Summary: "Roll an open run back: undo everything that it has done."},

		{Group: "Looks", ID: "getStatus", Method: get, Path: "/status", Answer: typed[Status](), Params: page(
			Param{Name: "live", Type: "boolean", Summary: "Ask each issuer for its list and each store for its folder; the answer is then one page."}, Param{Name: "working", Type: "boolean", Summary: "Tell which open runs a process is working on."}), Summary: "Every credential, the most urgent first."},
		{Group: "Looks", ID: "check", Method: post, Path: "/check", Body: typed[estate.Wish](), Answer: typed[estate.Checked](), Summary: "Look at everything that a run would need."},
		{Group: "Looks", ID: "plan", Method: post, Path: "/plan", Body: typed[estate.Wish](), Answer: typed[estate.Planned](), Summary: "What a run would do, and who would be without a credential."},
		{Group: "Looks", ID: "compare", Method: post, Path: "/compare", Body: typed[Named](), Answer: typed[estate.Compared](), Summary: "Compare issuer, store and consumers."},
		{Group: "Looks", ID: "discover", Method: post, Path: "/discover", Body: typed[Named](), Answer: typed[estate.Discovered](), Summary: "Who holds a credential without being registered."},
		{Group: "Looks", ID: "formerNames", Method: post, Path: "/former-names", Body: typed[Named](), Answer: typed[estate.FormerNames](), Summary: "Who still has a former name."},
		{Group: "Looks", ID: "listFindings", Method: get, Path: "/findings", Answer: typed[FoundList](), Params: page(
			Param{Name: "credential", Type: "string", Summary: "Only of this credential."}, Param{Name: "acknowledged", Type: "boolean", Summary: "Only those that somebody has acknowledged, or only those that nobody has."}), Summary: "Everything that the last looks have found, and who has acknowledged it."},
		{Group: "Looks", ID: "acknowledge", Method: post, Path: "/findings/acknowledge", Named: true, Role: true, Body: typed[estate.Acknowledging](), Answer: typed[estate.Acknowledged](), Summary: "Acknowledge a finding until a day, or take that back."},
		{Group: "Looks", ID: "doctor", Method: post, Path: "/doctor", Body: typed[Named](), Answer: typed[Findings](), Summary: "Everything that the server's machine lacks for these credentials, or for all."},

		{Group: "Configuration", ID: "getCredentials", Method: get, Path: "/credentials", Answer: typed[Configured](), Summary: "What rekey.yaml says, and what is wrong with its newest version."},
		{Group: "Configuration", ID: "document", Method: get, Path: "/procedures", Answer: typed[Written](), Type: Lines, Params: []Param{
			{Name: "credential", Type: "string", Many: true, Summary: "Only of these; none: of all."}, {Name: "html", Type: "boolean", Summary: "One page that needs no other file, instead of Markdown."}, {Name: "stable", Type: "boolean", Summary: "Without what changes with time and history."}}, Summary: "The written procedures, page by page."},
		{Group: "Configuration", ID: "whoami", Method: get, Path: "/whoami", Answer: typed[estate.Whoami](), Summary: "Who the caller is, and which credentials they may not change."},

		{Group: "Schedule", ID: "getSchedule", Method: get, Path: "/schedule", Answer: typed[estate.Schedule](), Summary: "When each credential is due, and why one that is due does not start."},
		{Group: "Schedule", ID: "pause", Method: post, Path: "/schedule/pause", Named: true, Role: true, Body: typed[Reason](), Answer: typed[estate.Noted](), Summary: "Start nothing automatically; runs that are open continue."},
		{Group: "Schedule", ID: "continue", Method: post, Path: "/schedule/continue", Named: true, Role: true, Body: typed[Reason](), Answer: typed[estate.Noted](), Summary: "Start due rotations again."},

		{Group: "Approvals", ID: "listApprovals", Method: get, Path: "/approvals", Answer: typed[Approvals](), Summary: "Requests that wait for approval, or is agreed to and not begun yet, oldest first."},
		{Group: "Approvals", ID: "approve", Method: post, Path: "/approvals/approve", Named: true, Role: true, Body: typed[estate.Answering](), Answer: typed[estate.Approval](), Summary: "Approve a request."},
		{Group: "Approvals", ID: "refuse", Method: post, Path: "/approvals/refuse", Named: true, Role: true, Body: typed[estate.Answering](), Answer: typed[estate.Approval](), Summary: "Reject a request."},
		{Group: "Approvals", ID: "takeBack", Method: post, Path: "/approvals/take-back", Named: true, Role: true, Body: typed[estate.Answering](), Answer: typed[estate.Approval](), Summary: "Take back your own approval or request."},

		{Group: "Evidence", ID: "evidence", Method: post, Path: "/evidence", Body: typed[Period](), Answer: typed[Proof](), Type: Lines, Summary: "What was done in a period, with proofs. An answer without its end line is incomplete and proves nothing."},
		{Group: "Evidence", ID: "verify", Method: post, Path: "/verify", Body: typed[estate.Verifying](), Answer: typed[estate.Verified](), Summary: "Check the journal against its chain, its checkpoints, and those given."},
		{Group: "Evidence", ID: "sign", Method: post, Path: "/checkpoints", Answer: typed[estate.Signed](), Summary: "Sign the journal as it is, and send every checkpoint that was not sent yet."},
		{Group: "Evidence", ID: "getKey", Method: post, Path: "/key", Answer: typed[Key](), Summary: "The public key of checkpoints. It is created if there is none."},
		{Group: "Evidence", ID: "newKey", Method: post, Path: "/key/new", Named: true, Role: true, Body: typed[estate.NewKey](), Answer: typed[estate.HandedOver](), Summary: "Hand over to a new key."},
	}
	ways = append(ways, tokenWays()...)
	for i := range ways {
		if ways[i].Type == "" {
			ways[i].Type = JSON
		}
		if ways[i].Status == 0 {
			ways[i].Status = http.StatusOK
		}
	}
	return ways
}

// WayOf returns the operation with an id. It panics where there is none: ids are constants.
func WayOf(id string) Way {
	for _, w := range Ways() {
		if w.ID == id {
			return w
		}
	}
	panic("api: there is no operation " + id)
}
