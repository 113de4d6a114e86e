package evidence_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"rekey/internal/evidence"
	"rekey/internal/journal"
)

// million is a journal of so many entries, written at once.
func million(b *testing.B, n int) string {
	b.Helper()
	dir := b.TempDir()
	j, err := journal.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	body := []byte(`{"step":"settle heroku:raxx-console-prod","generation":1,"class":"done","evidence":["release v42 succeeded","all 3 dynos run on v42 or later"]}`)
	drafts := make([]journal.Draft, 10_000)
	for i := range drafts {
		drafts[i] = journal.Draft{At: start, Run: fmt.Sprint("run", i/23), Subject: "CF_ACCESS_SVC_CONSOLE", Kind: "outcome", Body: body}
	}
	for range n / len(drafts) {
		if err := j.Append(context.Background(), drafts...); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

// BenchmarkCheckpoint: the first checkpoint over a long journal, the next one after
// 23 entries more (a rotation), and the verification of everything.
func BenchmarkCheckpoint(b *testing.B) {
	const n = 1_000_000
	dir := million(b, n)
	signer, k := key(b, "example.com/rekey")
	ctx := context.Background()
	j, err := journal.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	begun := time.Now()
	cp, _, err := evidence.Make(ctx, j, start, signer)
	if err != nil || cp.Size != n {
		b.Fatalf("%+v %v", cp, err)
	}
	b.Logf("first checkpoint over %d entries: %s", n, time.Since(begun))
	b.Run("next", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			drafts := make([]journal.Draft, 23)
			for i := range drafts {
				drafts[i] = journal.Draft{At: start, Run: "r", Subject: "s", Kind: "outcome", Body: []byte(`{"n":1}`)}
			}
			if err := j.Append(ctx, drafts...); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			if _, made, err := evidence.Make(ctx, j, start, signer); err != nil || !made {
				b.Fatal(made, err)
			}
		}
	})
	b.Run("proof", func(b *testing.B) {
		for b.Loop() {
			if _, err := evidence.NewProver(j, cp.Size).Proofs(ctx, []int64{500_000}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("100000-proofs", func(b *testing.B) {
		seqs := make([]int64, 100_000)
		for i := range seqs {
			seqs[i] = int64(400_000 + i)
		}
		for b.Loop() {
			if _, err := evidence.NewProver(j, cp.Size).Proofs(ctx, seqs); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			kept, err := j.KeptHashes(ctx)
			if err != nil {
				b.Fatal(err)
			}
			r, err := evidence.Verify(func(f func(journal.Entry) error) error { return j.Each(ctx, f) }, []evidence.Given{{Where: "f", Note: cp.Note}}, kept, evidence.Keys{k})
			if err != nil || !r.OK() || r.Proven != n {
				b.Fatal(err, say(r))
			}
		}
	})
}
