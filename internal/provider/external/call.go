package external

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

const (
	// largest program that is pinned.
	largest = 256 << 20
	// longest answer: a list of some ten thousand.
	longest = 8 << 20
	// patience is how long one operation may take. Env.Look bounds it as well.
	patience = 30 * time.Second
)

// environment of a driver: where programs are found, and UTF-8; nothing of ours.
var environment = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"}

// Secret is a value in a message, written {"secret": "..."}.
type Secret struct{ secret.Value }

// UnmarshalJSON takes the value straight from the message.
func (s *Secret) UnmarshalJSON(b []byte) error {
	var in struct{ Secret secret.Value }
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return errors.New(`want a secret as {"secret": "..."}`)
	}
	s.Value = in.Secret
	return nil
}

// plain is a message on its way to the driver, in which secrets are plain.
func (s Secret) plain() any {
	if !s.Present() {
		return nil
	}
	return map[string]string{"secret": s.Reveal()}
}

// request is one question. What is not set is left out.
type request struct {
	Op     string
	Role   string // issuer, store, consumer
	Kind   string
	Name   string
	Rest   string
	Slot   string
	At     string // version
	Handle *cred.Handle
	Like   *cred.Handle
	Time   time.Time
	On     *bool
	Slots  []string
	Listed []cred.Handle
	Bundle secret.Bundle
	Stays  secret.Bundle
	Values []value
	Follow map[string]string

	Settings map[string]any
}

// value is one on its way to its slot.
type value struct {
	slot  string
	value secret.Value
	stamp map[string]string
}

// message is the request as it is sent.
func (p *driver) message(ctx context.Context, r request) (map[string]any, error) {
	m := map[string]any{"rekey": Protocol, "op": r.Op}
	put := func(k string, v any, set bool) {
		if set {
			m[k] = v
		}
	}
	connection := map[string]any{}
	for k, v := range p.connection {
		if p.secrets[k] {
			s, err := p.resolve(ctx, k, v)
			if err != nil {
				return nil, err
			}
			connection[k] = Secret{s}.plain()
			continue
		}
		text, err := p.text(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		connection[k] = text
	}
	m["connection"] = connection
	put("role", r.Role, r.Role != "")
	put("kind", r.Kind, r.Kind != "")
	put("settings", r.Settings, r.Settings != nil)
	put("name", r.Name, r.Name != "")
	put("rest", r.Rest, r.Rest != "")
	put("slot", r.Slot, r.Slot != "")
	put("version", r.At, r.At != "")
	put("handle", r.Handle, r.Handle != nil)
	put("like", r.Like, r.Like != nil)
	put("time", r.Time, !r.Time.IsZero())
	put("on", r.On, r.On != nil)
	put("slots", r.Slots, r.Slots != nil)
	put("listed", r.Listed, r.Listed != nil)
	put("follow", r.Follow, r.Follow != nil)
	for key, bundle := range map[string]secret.Bundle{"bundle": r.Bundle, "stays": r.Stays} {
		if bundle == nil {
			continue
		}
		b := map[string]any{}
		for f, v := range bundle {
			b[f] = Secret{v}.plain()
		}
		m[key] = b
	}
	if r.Values != nil {
		list := []any{}
		for _, v := range r.Values {
			list = append(list, map[string]any{"slot": v.slot, "value": Secret{v.value}.plain(), "stamp": v.stamp})
		}
		m["values"] = list
	}
	return m, nil
}

// resolve fetches a secret that a setting refers to.
func (p *driver) resolve(ctx context.Context, key string, v any) (secret.Value, error) {
	var refs sop.Refs
	switch v := v.(type) {
	case string:
		refs = sop.Refs{sop.Ref(v)}
	case []any:
		for _, x := range v {
			s, _ := x.(string)
			refs = append(refs, sop.Ref(s))
		}
	}
	s, _, err := p.env.Resolve(ctx, refs)
	if err != nil {
		return s, fmt.Errorf("%s: %w", key, err)
	}
	return s, nil
}

// answer is what a driver says, once.
type answer struct {
	Result json.RawMessage
	Error  *struct {
		Class      cred.Class
		Why        string
		Status     int
		RetryAfter float64 `json:"retry_after"` // seconds
	}
}

func (p *driver) look(ctx context.Context, r request, into any) error {
	return p.call(ctx, p.env.Look, r, into)
}

func (p *driver) change(ctx context.Context, r request, into any) error {
	return p.call(ctx, p.env.Change, r, into)
}

// call starts the program once, for one request.
func (p *driver) call(ctx context.Context, by func(context.Context, string, string, func(context.Context) error) error, r request, into any) error {
	op := strings.ReplaceAll(r.Op, "_", " ")
	unsent := func(err error) error {
		return &cred.Error{Vendor: p.name, Op: op, Class: cred.Unsent, Why: err.Error()}
	}
	m, err := p.message(ctx, r)
	if err != nil {
		return unsent(err)
	}
	in, err := json.Marshal(m)
	if err != nil {
		return unsent(errors.New("the question could not be written"))
	}
	return by(ctx, p.name, op, func(ctx context.Context) error {
		if err := p.itself(); err != nil {
			return err
		}
		ended, err := p.env.Ways().Exec(ctx, outside.Command{Path: p.program, Env: environment, Stdin: secret.New(string(in) + "\n"), Limit: longest, Patience: patience})
		if err != nil {
			return err
		}
		return p.understand(ended, string(in), into)
	})
}

// itself is whether the program is still the one that rekey.yaml names.
func (p *driver) itself() error {
	f, err := p.env.Ways().Files().Read(p.program, largest)
	refused := func(why string) error { return &cred.Error{Class: cred.Unsent, Why: why} }
	switch {
	case errors.Is(err, outside.ErrClosed):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return refused("there is no program " + p.program)
	case err != nil:
		return refused("the program " + p.program + " cannot be read")
	}
	sum := sha256.Sum256([]byte(f.Content.Reveal()))
	if got := hex.EncodeToString(sum[:]); got != p.sum {
		return refused("the program " + p.program + " is not the one that rekey.yaml names: its SHA-256 is " + got)
	}
	return nil
}

// understand reads the one line that a driver answers.
func (p *driver) understand(e outside.Ended, sent string, into any) error {
	unknown := func(why string) error { return &cred.Error{Class: cred.Unknown, Why: why} }
	dec := json.NewDecoder(strings.NewReader(e.Stdout.Reveal()))
	dec.DisallowUnknownFields()
	var a answer
	if err := dec.Decode(&a); errors.Is(err, io.EOF) {
		return unknown(fmt.Sprintf("the driver ended without an answer (status %d)", e.Exit))
	} else if err != nil || (a.Result == nil) == (a.Error == nil) {
		return unknown("the driver's answer does not follow the protocol")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return unknown("the driver gave more than one answer")
	}
	if a.Error != nil {
		return p.refusal(a, sent)
	}
	if e.Exit != 0 {
		return unknown(fmt.Sprintf("the driver answered, and did not end well (status %d)", e.Exit))
	}
	if into == nil {
		return nil
	}
	result, err := tellable(a.Result, sent, p.public(sent))
	if err != nil {
		return unknown("the driver's answer does not follow the protocol")
	}
	in := json.NewDecoder(bytes.NewReader(result))
	in.DisallowUnknownFields()
	if err := in.Decode(into); err != nil {
		return unknown("the driver's answer does not follow the protocol")
	}
	return nil
}

// refusal is an error that a driver tells. Its words are told only if nothing in them
// was secret.
func (p *driver) refusal(a answer, sent string) error {
	e := &cred.Error{Class: a.Error.Class, Why: a.Error.Why, Status: a.Error.Status, RetryAfter: time.Duration(a.Error.RetryAfter * float64(time.Second))}
	switch e.Class {
	case cred.Denied, cred.Absent, cred.Conflict, cred.Refused, cred.Limited, cred.Unsent, cred.Foreign, cred.Failed, cred.Unknown:
	default:
		return &cred.Error{Class: cred.Unknown, Why: "the driver reports an unknown class of errors"}
	}
	if quotes(e.Why, sent, p.public(sent)) {
		e.Why = untold
	}
	return e
}
