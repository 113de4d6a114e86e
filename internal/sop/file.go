// Package sop turns rekey.yaml into checked specs, with every mistake at its line.
package sop

import "encoding/json"

// File is rekey.yaml: which vendors there are, how a kind of credential is
// rotated, and which credentials there are.
type File struct {
	// Version of this format; 1.
	Rekey int `json:"rekey" jsonschema:"required,enum=1"`
	// Practise on simulated vendors instead of real ones: a world file, or the address of `rekey sim`. Delete this line to work on the real vendors.
	Simulate string `json:"simulate,omitempty"`
	// Where the journal is kept, relative to this file. Default: .rekey, and .rekey-simulated with simulate
	Journal string `json:"journal,omitempty"`
	// Database that holds the journal, so that several machines share it: a reference to its address (env:REKEY_DATABASE), or the address itself where it holds no password. The folder under journal then keeps this machine's keys only.
	Database string `json:"database,omitempty" jsonschema:"minLength=1,example=env:REKEY_DATABASE"`
	// Key that makes the fingerprints of values, the same on every machine that shares the journal: env:REKEY_FINGERPRINT_KEY. Default: fingerprint.key in the folder under journal, made at first use
	FingerprintKey Refs `json:"fingerprint_key,omitempty"`
	// Who runs Rekey, and who has which role. Without it whoever runs it is believed.
	Identity *Identity `json:"identity,omitempty"`
	// How what was done is proven later: who signs the journal's checkpoints, and where they are sent.
	Evidence *Evidence `json:"evidence,omitempty"`
	// How `rekey serve` begins what is due, and looks without anybody asking.
	Schedule *Schedule `json:"schedule,omitempty"`
	// Who is told of what: approvals that are wanted, runs that are stuck, what is overdue or about to expire.
	Notify *Notify `json:"notify,omitempty"`
	// How to reach each vendor. The key is the name used below; it is also the vendor's type unless the entry says `vendor:`.
	Vendors map[string]any `json:"vendors" jsonschema:"required"`
	// How a kind of credential is rotated: what many credentials have in common, said once.
	Procedures map[string]Procedure `json:"procedures,omitempty"`
	// The credentials, by name.
	Credentials map[string]Credential `json:"credentials" jsonschema:"required"`
}

// Procedure is what all credentials of a kind have in common.
type Procedure struct {
	// Names that this procedure applies to, with one placeholder: CF_ACCESS_SVC_<SCOPE>. The part in its place becomes <SCOPE>, and in lower case <scope>.
	AppliesTo string `json:"applies_to,omitempty" jsonschema:"pattern=^[A-Za-z0-9_.-]*<SCOPE>[A-Za-z0-9_.-]*$"`
	Common
}

// Credential is one thing that is rotated. Whatever it says here wins over its procedure.
type Credential struct {
	// The procedure; only needed where no applies_to matches the name.
	Procedure string `json:"procedure,omitempty"`
	// Former names that still have to work: every slot written for the name is written for these as well.
	Former []string `json:"former,omitempty"`
	// Overrides the scope taken from the name.
	Scope string `json:"scope,omitempty"`
	// Of several credentials of its procedure that are due, this one goes first, and alone (schedule.canary).
	Canary bool `json:"canary,omitempty"`
	Common
}

// Common is what may be said in a procedure, in a credential, or in both.
// <name>, <scope>, <SCOPE>, <date> (UTC) and <run> are filled in.
type Common struct {
	// Where the written procedure is.
	Document string `json:"document,omitempty"`
	// Who answers for it: a team, an address.
	Owner string `json:"owner,omitempty"`
	// Role that a person needs to rotate this.
	Role string `json:"role,omitempty"`
	// How often to rotate: 90d.
	Cadence Duration `json:"cadence,omitempty" jsonschema:"format=rekey-positive"`
	// Up to how much earlier than the cadence says it is due, by a fixed draw for each name, so that not all are due on one day: 5d.
	Jitter Duration `json:"jitter,omitempty"`
	// When a run may start: Mon-Thu 09:00-16:00 Europe/Berlin. Days, hours and a time zone; several are alternatives.
	Windows []string `json:"windows,omitempty"`
	// What begins a rotation that is due, in one of its windows: automatically (by `rekey serve`), after approval (it asks for one first), or by hand. Default: by hand
	Run string `json:"run,omitempty" jsonschema:"enum=automatically,enum=after approval,enum=by hand"`
	// Whose agreement a rotation waits for.
	Approvals *Approvals `json:"approvals,omitempty"`
	// Rotate when the issuer's own expiry is nearer than this: 14d.
	BeforeExpiry Duration `json:"before_expiry,omitempty" jsonschema:"format=rekey-positive"`
	// What makes and revokes the credential.
	Issuer *IssuerBinding `json:"issuer,omitempty"`
	// Where its truth is kept, with history.
	Store *StoreBinding `json:"store,omitempty"`
	// Several stores instead of one: the first is the truth, and the others are given what it holds, before any consumer is. Without slots of its own one of the others has those of the first. Either this or store
	Stores []StoreBinding `json:"stores,omitempty" jsonschema:"minItems=1"`
	// What all its consumers have in common.
	Consumer *ConsumerBinding `json:"consumer,omitempty"`
	// Everything that uses it and must be switched.
	Consumers []ConsumerBinding `json:"consumers,omitempty"`
	// Protected addresses that must accept the new credential and deny a wrong one. May be left out where the issuer itself tells whether a credential works.
	Validate []Probe `json:"validate,omitempty"`
	// Checks that the consumers work; run before, after the switch, and after the old one is gone.
	Verify []Check `json:"verify,omitempty"`
	// Whether a run looks, before it begins and before it takes the old credential away, who else in its consumers' accounts holds it: run, or off. It costs one list and one read of each app, each time. Default: run
	Discover string `json:"discover,omitempty" jsonschema:"enum=run,enum=off"`
	// How long to wait for what.
	Timing *Timing `json:"timing,omitempty"`
	// Where `rekey rehearse` practises; without it there is no rehearsal.
	Rehearse *Rehearsal `json:"rehearse,omitempty"`
}

// Rehearsal is where the whole procedure is practised on a throwaway credential: nothing of production is written.
type Rehearsal struct {
	// What differs from the store's own settings: a folder of its own, as path: /rekey-rehearsal/
	Store *StoreBinding `json:"store,omitempty"`
	// The same where there are several stores: what differs for each, in the order of stores. Those that are left out are not rehearsed. Either this or store
	Stores []StoreBinding `json:"stores,omitempty" jsonschema:"minItems=1"`
	// Protected addresses of a sandbox whose rules accept any valid credential. Without one, no protected address is rehearsed.
	Validate []Probe `json:"validate,omitempty"`
}

// IssuerBinding names the vendor surface that makes and revokes the credential; the vendor's own settings stand beside these keys.
type IssuerBinding struct {
	// Vendor, as named under vendors.
	Vendor string `json:"vendor,omitempty"`
	// What kind of credential: access-service-token.
	Kind string `json:"kind,omitempty"`
	// How to rotate: replace (create, swap, delete) or roll (in place, where the issuer can). Default: replace where it is possible
	Strategy string `json:"strategy,omitempty"`
	// How long a rolled secret's predecessor lives on, unless it is ended earlier once everything is proven. Default: 7d
	Grace Duration `json:"grace,omitempty" jsonschema:"format=rekey-positive"`
	// Name that the issuer shows: raxx-<scope>-svc-<date>. Rekey appends the run's label, or puts it in place of <run>, to find again what it made.
	Name string `json:"name,omitempty"`
}

// StoreBinding names the store; the vendor's own settings stand beside these keys.
type StoreBinding struct {
	// Vendor, as named under vendors.
	Vendor string `json:"vendor,omitempty"`
	// Name of each slot and the template of what it holds: "<name>": "{client_secret}". A slot with <name> in it is written for the former names too. A field may go through filters, from left to right: {password|url} for a part of a URL, |json for a string of JSON with its quotation marks, |base64, |sh for one quoted word of a shell.
	Slots map[string]string `json:"slots,omitempty"`
}

// ConsumerBinding names one consumer; the vendor's own settings stand beside these keys.
type ConsumerBinding struct {
	// Vendor, as named under vendors.
	Vendor string `json:"vendor,omitempty"`
	// Name of each slot and the template of what it holds: "<name>": "{client_id}:{client_secret}". A field may go through filters, from left to right: {password|url} for a part of a URL, |json for a string of JSON with its quotation marks, |base64, |sh for one quoted word of a shell.
	Slots map[string]string `json:"slots,omitempty"`
}

// Probe is a protected place. It is asked without a credential, with a wrong one and with the new one.
type Probe struct {
	// Address that this credential gives access to.
	URL string `json:"url,omitempty"`
	// Status that the place answers to a good credential. Default: 200
	Status int `json:"status,omitempty" jsonschema:"minimum=200,maximum=599"`
	// Vendor, as named under vendors, whose own check is made instead: the issuer itself, or another server that accepts the credential, such as a replica. Its settings are the issuer's, where the type is the same, with what stands beside this key.
	Vendor string `json:"vendor,omitempty"`
	// Kind of credential by whose check that vendor is asked. Default: the issuer's kind
	Kind string `json:"kind,omitempty"`
	// Settings are the vendor's own; in the file they stand beside the other keys.
	Settings json.RawMessage `json:"settings,omitempty" jsonschema:"-"`
}

// Check is something whose answer proves that a consumer works: an address, a command, or a query of a vendor.
type Check struct {
	// Address to ask. Redirects are not followed.
	URL string `json:"url,omitempty"`
	// Headers to send; secrets by reference.
	Headers map[string]Refs `json:"headers,omitempty"`
	// Status that is expected. Default: 200
	Status int `json:"status,omitempty" jsonschema:"minimum=200,maximum=599"`
	// jq expression over the JSON answer; must give true. $since is when the
	// consumers had taken up the new credential (RFC 3339, UTC, whole seconds), ""
	// before that: with it, an answer that is cached from before proves nothing.
	JQ string `json:"jq,omitempty"`
	// Command to run, as a list: the program and its arguments. It is true where it ends with status 0. An argument $since is what it is in jq. What it prints is not shown.
	Command []string `json:"command,omitempty" jsonschema:"minItems=1"`
	// What the command reads from its standard input, made like a slot: "{password}". A value never stands in an argument or in the environment.
	Stdin string `json:"stdin,omitempty"`
	// Vendor, as named under vendors, that is asked the query.
	Vendor string `json:"vendor,omitempty"`
	// Question in the vendor's own language; what it has to give is in the vendor's page.
	Query string `json:"query,omitempty"`
}

// Timing bounds every wait.
type Timing struct {
	// First pause between two looks; grows to ten times this. Default: 1s
	Poll Duration `json:"poll,omitempty" jsonschema:"format=rekey-positive"`
	// How long a new credential may take until the protected address accepts it. Default: 2m
	Validate Duration `json:"validate,omitempty" jsonschema:"format=rekey-positive"`
	// How long a consumer may take to run on the new value. Default: 20m
	Settle Duration `json:"settle,omitempty" jsonschema:"format=rekey-positive"`
	// How long a check may take to come out true. Default: 5m
	Verify Duration `json:"verify,omitempty" jsonschema:"format=rekey-positive"`
	// How long the old credential must not have been seen by the issuer before it is retired. Default: 1m
	Quiet Duration `json:"quiet,omitempty"`
	// How long the old credential stays switched off before it is deleted, where the issuer can switch it off; it is switched on again if anything breaks. Default: 30s
	Watch Duration `json:"watch,omitempty"`
	// How long to let both live after everything is proven, then check again. Default: 0s
	Soak Duration `json:"soak,omitempty"`
	// How long the protected address may take to deny the old credential. Default: 2m
	Confirm Duration `json:"confirm,omitempty" jsonschema:"format=rekey-positive"`
}
