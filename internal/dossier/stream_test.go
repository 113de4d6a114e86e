package dossier

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"rekey/internal/rotation"
)

// TestWhoWasOpenBesideWhom: the sweep finds just the pairs that comparing all with all
// does.
func TestWhoWasOpenBesideWhom(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		all := make([]*rotation.State, random.IntN(20))
		for i := range all {
			opened := time.Unix(int64(random.IntN(30)), 0)
			all[i] = &rotation.State{OpenedAt: opened}
			if random.IntN(4) > 0 {
				all[i].Closed, all[i].ClosedAt = &rotation.Closed{}, opened.Add(time.Duration(random.IntN(8))*time.Second)
			}
		}
		want := make([][]int, len(all))
		for i := range all {
			for k := range all {
				if i != k && overlap(all[i], all[k]) {
					want[i] = append(want[i], k)
				}
			}
		}
		if got := overlaps(all); !reflect.DeepEqual(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	}
}

// pieces counts what is written at once.
type pieces struct {
	bytes.Buffer
	n, largest, split int
	fails             int // with which piece; 0: never
}

var errFull = errors.New("the disk is full")

func (p *pieces) Write(b []byte) (int, error) {
	p.n++
	if p.n == p.fails {
		return 0, errFull
	}
	p.largest = max(p.largest, len(b))
	if !bytes.HasSuffix(b, []byte("\n")) {
		p.split++
	}
	return p.Buffer.Write(b)
}

// TestAnExportIsWrittenSomeLinesAtATime, and no entry is kept for that.
func TestAnExportIsWrittenSomeLinesAtATime(t *testing.T) {
	p := &pieces{}
	w := newLines(p)
	for range 1000 {
		if err := w.line(Entry{Type: "entry", Proof: []string{string(bytes.Repeat([]byte("x"), 900))}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.flush(); err != nil || p.n < 10 || p.largest > inOne+2000 || p.split > 0 {
		t.Errorf("%d pieces, the largest of %d bytes, %d not of whole lines: %v", p.n, p.largest, p.split, err)
	}
	w = newLines(&pieces{fails: 2})
	var err error
	for n := 0; n < 1000 && err == nil; n++ {
		err = w.line(Entry{Type: "entry", Proof: []string{string(bytes.Repeat([]byte("x"), 900))}})
	}
	if !errors.Is(err, errFull) {
		t.Errorf("what cannot be written goes unnoticed: %v", err)
	}
}
