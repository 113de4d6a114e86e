// Package cred is the vocabulary that may be printed: handles, slots,
// versions, fingerprints, places, verdicts and the class of a vendor's answer.
package cred

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Fingerprint is the keyed hash of a value, in hex: the only trace of a value
// that may be shown. Empty means "no value".
type Fingerprint string

// Short returns the first eight characters, for people.
func (f Fingerprint) Short() string {
	switch {
	case f == "":
		return "none"
	case len(f) > 8:
		return string(f[:8])
	}
	return string(f)
}

// Handle is the issuer's non-secret identity of one generation.
type Handle struct {
	ID       string    `json:"id"`                 // what the issuer's API calls it by
	Public   string    `json:"public,omitempty"`   // public half of the credential, if it has one (a client id)
	Name     string    `json:"name"`               // as shown by the issuer; not unique
	Created  time.Time `json:"created,omitzero"`   // UTC
	Expires  time.Time `json:"expires,omitzero"`   // UTC; zero means never or not told
	LastSeen time.Time `json:"last_seen,omitzero"` // UTC; zero means never or not told
	Disabled bool      `json:"disabled,omitempty"` // switched off but kept
	Version  int       `json:"version,omitempty"`  // counts the secrets that it has had, if the issuer tells
	Previous time.Time `json:"previous,omitzero"`  // until then the secret before the present one works too; UTC
}

// Expired reports whether its time is over at a moment of the issuer's clock.
func (h Handle) Expired(at time.Time) bool { return !h.Expires.IsZero() && !h.Expires.After(at) }

// Named is its name with its id, or the id alone where it has no other name.
func (h Handle) Named() string {
	if h.Name == "" || h.Name == h.ID {
		return h.ID
	}
	return h.Name + " (" + h.ID + ")"
}

// SlotState is what one slot holds, without its value.
type SlotState struct {
	Slot        string      `json:"slot"`
	Present     bool        `json:"present"`
	Version     string      `json:"version,omitempty"`     // the store's own version, if it counts them
	Fingerprint Fingerprint `json:"fingerprint,omitempty"` // of the value held
	// Hidden: nobody is shown what it holds, so the fingerprint is of what it was given,
	// as far as that can be told by the date of its last write; "": it cannot.
	Hidden  bool      `json:"hidden,omitempty"`
	Written time.Time `json:"written,omitzero"` // when a hidden one was last written, by the vendor's clock
}

// Place is one vendor rule that names generations: an Access policy or group.
type Place struct {
	Kind     string            `json:"kind"`               // vendor's kind: "policy", "app-policy", "group"
	ID       string            `json:"id"`                 // vendor's id
	Scope    string            `json:"scope,omitempty"`    // where it belongs, if not to the account itself: a zone
	Parent   string            `json:"parent,omitempty"`   // id of what it belongs to, if ids are not global
	Name     string            `json:"name"`               // as shown by the vendor
	Revision string            `json:"revision,omitempty"` // changes whenever anybody edits it
	Admits   bool              `json:"admits"`             // whom it names is accepted; a deny rule does not accept
	Names    []string          `json:"names,omitempty"`    // ids, or public ids, of the generations named
	Everyone bool              `json:"everyone,omitempty"` // it accepts any valid token
	Guards   []string          `json:"guards,omitempty"`   // ids of the applications that it belongs to
	Problems map[string]string `json:"problems,omitempty"` // by named id: why it cannot be replaced by adding another
}

// Key identifies a place among all places of a vendor.
func (p Place) Key() string { return p.Kind + "/" + p.ID }

// NamesAny reports whether the place names the generation, by id or public id.
func (p Place) NamesAny(h Handle) bool {
	return slices.Contains(p.Names, h.ID) || h.Public != "" && slices.Contains(p.Names, h.Public)
}

// Verdict is the answer of a probe.
type Verdict string

// A probe that cannot tell says so: only Accepted and Denied prove something.
const (
	Accepted Verdict = "accepted" // by what protects the address
	Rejected Verdict = "denied"   // by what protects the address, not by what is behind it
	Open     Verdict = "open"     // accepted without any credential: nothing protects it
	Unclear  Verdict = "unclear"  // could not tell
)

// Label is the mark that a run puts on what it creates, so that a creation
// whose answer was lost is found again: run id and attempt.
func Label(run string, generation int) string {
	return fmt.Sprintf("%s-%d", run, generation)
}

// Bears reports whether a name carries exactly this label: run-1 is not found
// in run-11.
func Bears(name, label string) bool {
	for rest, at := name, 0; ; {
		i := strings.Index(rest, label)
		if i < 0 {
			return false
		}
		end := i + len(label)
		if (at+i == 0 || !wordByte(name[at+i-1])) && (end == len(rest) || !wordByte(rest[end])) {
			return true
		}
		rest, at = rest[i+1:], at+i+1
	}
}

func wordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
