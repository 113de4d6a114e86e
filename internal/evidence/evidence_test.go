package evidence_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"rekey/internal/evidence"
	"rekey/internal/journal"
)

func say(r *evidence.Report) string {
	out := fmt.Sprintf("%d entries, proven %d, by own %d", r.Entries, r.Proven, r.ProvenOwn)
	for _, f := range r.Findings {
		out += fmt.Sprintf("\n%s %d..%d: %s", f.Kind, f.From, f.To, f.What)
	}
	return out
}

// TestWhatIsProvenIsSaid: all as it was, and what no checkpoint covers.
func TestWhatIsProvenIsSaid(t *testing.T) {
	b := newBench(t)
	b.grow(420, 300, 412)
	if r := b.verify(b.away...); !r.OK() || r.Entries != 420 || r.Proven != 412 || r.ProvenOwn != 412 || !r.By.At.Equal(start.Add(411*time.Second)) {
		t.Error(say(r))
	}
	if r := b.verify(b.away[0]); !r.OK() || r.Proven != 300 || r.ProvenOwn != 412 {
		t.Error(say(r))
	}
	if r := b.verify(); !r.OK() || r.Proven != 0 || r.By != nil || r.ProvenOwn != 412 {
		t.Error(say(r))
	}
}

// TestVerifyNamesThePlace: whatever is done to the journal, by whom ever knows
// whichever part of the format, is found, at its place.
func TestVerifyNamesThePlace(t *testing.T) {
	const noTree = `DELETE FROM tree`
	edit := `UPDATE entries SET body = '{"n":"other"}' WHERE seq = 350`
	type place struct {
		kind     evidence.Kind
		from, to int64
	}
	for _, tt := range []struct {
		name   string
		do     func(b *bench)
		want   []place
		proven int64 // by checkpoints that had left
	}{
		{"an entry is edited", func(b *bench) { b.sql(edit) },
			[]place{{evidence.Chain, 350, 350}, {evidence.Edited, 301, 412}}, 300},
		{"an entry is edited, and the whole chain rebuilt", func(b *bench) { b.sql(edit); b.rebuild() },
			[]place{{evidence.Edited, 301, 412}}, 300},
		{"in a block that the tree keeps", func(b *bench) { b.sql(`UPDATE entries SET kind = 'x' WHERE seq = 40`); b.rebuild() },
			[]place{{evidence.KeptTree, 1, 256}, {evidence.Edited, 1, 300}}, 0},
		{"the same, and the tree is taken away", func(b *bench) { b.sql(`UPDATE entries SET kind = 'x' WHERE seq = 40`, noTree); b.rebuild() },
			[]place{{evidence.Edited, 1, 300}}, 0},
		{"the whole chain rebuilt and every checkpoint of the journal taken away", func(b *bench) {
			b.sql(edit, noTree, `DELETE FROM checkpoints`)
			b.rebuild()
		}, []place{{evidence.Edited, 301, 412}}, 300},
		{"and signed anew with the stolen key", func(b *bench) {
			b.sql(edit, noTree, `DELETE FROM checkpoints`)
			b.rebuild()
			b.resign()
		}, []place{{evidence.Fork, 301, 412}}, 300},
		{"the end is cut off", func(b *bench) { b.sql(`DELETE FROM entries WHERE seq > 400`) },
			[]place{{evidence.Truncated, 301, 412}}, 300},
		{"the end is cut off at a checkpoint", func(b *bench) { b.sql(`DELETE FROM entries WHERE seq > 300`) },
			[]place{{evidence.Truncated, 301, 412}}, 300},
		{"what no checkpoint covers is cut off", func(b *bench) { b.sql(`DELETE FROM entries WHERE seq > 412`) }, nil, 412},
		{"everything is cut off", func(b *bench) { b.sql(`DELETE FROM entries`) },
			[]place{{evidence.Truncated, 1, 412}}, 0},
		{"cut off, with every checkpoint of the journal, and grown again", func(b *bench) {
			b.sql(`DELETE FROM entries WHERE seq > 280`, noTree, `DELETE FROM checkpoints`)
			b.growOther(430)
		}, []place{{evidence.Edited, 1, 300}}, 0},
		{"the same, and signed anew with the stolen key", func(b *bench) {
			b.sql(`DELETE FROM entries WHERE seq > 280`, noTree, `DELETE FROM checkpoints`)
			b.growOther(430)
			b.resign()
		}, []place{{evidence.Fork, 1, 300}}, 0},
		{"two change places", func(b *bench) {
			b.sql(`UPDATE entries SET seq = CASE seq WHEN 310 THEN -311 WHEN 311 THEN -310 END WHERE seq IN (310, 311)`, `UPDATE entries SET seq = -seq WHERE seq < 0`)
		}, []place{{evidence.Chain, 310, 310}, {evidence.Edited, 301, 412}}, 300},
		{"two change places, and the chain is rebuilt", func(b *bench) {
			b.sql(`UPDATE entries SET seq = CASE seq WHEN 310 THEN -311 WHEN 311 THEN -310 END WHERE seq IN (310, 311)`, `UPDATE entries SET seq = -seq WHERE seq < 0`)
			b.rebuild()
		}, []place{{evidence.Edited, 301, 412}}, 300},
		{"one is taken out", func(b *bench) { b.sql(`DELETE FROM entries WHERE seq = 305`) },
			[]place{{evidence.Chain, 305, 305}, {evidence.Edited, 301, 412}}, 300},
		{"one is taken out, and the chain is rebuilt", func(b *bench) { b.sql(`DELETE FROM entries WHERE seq = 305`); b.rebuild() },
			[]place{{evidence.Edited, 301, 412}}, 300},
		{"one is put in", func(b *bench) {
			b.sql(`UPDATE entries SET seq = -seq WHERE seq > 306`, `UPDATE entries SET seq = 1 - seq WHERE seq < 0`,
				`INSERT INTO entries SELECT 307, at, run, subject, 'confirmed', body, prev, hash FROM entries WHERE seq = 306`)
		}, []place{{evidence.Chain, 307, 307}, {evidence.Edited, 301, 412}}, 300},
		{"one is put in, and the chain is rebuilt", func(b *bench) {
			b.sql(`UPDATE entries SET seq = -seq WHERE seq > 306`, `UPDATE entries SET seq = 1 - seq WHERE seq < 0`,
				`INSERT INTO entries SELECT 307, at, run, subject, 'confirmed', body, prev, hash FROM entries WHERE seq = 306`)
			b.rebuild()
		}, []place{{evidence.Edited, 301, 412}}, 300},
		{"an entry cannot be read", func(b *bench) { b.sql(`UPDATE entries SET at = 'yesterday' WHERE seq = 350`) },
			[]place{{evidence.Unread, 350, 350}}, 300},
		{"a hash of the tree is replaced", func(b *bench) { b.sql(`UPDATE tree SET hash = 'AAAA' WHERE level = 8 AND n = 0`) },
			[]place{{evidence.KeptTree, 1, 256}}, 412},
		{"a checkpoint of the journal is altered", func(b *bench) {
			b.sql(`UPDATE checkpoints SET note = replace(note, char(10) || '300' || char(10), char(10) || '301' || char(10))`)
		}, []place{{evidence.Foreign, 0, 0}}, 412},
		{"a checkpoint of the journal is nonsense", func(b *bench) { b.sql(`UPDATE checkpoints SET note = 'x' WHERE id = 1`) },
			[]place{{evidence.Foreign, 0, 0}}, 412},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.grow(420, 300, 412)
			tt.do(b)
			r := b.verify(b.away...)
			var got []place
			for _, f := range r.Findings {
				got = append(got, place{f.Kind, f.From, f.To})
			}
			slices.SortFunc(got, func(a, c place) int { return strings.Compare(string(a.kind), string(c.kind)) })
			want := slices.Clone(tt.want)
			slices.SortFunc(want, func(a, c place) int { return strings.Compare(string(a.kind), string(c.kind)) })
			if !slices.Equal(got, want) || r.Proven != tt.proven {
				t.Errorf("want %v, proven %d; got\n%s", want, tt.proven, say(r))
			}
		})
	}
}

// TestTwoHistoriesOfOneSize: two checkpoints of one size with two roots are a fork,
// whichever of them the journal is.
func TestTwoHistoriesOfOneSize(t *testing.T) {
	b := newBench(t)
	b.grow(300, 290, 300)
	other := newBench(t)
	other.signer = b.signer
	other.grow(290, 290)
	other.growOther(300)
	j := other.open()
	cp, _, err := evidence.Make(context.Background(), j, start, b.signer)
	if err != nil {
		t.Fatal(err)
	}
	_ = j.Close()
	r := b.verify(append(b.away, evidence.Given{Where: "other.txt", Note: cp.Note})...)
	if len(r.Findings) == 0 || r.Findings[0].Kind != evidence.Fork || r.Findings[0].From != 291 || r.Findings[0].To != 300 || !strings.Contains(r.Findings[0].What, "other.txt") {
		t.Error(say(r))
	}
}

// TestForeignNotes: a wrong key, a wrong origin, a forged signature, another
// journal's checkpoint and something else are told apart.
func TestForeignNotes(t *testing.T) {
	b := newBench(t)
	b.grow(10, 10)
	good := b.away[0].Note
	stranger, strangersKey := key(t, "example.com/rekey")
	elsewhere, elsewheresKey := key(t, "example.com/elsewhere")
	root, err := tlog.TreeHash(0, nil)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(text string, s note.Signer) string {
		n, err := note.Sign(&note.Note{Text: text}, s)
		if err != nil {
			t.Fatal(err)
		}
		return string(n)
	}
	byStranger := sign(strings.Split(good, "\n\n")[0]+"\n", stranger)
	for name, tt := range map[string]struct {
		note, want string
		more       evidence.Keys
	}{
		"wrong key":       {byStranger, "no such key was given", nil},
		"wrong origin":    {sign(strings.Replace(strings.Split(good, "\n\n")[0]+"\n", "example.com/rekey", "example.com/other", 1), b.signer), "is about example.com/other but signed by example.com/rekey", nil},
		"forged":          {strings.Replace(good, "\n10\n", "\n11\n", 1), "altered or forged", nil},
		"another journal": {sign((evidence.Checkpoint{Origin: "example.com/elsewhere", Size: 0, Root: root}).Text(), elsewhere), "is of example.com/rekey, and the others are of example.com/elsewhere", evidence.Keys{elsewheresKey}},
		"no checkpoint":   {sign("example.com/rekey\nhello\n", b.signer), "this is not a checkpoint", nil},
		"leading zero":    {sign(strings.Replace(strings.Split(good, "\n\n")[0]+"\n", "\n10\n", "\n010\n", 1), b.signer), "not a size", nil},
		"no note":         {"hello", "not a signed note", nil},
	} {
		t.Run(name, func(t *testing.T) {
			keys := b.keys
			defer func() { b.keys = keys }()
			b.keys = append(slices.Clone(keys), tt.more...)
			r := b.verify(evidence.Given{Where: "f", Note: tt.note})
			if r.OK() || !strings.Contains(say(r), tt.want) {
				t.Errorf("want %q: %s", tt.want, say(r))
			}
		})
	}
	// With the stranger's key known as well, it is the journal's: keys are rotated.
	b.keys = append(b.keys, strangersKey)
	if r := b.verify(evidence.Given{Where: "f", Note: byStranger}); !r.OK() || r.Proven != 10 {
		t.Error(say(r))
	}
}

// TestNothingWrongIsSigned: a log must never sign two histories.
func TestNothingWrongIsSigned(t *testing.T) {
	for name, statement := range map[string]string{
		// Only the open end is read again; what kept blocks cover is for verify.
		"edited before":     `UPDATE entries SET body = '1' WHERE seq = 590`,
		"edited in a block": `UPDATE tree SET hash = (SELECT hash FROM tree WHERE n = 1 AND level = 8) WHERE level = 9 AND n = 0`,
		"block lost":        `DELETE FROM tree WHERE level = 9 AND n = 0`,
		"edited after":      `UPDATE entries SET body = '1' WHERE seq = 610`,
		"cut off":           `DELETE FROM entries WHERE seq > 550`,
		"one gone":          `DELETE FROM entries WHERE seq = 611`,
		"checkpoint gone":   `UPDATE checkpoints SET note = ''`,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.grow(620, 600)
			b.sql(statement)
			j := b.open()
			cp, made, err := evidence.Make(context.Background(), j, start, b.signer)
			if err == nil || made {
				t.Errorf("signed over %d entries", cp.Size)
			}
		})
	}
}

// TestCheckpointsAreMadeOnce: nothing new, no new checkpoint; another key signs anew.
func TestCheckpointsAreMadeOnce(t *testing.T) {
	b := newBench(t)
	j := b.open()
	ctx := context.Background()
	if _, made, err := evidence.Make(ctx, j, start, b.signer); err != nil || made {
		t.Errorf("of an empty journal: made %v, %v", made, err)
	}
	b.grow(5, 5)
	cp, made, err := evidence.Make(ctx, j, start, b.signer)
	if err != nil || made || cp.Note != b.away[0].Note {
		t.Errorf("made %v, %v", made, err)
	}
	next, nextKey := key(t, "example.com/rekey")
	both, made, err := evidence.Make(ctx, j, start, b.signer, next)
	if err != nil || !made {
		t.Fatalf("made %v, %v", made, err)
	}
	for _, k := range []evidence.Key{b.keys[0], nextKey} {
		if _, by, err := evidence.Open(both.Note, evidence.Keys{k}); err != nil || len(by) != 1 || by[0] != k.ID() {
			t.Errorf("%v %v", by, err)
		}
	}
	other, _ := key(t, "example.com/other")
	if _, made, err := evidence.Make(ctx, j, start, other); err == nil || made || !strings.Contains(err.Error(), "example.com/rekey") {
		t.Errorf("under another name: made %v, %v", made, err)
	}
}

// TestTheTreeIsThatOfTlog: roots and proofs at every size, across blocks, are those
// of golang.org/x/mod/sumdb/tlog, which reads RFC 6962.
func TestTheTreeIsThatOfTlog(t *testing.T) {
	b := newBench(t)
	sizes := []int{1, 2, 3, 255, 256, 257, 511, 512, 513, 1024, 1100}
	b.grow(1100, sizes...)
	j := b.open()
	ctx := context.Background()
	var hashes []tlog.Hash
	stored := tlog.HashReaderFunc(func(idx []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(idx))
		for i, x := range idx {
			out[i] = hashes[x]
		}
		return out, nil
	})
	leaves := map[int64]tlog.Hash{}
	err := j.Each(ctx, func(e journal.Entry) error {
		hs, err := tlog.StoredHashes(e.Seq-1, e.Leaf(), stored)
		hashes, leaves[e.Seq] = append(hashes, hs...), tlog.RecordHash(e.Leaf())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, size := range sizes {
		c, _, err := evidence.Open(b.away[i].Note, b.keys)
		if err != nil {
			t.Fatal(err)
		}
		want, err := tlog.TreeHash(int64(size), stored)
		if err != nil || c.Root != want || c.Size != int64(size) {
			t.Errorf("root at %d is %s, want %s (%v)", size, c.Root, want, err)
		}
		seqs := []int64{1, int64(size), int64(size+1) / 2}
		for seq := int64(2); size == 1100 && seq <= 1100; seq++ {
			seqs = append(seqs, seq) // all of them: more than are proven at once
		}
		proofs, err := evidence.NewProver(j, int64(size)).Proofs(ctx, seqs)
		if err != nil {
			t.Fatal(err)
		}
		for _, seq := range seqs {
			if err := tlog.CheckRecord(proofs[seq], int64(size), want, seq-1, leaves[seq]); err != nil {
				t.Errorf("proof of %d in %d: %v", seq, size, err)
			}
		}
	}
}

// TestFilesOfNotes: notes that were appended one after another, one of them torn by
// a crash, come apart again.
func TestFilesOfNotes(t *testing.T) {
	b := newBench(t)
	b.grow(30, 10, 20, 30)
	n := func(i int) string { return b.away[i].Note }
	for name, tt := range map[string]struct {
		text  string
		notes int
		torn  int
	}{
		"one":                {n(0), 1, 0},
		"joined":             {n(0) + n(1) + n(2), 3, 0},
		"with blank lines":   {n(0) + "\n\n" + n(1) + "\n", 2, 0},
		"torn in the text":   {n(0) + n(1)[:20] + "\n\n" + n(2), 2, 1},
		"torn at the blank":  {n(0) + strings.Split(n(1), "\n\n")[0] + "\n\n\n" + n(2), 2, 1},
		"torn at the end":    {n(0) + n(1)[:22], 1, 1},
		"windows line ends":  {strings.ReplaceAll(n(0)+n(1), "\n", "\r\n"), 2, 0},
		"nothing":            {"\n", 0, 0},
		"something else":     {"hello\nworld\n", 0, 1},
		"with a cosignature": {n(0) + "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZ\n" + n(1), 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			notes, torn := evidence.SplitNotes(tt.text)
			if len(notes) != tt.notes || torn != tt.torn {
				t.Fatalf("%d notes, %d torn: %q", len(notes), torn, notes)
			}
			for _, x := range notes {
				if _, _, err := evidence.Open(x, b.keys); err != nil {
					t.Errorf("%v: %q", err, x)
				}
			}
		})
	}
}

// TestKnownAnswer: the format does not change; this checkpoint left a machine once.
func TestKnownAnswer(t *testing.T) {
	e := journal.Entry{Seq: 1, At: start, Run: "r", Subject: "CF_X", Kind: "opened", Body: []byte(`{"n":1}`)}
	if got, want := string(e.Leaf()), "rekey-journal-v1\n1\n2026-11-25T03:00:00Z\nr\nCF_X\nopened\n{\"n\":1}\n\n"; got != want {
		t.Errorf("leaf %q, want %q", got, want)
	}
	b, err := os.ReadFile("testdata/known.txt")
	if err != nil {
		t.Fatal(err)
	}
	keyLine, signed, _ := strings.Cut(string(b), "\n")
	keys, err := evidence.ParseKeys(keyLine)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := evidence.Open(signed, keys)
	if err != nil {
		t.Fatal(err)
	}
	if c.Size != 1 || c.Root != evidence.LeafHash(e) {
		t.Errorf("%+v, want the root %s", c, evidence.LeafHash(e))
	}
}

// TestPrivateKeysAreNotTaken where a public one is wanted, and not quoted.
func TestPrivateKeysAreNotTaken(t *testing.T) {
	skey, _, err := note.GenerateKey(rand.Reader, "x")
	if err != nil {
		t.Fatal(err)
	}
	_, err = evidence.ParseKeys("# mine\n" + skey)
	if err == nil || !strings.Contains(err.Error(), "private key") || strings.Contains(err.Error(), skey[12:]) {
		t.Error(err)
	}
}

// FuzzParse: whatever is read as a checkpoint is written the same again.
func FuzzParse(f *testing.F) {
	f.Add("example.com/x\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")
	f.Add("a\n0\n\n")
	f.Add("example.com/x\n20852163\nCsUYapGGPo4dkMgIAUqom\r/Xajj7h2fB2MPA3j2jxq2I=\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := evidence.ParseText(text)
		if err == nil && !strings.HasPrefix(text, c.Text()) {
			t.Errorf("%q is read as %q", text, c.Text())
		}
		notes, _ := evidence.SplitNotes(text)
		for _, n := range notes {
			if again, torn := evidence.SplitNotes(n); len(again) != 1 || torn != 0 || again[0] != n {
				t.Errorf("%q does not come apart as itself", n)
			}
		}
	})
}
