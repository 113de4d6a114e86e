package journal

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// begunAnew is what Begun says, from all entries.
func begunAnew(t *testing.T, j *Journal) []Entry {
	t.Helper()
	all, err := j.collect(t.Context(), `SELECT `+columns+` FROM entries WHERE kind = 'opened' AND NOT EXISTS (SELECT 1 FROM entries AS e WHERE e.kind = 'closed' AND e.run = entries.run) ORDER BY seq`)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestWhatIsOpenIsKnownWithoutReadingEverything: whatever begins and ends in which
// order, what is kept and what came after it come to what all entries say, and so
// little comes after it that a long history costs nothing.
func TestWhatIsOpenIsKnownWithoutReadingEverything(t *testing.T) {
	onBoth(t, func(t *testing.T, at spot) {
		j, err := at.open()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = j.Close() }()
		random := rand.New(rand.NewPCG(1, 2))
		runs := 0
		look := func(v View) error {
			got, err := v.Begun(t.Context(), "opened", "closed")
			if err != nil {
				return err
			}
			seqs := map[int64]bool{}
			for _, e := range got {
				seqs[e.Seq] = true
			}
			for _, e := range begunIn(t, v) {
				if !seqs[e] {
					t.Errorf("in the transaction, entry %d is open and not told", e)
				}
				delete(seqs, e)
			}
			if len(seqs) > 0 {
				t.Errorf("in the transaction, told as open and not so: %v", seqs)
			}
			return nil
		}
		rounds := 100
		if at.address != "" {
			rounds = 40 // each of many questions goes to a server and back
		}
		for range rounds {
			var drafts []Draft
			for range 1 + random.IntN(16) {
				d := Draft{At: time.Unix(int64(runs), 0), Run: fmt.Sprint(random.IntN(runs + 1)), Subject: "X", Kind: []string{"closed", "closed", "outcome"}[random.IntN(3)], Body: []byte("{}")}
				if random.IntN(2) == 0 {
					runs++
					d.Run, d.Kind = fmt.Sprint(runs), "opened"
				}
				drafts = append(drafts, d)
			}
			if _, err := j.AppendIf(t.Context(), look, drafts...); err != nil {
				t.Fatal(err)
			}
			got, err := j.Begun(t.Context(), "opened", "closed")
			if err != nil {
				t.Fatal(err)
			}
			if want := begunAnew(t, j); !reflect.DeepEqual(got, want) {
				t.Fatalf("%d are told as open, want %d", len(got), len(want))
			}
		}
		kept := j.standing(t.Context(), "opened", "closed")
		last, err := j.Last(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var after int
		err = j.db.QueryRow(`SELECT COUNT(*) FROM entries WHERE seq > $1 AND kind IN ('opened', 'closed')`, kept.seq).Scan(&after)
		if err != nil || after > 2*oftenEnough {
			t.Errorf("%d beginnings and ends of %d entries are read each time, want no more than %d: %v", after, last.Seq, 2*oftenEnough, err)
		}
		// Of other entries nothing is taken.
		if _, err := j.db.Exec(`UPDATE standing SET hash = 'of another journal', open = '[]'`); err != nil {
			t.Fatal(err)
		}
		got, err := j.Begun(context.Background(), "opened", "closed")
		if want := begunAnew(t, j); err != nil || len(want) == 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("with what is kept of other entries: %d are open, want %d: %v", len(got), len(want), err)
		}
		if _, err := j.db.Exec(`DROP TABLE standing`); err != nil {
			t.Fatal(err)
		}
		got, err = j.Begun(context.Background(), "opened", "closed")
		if want := begunAnew(t, j); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("in a journal of an older version: %d are open, want %d: %v", len(got), len(want), err)
		}
	})
}

func begunIn(t *testing.T, v View) []int64 {
	t.Helper()
	all, err := v.collect(t.Context(), `SELECT `+columns+` FROM entries WHERE kind = 'opened' AND NOT EXISTS (SELECT 1 FROM entries AS e WHERE e.kind = 'closed' AND e.run = entries.run) ORDER BY seq`)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]int64, len(all))
	for i, e := range all {
		out[i] = e.Seq
	}
	return out
}
