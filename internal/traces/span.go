// Package traces tells OpenTelemetry of runs: spans are made from the journal's events and from the requests of a worker, and sent as OTLP over HTTP.
package traces

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

// Span is one span of a trace. What it says is from closed lists, from rekey.yaml and
// from the journal's numbers: nothing that a vendor answered, no address and no body.
type Span struct {
	Trace      [16]byte
	ID, Parent [8]byte // Parent is zero: it has none
	Name       string
	Client     bool // it is a request to somebody else
	Start, End time.Time
	Attributes []Attribute
	Status     Status
	Why        string // of a status that is Failed; one of our own words
	// Seq is the number of the entry by which it ended; 0: it is not from the journal.
	Seq int64
}

// Status of a span, as OpenTelemetry numbers them.
type Status int

const (
	// Unset: it is not known what came of it, or nothing was to come of it.
	Unset Status = iota
	// Well: it came out as it should.
	Well
	// Failed: it did not.
	Failed
)

// Attribute is one thing that a span says. Value is a string, an int64 or a bool.
type Attribute struct {
	Key   string
	Value any
}

// TraceOf is the trace of a run: whoever works at it, and however often it is taken up,
// it is this one.
func TraceOf(run string) (id [16]byte) {
	sum := sha256.Sum256([]byte("rekey trace " + run))
	copy(id[:], sum[:])
	return id
}

// TraceID is TraceOf as it is written.
func TraceID(run string) string {
	id := TraceOf(run)
	return hex.EncodeToString(id[:])
}

// rootOf is the span of a whole run, which all others are below.
func rootOf(run string) [8]byte { return spanOf(run, "run", 0) }

// spanOf is the id of a span that the entry with this number begins, so that it is the
// same whoever makes it, and what is sent twice is the same span twice.
func spanOf(run, what string, seq int64) (id [8]byte) {
	sum := sha256.Sum256([]byte("rekey span " + run + " " + what + " " + strconv.FormatInt(seq, 10)))
	copy(id[:], sum[:])
	return id
}

func text(key, value string) Attribute         { return Attribute{key, value} }
func number(key string, value int64) Attribute { return Attribute{key, value} }
func yes(key string, value bool) Attribute     { return Attribute{key, value} }
