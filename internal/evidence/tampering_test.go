package evidence_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"rekey/internal/evidence"
	"rekey/internal/journal"
)

var start = time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC)

// bench is a journal with a key, and what has left its machine.
type bench struct {
	*testing.T
	dir    string
	signer note.Signer
	keys   evidence.Keys
	away   []evidence.Given
}

func key(t testing.TB, name string) (note.Signer, evidence.Key) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	k, err := evidence.ParseKey(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return s, k
}

func newBench(t *testing.T) *bench {
	s, k := key(t, "example.com/rekey")
	return &bench{T: t, dir: t.TempDir(), signer: s, keys: evidence.Keys{k}}
}

func (b *bench) open() *journal.Journal {
	b.Helper()
	j, err := journal.Open(b.dir)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = j.Close() })
	return j
}

// grow appends entries, and makes and sends checkpoints at these sizes.
func (b *bench) grow(to int, at ...int) {
	b.Helper()
	j := b.open()
	defer func() { _ = j.Close() }()
	last, err := j.Last(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	sizes := slices.Clone(at)
	if !slices.Contains(at, to) {
		sizes = append(sizes, to)
	}
	from := int(last.Seq)
	for _, size := range sizes {
		var drafts []journal.Draft
		for i := from; i < size; i++ {
			drafts = append(drafts, journal.Draft{At: start.Add(time.Duration(i) * time.Second), Run: "r", Subject: "CF_X", Kind: "outcome", Body: fmt.Appendf(nil, `{"n":%d}`, i)})
		}
		if err := j.Append(context.Background(), drafts...); err != nil {
			b.Fatal(err)
		}
		from = size
		if !slices.Contains(at, size) {
			continue
		}
		cp, made, err := evidence.Make(context.Background(), j, start, b.signer)
		if err != nil || !made || cp.Size != int64(size) {
			b.Fatalf("checkpoint at %d: made %v, %+v, %v", size, made, cp, err)
		}
		b.away = append(b.away, evidence.Given{Where: "checkpoints.txt", Note: cp.Note})
	}
}

// verify verifies as `rekey verify` does: by what the journal keeps, and by what
// had left the machine.
func (b *bench) verify(given ...evidence.Given) *evidence.Report {
	b.Helper()
	j := b.open()
	defer func() { _ = j.Close() }()
	ctx := context.Background()
	own, err := j.Checkpoints(ctx)
	if err != nil {
		b.Fatal(err)
	}
	kept, err := j.KeptHashes(ctx)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range own {
		given = append(given, evidence.Given{Where: "the journal", Own: true, Note: c.Note})
	}
	r, err := evidence.Verify(func(f func(journal.Entry) error) error { return j.Each(ctx, f) }, given, kept, b.keys)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// sql is somebody with the file and a text editor for databases.
func (b *bench) sql(statements ...string) {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.dir, "journal.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			b.Fatalf("%s: %v", s, err)
		}
	}
}

// rebuild gives every entry from one on a new number and a new hash: somebody who
// knows the format and covers his tracks.
func (b *bench) rebuild() {
	b.Helper()
	j := b.open()
	var all []journal.Entry
	err := j.Each(context.Background(), func(e journal.Entry) error { all = append(all, e); return nil })
	_ = j.Close()
	if err != nil {
		b.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.dir, "journal.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	tx, err := db.Begin()
	if err != nil {
		b.Fatal(err)
	}
	if _, err := tx.Exec(`DELETE FROM entries`); err != nil {
		b.Fatal(err)
	}
	prev := ""
	for i, e := range all {
		e.Seq, e.Prev = int64(i)+1, prev
		e.Hash = e.Sum()
		prev = e.Hash
		if _, err := tx.Exec(`INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, e.Seq, e.At.UTC().Format(time.RFC3339Nano), e.Run, e.Subject, e.Kind, string(e.Body), e.Prev, e.Hash); err != nil {
			b.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
}

// growOther appends entries of another history.
func (b *bench) growOther(to int) {
	b.Helper()
	j := b.open()
	defer func() { _ = j.Close() }()
	last, err := j.Last(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	for i := int(last.Seq); i < to; i++ {
		if err := j.Append(context.Background(), journal.Draft{At: start, Run: "other", Subject: "CF_X", Kind: "outcome", Body: []byte(`{}`)}); err != nil {
			b.Fatal(err)
		}
	}
}

// resign makes a checkpoint over what is there now.
func (b *bench) resign() {
	b.Helper()
	j := b.open()
	defer func() { _ = j.Close() }()
	if _, made, err := evidence.Make(context.Background(), j, start, b.signer); err != nil || !made {
		b.Fatalf("made %v, %v", made, err)
	}
}
