// Package secret holds values that refuse to be printed, encoded or compared.
//
// The value sits behind a closure because fmt calls no methods on values in
// unexported fields: a redacting struct or string leaks there, a func prints
// as an address. It guards against accident, not against a debugger.
package secret

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

const redacted = "[redacted]"

// ErrEncode is returned by every encoder that is asked to write a Value.
// Encoding fails instead of writing a placeholder: a placeholder would reach a
// store one day and be taken for the secret.
var ErrEncode = errors.New("secret: refusing to encode a secret value")

// Value is one secret string. The zero Value holds nothing.
type Value struct{ reveal func() string }

// New wraps s. The caller should drop its own copy.
func New(s string) Value { return Value{func() string { return s }} }

// Reveal returns the secret. Only vendor folders and vendorhttp may call it,
// on the way to a destination (internal/house asserts this).
func (v Value) Reveal() string {
	if v.reveal == nil {
		return ""
	}
	return v.reveal()
}

// Present reports whether v holds a value; an empty string is not one.
func (v Value) Present() bool { return v.reveal != nil && v.reveal() != "" }

// Trimmed is v without white space around it: a value that was kept as a file ends
// with a newline.
func (v Value) Trimmed() Value { return New(strings.TrimSpace(v.Reveal())) }

// Equal compares in constant time for values of equal length.
func (v Value) Equal(w Value) bool {
	return subtle.ConstantTimeCompare([]byte(v.Reveal()), []byte(w.Reveal())) == 1
}

// In reports whether v stands in a text: for what looks whether anything has leaked.
// Nothing stands nowhere, and what is shorter than 6 characters is not looked for: it
// would be found in ordinary words.
func (v Value) In(text string) bool {
	s := v.Reveal()
	return len(s) >= 6 && strings.Contains(text, s)
}

// Format prints the placeholder for every verb.
func (v Value) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// String returns the placeholder.
func (v Value) String() string { return redacted }

// GoString returns the placeholder.
func (v Value) GoString() string { return redacted }

// LogValue logs the placeholder.
func (v Value) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON always fails with ErrEncode.
func (v Value) MarshalJSON() ([]byte, error) { return nil, ErrEncode }

// MarshalText always fails with ErrEncode.
func (v Value) MarshalText() ([]byte, error) { return nil, ErrEncode }

// MarshalYAML always fails with ErrEncode.
func (v Value) MarshalYAML() (any, error) { return nil, ErrEncode }

// GobEncode always fails with ErrEncode.
func (v Value) GobEncode() ([]byte, error) { return nil, ErrEncode }

// UnmarshalJSON takes a JSON string straight from a vendor's answer, so that
// no plain copy is held by the decoder's target. null leaves v empty.
func (v *Value) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*v = Value{}
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		// The decoder's own error may quote what it read.
		return errors.New("secret: want a JSON string")
	}
	*v = New(s)
	return nil
}
