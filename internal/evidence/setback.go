package evidence

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"rekey/internal/journal"
)

// SetBack means that a checkpoint which has left this machine is not about the
// journal as it is: an older copy was put back, or its entries are others. Whoever
// signed that would sign a second history.
type SetBack struct {
	Where string
	Size  int64 // entries that the checkpoint is about
	Head  int64 // entries that there are
}

func (s *SetBack) Error() string {
	if s.Head < s.Size {
		return fmt.Sprintf("the journal is older than what has left this machine: it has %d entries, and %s has a checkpoint over %d that this journal's key has signed", s.Head, s.Where, s.Size)
	}
	return fmt.Sprintf("the journal is not the one of which a checkpoint has left this machine: %s has one over %d entries that this journal's key has signed, and they are others here", s.Where, s.Size)
}

// compared bounds how many checkpoints of one place are compared, the newest ones:
// each covers all that was before it.
const compared = 32

// CheckLeft reports, as a *SetBack, that the journal does not bear out what has left
// this machine. Notes that no known key has signed prove nothing against it. It
// signs nothing, and keeps what it has to hash for that.
func CheckLeft(ctx context.Context, j *journal.Journal, left []Given, keys Keys) error {
	type one struct {
		Checkpoint
		where string
	}
	var all []one
	byPlace := map[string]int{}
	for _, g := range slices.Backward(left) {
		if byPlace[g.Where] >= compared {
			continue
		}
		if c, _, err := Open(g.Note, keys); err == nil {
			byPlace[g.Where]++
			all = append(all, one{c, g.Where})
		}
	}
	if len(all) == 0 {
		return nil
	}
	if err := hashAll(ctx, j); err != nil {
		return err
	}
	return j.Tend(ctx, func(t *journal.Tree) error {
		head, err := t.Head()
		if err != nil {
			return err
		}
		r := newReader(t)
		for _, c := range all {
			if c.Size > head.Seq {
				return &SetBack{Where: c.where, Size: c.Size, Head: head.Seq}
			}
			root, err := tlog.TreeHash(c.Size, r)
			if err != nil {
				return err
			}
			if root != c.Root {
				return &SetBack{Where: c.where, Size: c.Size, Head: head.Seq}
			}
		}
		return nil
	})
}

// hashAll keeps the hashes of all whole blocks.
func hashAll(ctx context.Context, j *journal.Journal) error {
	for done := false; !done; {
		if err := j.Tend(ctx, func(t *journal.Tree) (err error) { done, err = extend(t); return err }); err != nil {
			return err
		}
	}
	return nil
}
