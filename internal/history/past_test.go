package history_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"testing"
	"time"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/rotation"
)

func texts() map[string]func(history.Note) (any, error) {
	read := func(n history.Note) (any, error) { return n.At.Format(time.RFC3339Nano) + string(n.Body), nil }
	return map[string]func(history.Note) (any, error){history.Checked: read, history.Compared: read}
}

// TestWhatWasReadBeforeIsAsIfItWereReadNow: whatever is written in between, by whomever,
// and what somebody was given stays as it was.
func TestWhatWasReadBeforeIsAsIfItWereReadNow(t *testing.T) {
	ctx := t.Context()
	book, dir := newBook(t)
	j, err := journal.Open(dir) // another process writes
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	other := history.Book{J: j}
	random := rand.New(rand.NewPCG(1, 2))
	past := history.NewPast(texts())
	type given struct {
		seen history.Seen
		text string
	}
	var before []given
	open, runOf := map[string]*history.Recorder{}, map[*history.Recorder]string{}
	for n := range 300 {
		now := at.Add(time.Duration(n) * time.Minute)
		name := fmt.Sprintf("CF_%d", random.IntN(7))
		r := open[name]
		var e rotation.Event
		switch what := random.IntN(6); {
		case what == 5:
			note, err := history.NoteOf(now, name, []string{history.Checked, history.Compared, history.Discovered}[random.IntN(3)], map[string]int{"n": n})
			if err == nil {
				err = other.Add(ctx, note)
			}
			if err != nil {
				t.Fatal(err)
			}
		case r == nil: // two of them may have begun at one moment
			r = &history.Recorder{Book: other, Credential: name}
			open[name] = r
			e = rotation.Event{At: now.Truncate(10 * time.Minute), Kind: rotation.KindOpened, Opened: &rotation.Opened{Credential: name, Actor: fmt.Sprint("actor ", n), Reason: "why"}}
			e.Run = fmt.Sprintf("r%03d", random.IntN(1000)*1000+n)
		case what < 2:
			e = rotation.Event{At: now, Kind: rotation.KindClosed, Closed: &rotation.Closed{Ending: []rotation.Ending{rotation.Rotated, rotation.RolledBack}[what], Why: "why"}}
			delete(open, name)
		case what == 2:
			e = rotation.Event{At: now, Kind: rotation.KindStuck, Stuck: &rotation.Stuck{Why: fmt.Sprint("stuck ", n)}}
		default:
			e = rotation.Event{At: now, Kind: rotation.KindResumed, Resumed: &rotation.Resumed{Actor: "bob"}}
		}
		if e.Kind != "" {
			if e.Run == "" {
				e.Run = runOf[r]
			}
			runOf[r] = e.Run
			all := []rotation.Event{e}
			if e.Opened != nil {
				all = append(all, rotation.Event{At: now, Run: e.Run, Kind: rotation.KindPlanned, Planned: &rotation.Plan{Run: e.Run}})
			}
			if err := r.Append(ctx, all...); err != nil {
				t.Fatal(err)
			}
		}
		if random.IntN(3) > 0 {
			continue
		}
		got, err := past.Read(ctx, book)
		if err != nil {
			t.Fatal(err)
		}
		want, err := history.NewPast(texts()).Read(ctx, book)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("after %d, %v: read before\n %+v\nread now\n %+v", n, err, got, want)
		}
		begun(t, past, book, got)
		states(t, past, book)
		before = append(before, given{got, fmt.Sprintf("%+v", got)})
	}
	for i, b := range before {
		if now := fmt.Sprintf("%+v", b.seen); now != b.text {
			t.Fatalf("what was given first as the %d-th has changed:\n %s\n %s", i, b.text, now)
		}
	}
}

// begun holds who began what against all that the journal tells.
func begun(t *testing.T, past *history.Past, book history.Book, seen history.Seen) {
	t.Helper()
	badly := func(s history.Summary) bool { return s.Ending == rotation.RolledBack }
	got, err := past.Begun(t.Context(), book, seen.Runs, badly)
	if err != nil {
		t.Fatal(err)
	}
	all, err := book.Runs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []history.Summary{}
	for _, s := range all {
		one, known, err := book.OneRun(t.Context(), s.Run)
		if err != nil || !known || !reflect.DeepEqual(one, s) {
			t.Fatalf("one run is %+v, %v, and not %+v", one, err, s)
		}
		if badly(s) {
			want = append(want, s)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("who began\n %+v\nis\n %+v", want, got)
	}
}

// states holds the states of open runs against all that the journal tells of each.
func states(t *testing.T, past *history.Past, book history.Book) {
	t.Helper()
	going, err := book.Going(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = past.Open(t.Context(), book, func(r history.Summary, st *rotation.State) error {
		n++
		whole, err := book.State(t.Context(), r.Run)
		if err == nil && (!reflect.DeepEqual(st, whole) || (whole.Stuck != nil) != (r.Stuck != "")) {
			t.Fatalf("the state of %+v is\n %+v\nand read anew\n %+v", r, st, whole)
		}
		return err
	})
	if err != nil || n != len(going) {
		t.Fatalf("%d of %d are open, %v", n, len(going), err)
	}
}

// TestAJournalThatWasSetBackIsReadAnew: the newest entry that was read is not there.
func TestAJournalThatWasSetBackIsReadAnew(t *testing.T) {
	ctx := t.Context()
	past := history.NewPast(texts())
	books := []history.Book{}
	for _, name := range []string{"CF_A", "CF_B"} {
		book, _ := newBook(t)
		for i := range 3 {
			e := opened(fmt.Sprint(name, i))
			e.Opened.Credential = name
			if err := (&history.Recorder{Book: book, Credential: name}).Append(ctx, e); err != nil {
				t.Fatal(err)
			}
		}
		books = append(books, book)
	}
	for _, i := range []int{0, 1, 1, 0} {
		seen, err := past.Read(ctx, books[i])
		if err != nil || len(seen.Runs) != 3 || seen.Runs[0].Credential != []string{"CF_A", "CF_B"}[i] {
			t.Errorf("%+v, %v", seen.Runs, err)
		}
	}
}

// TestWhatCannotBeReadIsSaidEachTime, and read again once it can be.
func TestWhatCannotBeReadIsSaidEachTime(t *testing.T) {
	ctx := t.Context()
	book, _ := newBook(t)
	unread := true
	past := history.NewPast(map[string]func(history.Note) (any, error){history.Checked: func(history.Note) (any, error) {
		if unread {
			return nil, os.ErrInvalid
		}
		return "read", nil
	}})
	if _, err := past.Read(ctx, book); err != nil {
		t.Fatal(err)
	}
	note, err := history.NoteOf(at, "CF_A", history.Checked, 1)
	if err == nil {
		err = book.Add(ctx, note)
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := past.Read(ctx, book); err != os.ErrInvalid {
			t.Errorf("got %v", err)
		}
	}
	unread = false
	if seen, err := past.Read(ctx, book); err != nil || len(seen.Notes[history.Checked]) != 1 {
		t.Errorf("%+v, %v", seen, err)
	}
}
