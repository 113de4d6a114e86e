// Package notary keeps the key that signs checkpoints, makes them, and sends them off the machine.
//
// Nothing of it may fail a run: a rotation that is done is done. What could not be
// made or sent is told, and caught up on by the next command that comes by here.
package notary

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"rekey/internal/evidence"
	"rekey/internal/journal"
	"rekey/internal/provider"
	"rekey/internal/sop"
)

// Notary makes and sends the checkpoints of one journal.
type Notary struct {
	Journal *journal.Journal
	Dir     string // folder of the journal: the keys are kept there
	Base    string // folder of rekey.yaml: relative paths start there
	Config  sop.Attested
	Env     provider.Env
	// Keys are the public keys of a journal that several machines share; nil: they are in
	// a file in Dir.
	Keys PublicKeys
	// Put writes a value into a slot of a store.
	Put func(ctx context.Context, place sop.Place, slot, value string) error
	// Get reads the signed note in a slot of a store; "": it holds none. nil: it is not
	// looked at.
	Get func(ctx context.Context, place sop.Place, slot string) (string, error)
}

// PublicKeys are kept where all machines that share a journal find them.
type PublicKeys interface {
	// Public returns them, oldest first.
	Public(ctx context.Context) (evidence.Keys, error)
	// Publish adds one. Idempotent. own: it is of the key in this machine's folder, which
	// is refused where another machine has brought one along before.
	Publish(ctx context.Context, public string, own bool) error
}

// Outcome is what became of it.
type Outcome struct {
	Checkpoint *journal.Checkpoint `json:"checkpoint,omitempty"` // the newest one; nil: there is none
	Made       bool                `json:"made"`                 // just now
	Key        string              `json:"key,omitempty"`        // public
	NewKey     bool                `json:"new_key,omitempty"`    // that key was made just now
	Problem    string              `json:"problem,omitempty"`    // why no checkpoint was made
	Next       []string            `json:"next,omitempty"`       // what can be done about that, the best first
	SetBack    bool                `json:"set_back,omitempty"`   // because the journal is not the one of which a checkpoint has left
	Sinks      []Sent              `json:"sinks"`
}

// Sent is what became of one sink.
type Sent struct {
	Sink    string `json:"sink"`
	Sent    int    `json:"sent"`              // checkpoints, just now
	Behind  int    `json:"behind,omitempty"`  // that it does not have
	Problem string `json:"problem,omitempty"` // why not
}

// OK reports whether everything is signed and sent.
func (o Outcome) OK() bool {
	for _, s := range o.Sinks {
		if s.Problem != "" || s.Behind > 0 {
			return false
		}
	}
	return o.Problem == ""
}

// Attest signs what is new and sends what was not sent yet. It may be repeated at
// any time. What goes wrong stands in the outcome.
func (n *Notary) Attest(ctx context.Context) Outcome {
	o := Outcome{Sinks: []Sent{}}
	head, err := n.Journal.Last(ctx)
	if err != nil {
		o.Problem = err.Error()
		return o
	}
	if head.Seq == 0 {
		return o // no key is made for nothing
	}
	s, fresh, err := n.signer(ctx)
	if err != nil {
		o.Problem = err.Error()
	} else {
		o.Key, o.NewKey = s.Public(), fresh
		n.make(ctx, &o, s)
		if o.SetBack {
			for _, sink := range n.Config.Sinks { // it would be sent a second history
				o.Sinks = append(o.Sinks, Sent{Sink: sink.Name, Problem: "nothing is sent until that is fixed"})
			}
			return o
		}
	}
	o.Sinks = n.send(ctx)
	return o
}

func (n *Notary) make(ctx context.Context, o *Outcome, signers ...note.Signer) {
	if err := n.Compare(ctx); err != nil {
		o.Problem = err.Error()
		if back, ok := errors.AsType[*setBack](err); ok {
			o.SetBack, o.Problem, o.Next = true, back.SetBack.Error(), back.next()
		}
		return
	}
	cp, made, err := evidence.Make(ctx, n.Journal, n.now(), signers...)
	if err != nil {
		o.Problem = err.Error()
		return
	}
	o.Checkpoint, o.Made = &cp, made
}

func (n *Notary) now() time.Time { return n.Env.Now().UTC() }

// Sign signs a text that is not a checkpoint as a note, with the key that signs
// checkpoints. Its first line must not be the name of the key: that is what tells it
// from a checkpoint.
func (n *Notary) Sign(ctx context.Context, text string) (string, error) {
	s, _, err := n.signer(ctx)
	if err != nil {
		return "", err
	}
	if err := n.Compare(ctx); err != nil {
		return "", err
	}
	if first, _, _ := strings.Cut(text, "\n"); first == s.Name() {
		return "", fmt.Errorf("sign: the journal must not be called %s", first)
	}
	signed, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return string(signed), nil
}
