package history_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/rotation"
)

// entryOf is an entry as the recorded journals have it: its body is a text.
type entryOf struct {
	journal.Entry
	Body string `json:"body"`
}

// recorded are the entries of a journal that an older version of Rekey has written.
func recorded(t *testing.T, file string) (out []journal.Entry) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e entryOf
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		e.Entry.Body = json.RawMessage(e.Body)
		if e.Hash != e.Sum() {
			t.Fatalf("%s: entry %d is not as it was written", file, e.Seq)
		}
		out = append(out, e.Entry)
	}
	return out
}

// TestAJournalOfAnOlderVersionIsGoneOnWith: every word of it is understood, each run amounts
// to what it ended with, and there is a next step after every one of its entries.
func TestAJournalOfAnOlderVersionIsGoneOnWith(t *testing.T) {
	files, err := filepath.Glob("testdata/recorded-*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no journal was recorded (%v)", err)
	}
	for _, file := range files {
		book, _ := newBook(t)
		states, open := map[string]*rotation.State{}, ""
		for _, e := range recorded(t, file) {
			err := book.J.Append(t.Context(), journal.Draft{At: e.At, Run: e.Run, Subject: e.Subject, Kind: e.Kind, Body: e.Body})
			if err != nil {
				t.Fatal(err)
			}
			if e.Run == "" {
				continue
			}
			events, _, err := book.Take(t.Context(), e.Subject, e.Run)
			if err != nil {
				t.Fatalf("%s: after entry %d: %v", file, e.Seq, err)
			}
			state := rotation.Fold(events)
			states[e.Run], open = state, e.Run
			d := rotation.Next(state, e.At.Add(time.Hour), false)
			if state.Closed == nil && reflect.DeepEqual(d, rotation.Decision{}) {
				t.Errorf("%s: after entry %d nothing comes next: %+v", file, e.Seq, d)
			}
		}
		endings := map[rotation.Ending]bool{}
		for _, s := range states {
			if s.Closed != nil {
				endings[s.Closed.Ending] = true
			}
		}
		if !endings[rotation.Rotated] || !endings[rotation.RolledBack] || states[open].Closed != nil {
			t.Errorf("%s: endings %v, and the last is %+v", file, endings, states[open].Closed)
		}
	}
}

// TestWhatANewerVersionHasWrittenIsNotActedOn and can be read all the same: a worker of this
// version leaves such a run alone, and the list of runs, its log and the others go on.
func TestWhatANewerVersionHasWrittenIsNotActedOn(t *testing.T) {
	entries := recorded(t, "testdata/recorded-bd1115c.jsonl")
	last := entries[len(entries)-1].Run
	for what, c := range map[string]struct {
		kind     string // of the entry that is otherwise
		from, to string // what of its body
		says     string
	}{
		"a kind":                          {"intent", "", "", `"intent2"`},
		"a setting of the credential":     {"opened", `"spec":{`, `"spec":{"slowly":true,`, "opened.spec.slowly"},
		"a version of plans":              {"planned", `"version":1`, `"version":2`, "planned.version 2"},
		"a step":                          {"planned", `"verb":"quiet"`, `"verb":"hush"`, `planned.verb "hush"`},
		"a word of a step":                {"planned", `"verb":"quiet"`, `"verb":"quiet","twice":true`, "planned.steps[7].twice"},
		"a strategy":                      {"planned", `"strategy":"replace"`, `"strategy":"swap"`, `planned.strategy "swap"`},
		"what a look found":               {"outcome", `"class":"done"`, `"class":"done","halfway":true`, "outcome.halfway"},
		"a class of answers":              {"outcome", `"class":"done"`, `"class":"almost"`, `outcome.class "almost"`},
		"a purpose":                       {"opened", `"spec":{`, `"spec":{"purpose":"lend",`, `opened.spec.purpose "lend"`},
		"something about who is at work":  {"intent", `"generation":1`, `"generation":1,"alone":true`, "intent.alone"},
		"nothing that is not known today": {"", "", "", ""},
	} {
		book, _ := newBook(t)
		done := false
		for _, e := range entries {
			d := journal.Draft{At: e.At, Run: e.Run, Subject: e.Subject, Kind: e.Kind, Body: e.Body}
			if e.Run == last && e.Kind == c.kind && !done && (c.from == "" || strings.Contains(string(e.Body), c.from)) {
				done = true
				d.Body = []byte(strings.Replace(string(e.Body), c.from, c.to, 1))
				if c.from == "" {
					d.Kind += "2"
				}
			}
			if err := book.J.Append(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		if done != (c.kind != "") {
			t.Fatalf("%s: the recorded run has nothing like that", what)
		}
		_, _, err := book.Take(t.Context(), entries[len(entries)-1].Subject, last)
		newer, is := errors.AsType[*rotation.NotUnderstood](err)
		if c.kind == "" {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
			continue
		}
		if !is || newer.What != c.says || newer.Seq == 0 {
			t.Errorf("%s: it is gone on with, or told as %v", what, err)
		}
		if events, err := book.Events(t.Context(), last); err != nil || len(events) == 0 {
			t.Errorf("%s: its log cannot be read: %v", what, err)
		}
		seen := 0
		err = history.NewPast(nil).Open(t.Context(), book, func(r history.Summary, _ *rotation.State) error { seen++; return nil })
		if err != nil || seen != 1 {
			t.Errorf("%s: %d open runs are listed: %v", what, seen, err)
		}
	}
}
