package evidence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"rekey/internal/journal"
)

// batch bounds how many blocks are hashed in one transaction, for others wait
// meanwhile: some 16,000 entries, a fifth of a second.
const batch = 64

// Make signs a checkpoint about all entries and keeps it in the journal, unless
// the newest one is about all of them and by the same keys: then it is returned,
// and made is false. Of an empty journal nothing is signed.
//
// It refuses to sign where the entries that are new break the chain, where entries
// are gone, and where the tree as kept is not the one that was signed last: a log
// must never sign two histories (c2sp.org/tlog-checkpoint). It reads only what is
// new, and at most 255 entries more.
func Make(ctx context.Context, j *journal.Journal, now time.Time, signers ...note.Signer) (cp journal.Checkpoint, made bool, err error) {
	if len(signers) == 0 {
		return cp, false, fmt.Errorf("sign a checkpoint: no key")
	}
	if err := hashAll(ctx, j); err != nil {
		return cp, false, err
	}
	err = j.Tend(ctx, func(t *journal.Tree) error {
		// Another process may have appended since; whole blocks come with the next one.
		if _, err := extend(t); err != nil {
			return err
		}
		head, err := t.Head()
		if err != nil || head.Seq == 0 {
			return err
		}
		r := newReader(t)
		last, known, err := t.Newest()
		if err != nil {
			return err
		}
		if known {
			old, err := consistent(last, head.Seq, r)
			if err != nil {
				return err
			}
			if name := signers[0].Name(); name != old.Origin {
				return fmt.Errorf("the journal has been %s, and the key is of %s: a journal keeps its name", old.Origin, name)
			}
			if old.Size == head.Seq && signedBy(last.Note, signers) {
				cp = last
				return nil
			}
		}
		root, err := tlog.TreeHash(head.Seq, r)
		if err != nil {
			return err
		}
		signed, err := Sign(Checkpoint{Origin: signers[0].Name(), Size: head.Seq, Root: root}, signers...)
		if err != nil {
			return err
		}
		cp, err = t.Add(journal.Checkpoint{Size: head.Seq, Made: now, Note: signed})
		made = err == nil
		return err
	})
	if err != nil {
		return journal.Checkpoint{}, false, fmt.Errorf("make a checkpoint: %w", err)
	}
	return cp, made, nil
}

// consistent checks that the newest checkpoint holds for the entries as they are.
func consistent(last journal.Checkpoint, size int64, r tlog.HashReader) (Checkpoint, error) {
	n, err := unverified(last.Note)
	if err != nil {
		return Checkpoint{}, &Unsound{From: 1, To: last.Size, Why: "the newest checkpoint in the journal is damaged"}
	}
	old, err := ParseText(n.Text)
	if err != nil {
		return old, &Unsound{From: 1, To: last.Size, Why: "the newest checkpoint in the journal is damaged"}
	}
	if old.Size > size {
		return old, &Unsound{From: size + 1, To: old.Size, Why: "they are missing: a checkpoint that covers them was signed"}
	}
	root, err := tlog.TreeHash(old.Size, r)
	if err != nil {
		return old, err
	}
	if root != old.Root {
		return old, &Unsound{From: 1, To: old.Size, Why: "they, or the tree over them, are not as they were when the newest checkpoint was signed"}
	}
	return old, nil
}

// unverified reads a signed note without asking whether its signatures are true.
func unverified(signed string) (*note.Note, error) {
	_, err := note.Open([]byte(signed), note.VerifierList())
	var u *note.UnverifiedNoteError
	if errors.As(err, &u) {
		return u.Note, nil
	}
	return nil, fmt.Errorf("this is not a signed note")
}

// signedBy reports whether the note bears exactly these keys' signatures, by their
// ids alone: it is asked of notes of our own.
func signedBy(signed string, signers []note.Signer) bool {
	n, err := unverified(signed)
	if err != nil || len(n.UnverifiedSigs) != len(signers) {
		return false
	}
	for i, s := range n.UnverifiedSigs {
		if s.Name != signers[i].Name() || s.Hash != signers[i].KeyHash() {
			return false
		}
	}
	return true
}

// extend keeps the hashes of whole blocks that are not kept yet, at most a batch,
// and checks the chain of everything that it reads. done means that no whole block
// is left, and that the chain of the open end holds too.
func extend(t *journal.Tree) (done bool, err error) {
	head, err := t.Head()
	if err != nil {
		return false, err
	}
	block, err := t.Kept(blockLevel)
	if err != nil {
		return false, err
	}
	for range batch {
		before, err := t.Entries(block*blockSize, block*blockSize) // none for the first block
		if err != nil {
			return false, err
		}
		entries, err := t.Entries(block*blockSize+1, (block+1)*blockSize)
		if err != nil {
			return false, err
		}
		prev := journal.Entry{Seq: block * blockSize}
		if len(before) == 1 {
			prev = before[0]
		}
		var g ridge
		for _, e := range entries {
			if err := e.Follows(prev); err != nil {
				return false, err
			}
			g.add(LeafHash(e), nil)
			prev = e
		}
		if block >= blocksIn(head.Seq) {
			if prev.Seq != head.Seq {
				return false, &journal.Broken{Seq: prev.Seq + 1, Why: "it is missing"}
			}
			return true, nil
		}
		if len(entries) != blockSize {
			return false, &journal.Broken{Seq: prev.Seq + 1, Why: "it is missing"}
		}
		if err := keep(t, block, g.root()); err != nil {
			return false, err
		}
		block++
	}
	return false, nil
}

// keep keeps the hash of a block, and of every subtree that it completes.
func keep(t *journal.Tree, block int64, h tlog.Hash) error {
	if err := t.Keep(blockLevel, block, encode(h)); err != nil {
		return err
	}
	r, n := newReader(t), block
	for up := 1; up <= completes(block); up++ {
		left, err := r.kept(blockLevel+up-1, n-1)
		if err != nil {
			return err
		}
		h, n = tlog.NodeHash(left, h), n>>1
		if err := t.Keep(blockLevel+up, n, encode(h)); err != nil {
			return err
		}
	}
	return nil
}

// proofsAtOnce bounds how many proofs are made in one transaction: a tenth of a
// second, for a run that wants to write must not wait for an export.
const proofsAtOnce = 1000

// Prover makes inclusion proofs in the tree of one checkpoint. It remembers what it
// has read of the tree, so that proofs of entries that lie together cost little.
type Prover struct {
	j    *journal.Journal
	size int64
	r    *reader
}

// NewProver makes one for the tree of a checkpoint of this size.
func NewProver(j *journal.Journal, size int64) *Prover { return &Prover{j, size, newReader(nil)} }

// Proofs returns the inclusion proofs (RFC 6962 §2.1.1) of entries, by their numbers.
func (p *Prover) Proofs(ctx context.Context, seqs []int64) (map[int64]tlog.RecordProof, error) {
	out := make(map[int64]tlog.RecordProof, len(seqs))
	j, size, r := p.j, p.size, p.r
	for part := range slices.Chunk(seqs, proofsAtOnce) {
		err := j.Tend(ctx, func(t *journal.Tree) error {
			r.t = t
			for _, seq := range part {
				p, err := tlog.ProveRecord(size, seq-1, r)
				if err != nil {
					return fmt.Errorf("prove entry %d: %w", seq, err)
				}
				out[seq] = p
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// OriginOf tells of which journal a note of our own speaks.
func OriginOf(signed string) string {
	n, err := unverified(signed)
	if err != nil {
		return ""
	}
	c, _ := ParseText(n.Text)
	return c.Origin
}
