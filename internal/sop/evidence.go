package sop

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Evidence is how the journal's checkpoints are signed, and where they are sent: what has left this machine cannot be edited here any more.
type Evidence struct {
	// Name of this journal in its checkpoints, like example.com/rekey: no spaces, no +. It cannot be changed later. Default: rekey/ and a random word
	Origin string `json:"origin,omitempty" jsonschema:"pattern=^[^\\s+]+$"`
	// Private key that signs checkpoints. Default: one that Rekey makes at first use, beside the journal
	Key Refs `json:"key,omitempty"`
	// Where every checkpoint is sent. Each entry is one of file, webhook and store.
	Checkpoints []CheckpointTo `json:"checkpoints,omitempty"`
}

// CheckpointTo is one place to which checkpoints are sent: exactly one of these keys.
type CheckpointTo struct {
	// File to append to, relative to this file; best on another machine's disk.
	File string `json:"file,omitempty"`
	// Address to post to.
	Webhook *Webhook `json:"webhook,omitempty"`
	// Slot of a store that holds the newest checkpoint; the store's history holds the others.
	Store *CheckpointSlot `json:"store,omitempty"`
}

// Webhook is an address that takes checkpoints as CloudEvents 1.0 (JSON).
type Webhook struct {
	// The address, by reference: whoever knows it can post to it.
	URL Refs `json:"url" jsonschema:"required"`
	// Headers to send, by reference.
	Headers map[string]Refs `json:"headers,omitempty"`
}

// CheckpointSlot is a slot of a store; the vendor's own settings stand beside these keys.
type CheckpointSlot struct {
	// Vendor, as named under vendors.
	Vendor string `json:"vendor" jsonschema:"required"`
	// Name of the slot: REKEY_CHECKPOINT
	Slot string `json:"slot" jsonschema:"required"`
}

// Attested is how checkpoints are made and sent, checked.
type Attested struct {
	Origin string
	Key    Refs // none: the key beside the journal
	Sinks  []Sink
}

// Sink is one place to which checkpoints are sent. One of File, Webhook and Slot is
// set.
type Sink struct {
	Name    string // printable, and the same as long as it is the same place: "file:/mnt/audit/checkpoints"
	File    string // as written: absolute, or relative to the folder of rekey.yaml
	Webhook *Webhook
	Slot    string
	Store   Place // of Slot
}

// evidence reads the block of that name.
func (p *parser) evidence() {
	n := get(p.root, "evidence")
	out := &p.config.Evidence
	out.Origin = value(get(n, "origin"))
	if k := get(n, "key"); k != nil {
		_ = out.Key.UnmarshalJSON(raw(p.doc(k).plain(k, "")))
	}
	names := map[string]bool{}
	list := get(n, "checkpoints")
	if list != nil && list.Kind == yaml.SequenceNode {
		for i, item := range list.Content {
			at := "evidence.checkpoints." + strconv.Itoa(i)
			s, ok := p.sink(item, at)
			if ok && names[s.Name] {
				p.doc(item).at(item, at, s.Name+" is given twice", "")
			}
			names[s.Name] = true
			if ok {
				out.Sinks = append(out.Sinks, s)
			}
		}
	}
	p.adviseEvidence(n)
}

// sink reads one place to which checkpoints are sent.
func (p *parser) sink(n *yaml.Node, at string) (s Sink, ok bool) {
	wrong := func(n *yaml.Node, under, msg, hint string) { p.doc(n).at(n, under, msg, hint) }
	file, webhook, store := get(n, "file"), get(n, "webhook"), get(n, "store")
	said := 0
	for _, x := range []*yaml.Node{file, webhook, store} {
		if x != nil {
			said++
		}
	}
	switch {
	case said != 1:
		wrong(n, at, "expected file, webhook or store", "")
	case file != nil && file.Kind == yaml.ScalarNode && file.Value != "":
		return Sink{Name: "file:" + file.Value, File: file.Value}, true
	case file != nil:
		wrong(file, at+".file", "want a path", "")
	case webhook != nil:
		var w Webhook
		if json.Unmarshal(raw(p.doc(webhook).plain(webhook, "")), &w) != nil || len(w.URL) == 0 || w.URL[0].Check() != nil {
			return s, false // told by the schema
		}
		p.headers(get(webhook, "headers"), at+".webhook.headers")
		// The reference names it, never what it refers to; two commands are told apart
		// without showing them.
		name := "webhook:" + w.URL[0].String()
		if scheme, _ := w.URL[0].Split(); scheme == "cmd" {
			sum := sha256.Sum256([]byte(w.URL[0]))
			name += fmt.Sprintf(" (%x)", sum[:2])
		}
		return Sink{Name: name, Webhook: &w}, true
	case store != nil:
		return p.slotSink(store, at+".store", wrong)
	}
	return s, false
}

func (p *parser) slotSink(n *yaml.Node, at string, wrong func(n *yaml.Node, under, msg, hint string)) (s Sink, ok bool) {
	v, slot := get(n, "vendor"), get(n, "slot")
	if v == nil || slot == nil {
		return s, false // told by the schema
	}
	known := []string{}
	for k := range p.config.Vendors {
		known = append(known, k)
	}
	vendor, there := p.config.Vendors[v.Value]
	def := p.definition("store." + vendor.Type)
	switch {
	case !there && get(get(p.root, "vendors"), v.Value) != nil:
		return s, false // told at the vendor
	case !there:
		wrong(v, at+".vendor", "there is no vendor of this name under vendors", didYouMean(v.Value, known))
		return s, false
	case def == nil:
		wrong(v, at+".vendor", vendor.Type+" cannot be a store; stores are "+strings.Join(p.having("store."), ", "), "")
		return s, false
	}
	rest := without(n, "vendor", "slot")
	d := p.doc(rest)
	settings := d.plain(rest, at)
	p.check("store."+vendor.Type, d, settings, at)
	id, _ := def["x-id"].(string)
	place := Place{Key: v.Value + ":" + value(get(n, id)), Vendor: v.Value, Settings: raw(settings)}
	return Sink{Name: "store:" + place.Key + slot.Value, Slot: slot.Value, Store: place}, true
}

// adviseEvidence: a journal that is only here can be rewritten here.
func (p *parser) adviseEvidence(n *yaml.Node) {
	tell := func(at *yaml.Node, path, msg string) {
		a := Problem{File: p.file, Path: path, Msg: msg, Line: 1, Col: 1}
		if at != nil && at.Line > 0 {
			a.Line, a.Col = at.Line, at.Column
		}
		p.advice = append(p.advice, a)
	}
	sinks := p.config.Evidence.Sinks
	if len(sinks) == 0 && !simulates(p.root) {
		tell(n, "evidence", "checkpoints never leave this machine: anybody who can write here can rewrite the journal unnoticed; name under evidence.checkpoints where to send them")
	}
	journal := p.config.Journal
	if j := get(p.root, "journal"); j != nil && j.Value != "" {
		journal = j.Value
	}
	for _, s := range sinks {
		if rel, err := filepath.Rel(journal, s.File); s.File != "" && err == nil && !strings.HasPrefix(rel, "..") {
			tell(n, "evidence", s.Name+" lies in the journal's own folder: whoever can write there can rewrite both")
		}
		if s.File != "" && p.config.Database != "" {
			tell(n, "evidence", s.Name+" is a file, and several machines share the journal: each checkpoint is only in the file of the machine that sent it, unless all write to the same one")
		}
	}
}
