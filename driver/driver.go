// Package driver speaks the protocol of Rekey's drivers outside (docs/driver-protocol.md), so that a driver in Go is a description and a function for each operation.
//
//	func main() {
//		driver.Main(os.Stdin, os.Stdout, description, map[string]driver.Operation{
//			"list": func(ctx context.Context, q driver.Question) (any, error) { … },
//		})
//	}
package driver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Secret is a value that is written {"secret": "..."} and nowhere else: it prints as
// [redacted], whatever the verb.
type Secret struct{ value func() string }

// NewSecret wraps a value.
func NewSecret(s string) Secret { return Secret{func() string { return s }} }

// Reveal returns the value, on its way to where it is used.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return s.value()
}

// Format prints no value.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// MarshalJSON writes the value as the protocol has it; one that holds nothing is null.
func (s Secret) MarshalJSON() ([]byte, error) {
	if s.value == nil {
		return []byte("null"), nil
	}
	return json.Marshal(map[string]string{"secret": s.value()})
}

// UnmarshalJSON reads the value as the protocol has it.
func (s *Secret) UnmarshalJSON(b []byte) error {
	var in struct{ Secret *string }
	if err := json.Unmarshal(b, &in); err != nil {
		return errors.New("want a secret")
	}
	if in.Secret != nil {
		*s = NewSecret(*in.Secret)
	}
	return nil
}

// Question is one request.
type Question struct {
	Rekey      int
	Op         string
	Role       string
	Kind       string
	Connection json.RawMessage // settings under vendors; read them by Into
	Settings   json.RawMessage // settings of the role
	Name       string
	Rest       string
	Slot       string
	Version    string
	Handle     *Handle
	Like       *Handle
	Listed     []Handle
	Time       string // RFC 3339
	On         *bool
	Slots      []string
	Bundle     map[string]Secret
	Stays      map[string]Secret // with end_named: the secret that works on
	Values     []Value
	Follow     map[string]string
}

// Handle is what identifies one generation and is not a secret. Times are RFC 3339 in UTC.
type Handle struct {
	ID       string `json:"id"`
	Public   string `json:"public,omitempty"`
	Name     string `json:"name"`
	Created  string `json:"created,omitempty"`
	Expires  string `json:"expires,omitempty"`
	LastSeen string `json:"last_seen,omitempty"`
	Disabled bool   `json:"disabled,omitempty"`
	Version  int    `json:"version,omitempty"`
	Previous string `json:"previous,omitempty"`
}

// Value is one on its way to its slot; without a Value the slot is removed.
type Value struct {
	Slot  string
	Value *Secret
	Stamp map[string]string
}

// Held is what a slot holds.
type Held struct {
	Present bool              `json:"present"`
	Version string            `json:"version,omitempty"`
	Value   Secret            `json:"value,omitzero"`
	Stamp   map[string]string `json:"stamp,omitempty"`
}

// IsZero reports whether it holds nothing, for omitzero.
func (s Secret) IsZero() bool { return s.value == nil }

// Error is a classified failure. Why is in words of the driver's own, and holds
// nothing secret.
type Error struct {
	Class      string  `json:"class"` // denied, absent, conflict, refused, limited, unsent, unknown
	Why        string  `json:"why"`
	Status     int     `json:"status,omitempty"`
	RetryAfter float64 `json:"retry_after,omitempty"` // seconds
}

func (e *Error) Error() string { return e.Class + ": " + e.Why }

// Operation carries out one question; what it returns becomes the result. An error
// that is no *Error is unknown, and its words are not told.
type Operation func(context.Context, Question) (any, error)

// Main answers one question. description is what describe returns. A panic is an end
// without an answer, which is unknown.
func Main(in io.Reader, out io.Writer, description any, operations map[string]Operation) {
	result, err := answer(in, description, operations)
	line := map[string]any{"result": result}
	if err != nil {
		e := &Error{Class: "unknown", Why: "the driver met an error that it does not know"}
		errors.As(err, &e)
		line = map[string]any{"error": e}
	}
	_ = json.NewEncoder(out).Encode(line)
}

func answer(in io.Reader, description any, operations map[string]Operation) (any, error) {
	var q Question
	if err := json.NewDecoder(in).Decode(&q); err != nil {
		return nil, &Error{Class: "unsent", Why: "the question is not of the protocol"}
	}
	if q.Op == "describe" {
		return description, nil
	}
	do, known := operations[q.Op]
	if !known {
		return nil, &Error{Class: "refused", Why: "this driver does not know the operation"}
	}
	result, err := do(context.Background(), q)
	if result == nil {
		result = struct{}{}
	}
	return result, err
}
