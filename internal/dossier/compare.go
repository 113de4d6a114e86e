package dossier

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/report"
)

// compare holds what the lines say of runs and comparisons against the entries of the
// same file. Sentences that a person reads are made of these lines, and a proof of the
// entries alone would let them say anything.
func (w *walker) compare() {
	c := w.c
	entries, told := map[string][]journal.Entry{}, map[string]bool{}
	for _, e := range w.list {
		entries[e.Run] = append(entries[e.Run], e)
	}
	for _, r := range w.runs {
		name := r.is.Run
		if told[name] || name == "" {
			c.fault(r.line, 0, "line %d: run %q is told twice, or has no name", r.line, name)
			continue
		}
		told[name] = true
		read, err := reread(entries[name])
		if read.Simulated && !c.Header.Simulated {
			c.fault(r.line, 0, "line %d: run %s was practised on simulated vendors, and the header does not say so", r.line, name)
		}
		switch what := differ(r.is, read); {
		case err != nil:
			c.fault(r.line, 0, "line %d: run %s: %s", r.line, name, err)
		case what != "":
			c.fault(r.line, 0, "line %d: what it says of run %s is not what its entries say: %s", r.line, name, what)
		default:
			c.Runs++
		}
	}
	w.untold(told)
	w.comparisons()
	w.agreements()
	w.sums()
}

// reread makes the line of a run anew.
func reread(entries []journal.Entry) (r Run, err error) {
	if len(entries) == 0 {
		return r, errors.New("none of its entries is in this file")
	}
	defer func() { // entries that no Rekey wrote may lack anything that one has
		if recover() != nil {
			err = errors.New("its entries make no run")
		}
	}()
	events, err := history.Decode(entries)
	switch {
	case err != nil:
		return r, err
	case events[0].Opened == nil:
		return r, errors.New("its first entry is not in this file")
	}
	r = runOf(events, nil)
	r.First, r.Last, r.Entries = entries[0].Seq, entries[len(entries)-1].Seq, len(entries)
	return r, nil
}

// differ names the first field in which two readings of a run are not the same; ""
// if there is none. What another version of Rekey may word or judge in another way,
// as what a run does not cover, is not compared.
func differ(said, read Run) string {
	a, b := fields(said), fields(read)
	for _, f := range []string{"credential", "purpose", "simulated", "actor", "by", "reason", "ticket", "tool", "overrides", "opened", "closed", "ending", "why", "record", "strategy",
		"old", "new", "reviewed_plan", "confirmed", "resumed", "asked_back", "proofs", "every_consumer_proven", "old_one_denied", "live", "first", "last", "entries"} {
		if x, y := a[f], b[f]; !bytes.Equal(x, y) {
			return fmt.Sprintf("%s is %s there, and %s here", f, brief(y), brief(x))
		}
	}
	return ""
}

func fields(r Run) map[string]json.RawMessage {
	var out map[string]json.RawMessage
	if b, err := json.Marshal(r); err == nil {
		_ = json.Unmarshal(b, &out) // it was just written
	}
	return out
}

func brief(v json.RawMessage) string {
	const most = 80
	switch text := string(v); {
	case text == "":
		return "nothing"
	case len(text) > most:
		return strings.ToValidUTF8(text[:most], "") + "…"
	default:
		return text
	}
}

// untold: a run of the period of which no line tells would not be seen by a reader.
func (w *walker) untold(told map[string]bool) {
	h := w.c.Header
	for _, e := range w.list {
		if e.Run == "" || told[e.Run] || e.At.Before(h.From) || !e.At.Before(h.To) || h.Credential != "" && e.Subject != h.Credential {
			continue
		}
		told[e.Run] = true
		w.c.fault(0, e.Seq, "entry %d belongs to run %s, which no line reports", e.Seq, e.Run)
	}
}

// comparisons holds what is said of them against their entries.
func (w *walker) comparisons() {
	c := w.c
	for _, d := range w.drifts {
		e, ok := w.entries[d.is.Entry]
		var read report.Compared
		if !ok || e.Kind != history.Compared || json.Unmarshal(e.Body, &read) != nil {
			c.fault(d.line, d.is.Entry, "line %d: entry %d is not a comparison", d.line, d.is.Entry)
			continue
		}
		said, _ := json.Marshal([]any{d.is.Credential, d.is.At.UTC(), d.is.Consumers, d.is.Findings})
		is, _ := json.Marshal([]any{e.Subject, e.At.UTC(), read.Consumers, read.Findings})
		if !bytes.Equal(said, is) {
			c.fault(d.line, d.is.Entry, "line %d: what it says of a comparison is not what entry %d says", d.line, d.is.Entry)
			continue
		}
		c.Drift++
	}
}

// sums holds the counts of credentials, and the summary's, against the lines that
// they count.
func (w *walker) sums() {
	c, runs, all := w.c, map[string]map[string]int{}, map[string]int{}
	for _, r := range w.runs {
		if runs[r.is.Credential] == nil {
			runs[r.is.Credential] = map[string]int{}
		}
		runs[r.is.Credential][r.is.Ending]++
		all[r.is.Ending]++
	}
	for _, p := range w.people {
		if !equal(p.is.Runs, runs[p.is.Name]) {
			c.fault(p.line, 0, "line %d: it counts other runs of %s than there are", p.line, p.is.Name)
		}
	}
	if w.ended && !equal(w.end.Runs, all) {
		c.fault(c.Lines, 0, "the summary counts other endings of runs than there are")
	}
}

func equal(a, b map[string]int) bool {
	for k, n := range a {
		if b[k] != n {
			return false
		}
	}
	return len(a) == len(b)
}

// unambiguous reports whether every program reads the same in a line: it is one JSON
// object in UTF-8, and no name stands twice in an object. Programs differ in which of
// two they take, and some do not tell capital letters from small ones, so on the upper
// levels, which are ours, there are none.
func unambiguous(line []byte, ours int) error {
	if !utf8.Valid(line) {
		return errors.New("it is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if err := object(d, ours); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows its JSON object")
	}
	return nil
}

// deepest is how many objects and lists may stand inside one another: more than any
// line has, and fewer than hurt.
const deepest = 100

func object(d *json.Decoder, ours int) error {
	type level struct {
		names map[string]bool // nil: a list
		name  bool            // what comes next is a name
	}
	var open []level
	for {
		t, err := d.Token()
		if err != nil {
			return errors.New("it is not JSON object")
		}
		var top *level
		if len(open) > 0 {
			top = &open[len(open)-1]
		} else if t != json.Delim('{') {
			return errors.New("it is not JSON object")
		}
		if name, is := t.(string); is && top != nil && top.name {
			if top.names[name] || len(open) <= ours && strings.ToLower(strings.ToUpper(name)) != name {
				return fmt.Errorf("programs read it in different ways: %q", name)
			}
			top.names[name], top.name = true, false
			continue
		}
		if top != nil && top.names != nil {
			top.name = true // after this value
		}
		switch t {
		case json.Delim('{'):
			open = append(open, level{names: map[string]bool{}, name: true})
		case json.Delim('['):
			open = append(open, level{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
		switch {
		case len(open) == 0:
			return nil
		case len(open) > deepest:
			return errors.New("it is nested too deeply")
		}
	}
}
