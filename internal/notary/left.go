package notary

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"rekey/internal/evidence"
	"rekey/internal/sop"
)

// maxRead bounds how much of a file of checkpoints is read back: the newest 50,000 or so.
const maxRead = 16 << 20

// Compare holds the journal against every checkpoint that has left the machine and
// that can be read back, in files and in stores. The error is an *evidence.SetBack
// where the journal is not what was signed. A destination that cannot be read proves
// nothing, and stops nothing: it is missed when it is written to.
func (n *Notary) Compare(ctx context.Context) error {
	return n.compare(ctx, true)
}

// CompareFiles is Compare without a call to anybody: with what lies in files. It also
// tells of checkpoints beside a journal that has no key yet: they may be its own, of
// a time after the one to which it was set back.
func (n *Notary) CompareFiles(ctx context.Context) error {
	if err := n.compare(ctx, false); err != nil {
		return err
	}
	if keys, err := n.public(ctx); err != nil || len(keys) > 0 {
		return err
	}
	for _, s := range n.Config.Sinks {
		if s.File == "" {
			continue
		}
		if left := n.inFile(s); len(left) > 0 {
			return fmt.Errorf("%s has checkpoints of %s, and this journal has never signed any: if it is the same journal, it was restored to an earlier state\n  next  restore the newer journal if there is one; otherwise do nothing", s.File, evidence.OriginOf(left[len(left)-1].Note))
		}
	}
	return nil
}

func (n *Notary) compare(ctx context.Context, stores bool) error {
	keys, err := n.public(ctx)
	if err != nil || len(keys) == 0 {
		return err
	}
	var left []evidence.Given
	for _, s := range n.Config.Sinks {
		switch {
		case s.File != "":
			left = append(left, n.inFile(s)...)
		case s.Slot != "" && stores && n.Get != nil:
			if text, err := n.Get(ctx, s.Store, s.Slot); err == nil && text != "" {
				left = append(left, evidence.Given{Where: s.Name, Note: text})
			}
		}
	}
	err = evidence.CheckLeft(ctx, n.Journal, left, keys)
	if back, ok := errors.AsType[*evidence.SetBack](err); ok {
		return &setBack{back, n.Dir, n.Config.Origin != ""}
	}
	return err
}

// setBack adds what can be done.
type setBack struct {
	*evidence.SetBack
	dir   string
	named bool // by rekey.yaml
}

func (s *setBack) Unwrap() error { return s.SetBack }

// next is what can be done, the best first.
func (s *setBack) next() []string {
	also := ""
	if s.named {
		also = ", and give evidence.origin another name"
	}
	return []string{"restore the newer journal, then: rekey checkpoint",
		"where it is lost, end the runs that are open, then move " + s.dir + " away and keep it" + also + ": a new journal begins under a key of its own"}
}

func (s *setBack) Error() string {
	return fmt.Sprintf("%v\n  next  %s", s.SetBack, strings.Join(s.next(), "\n  or    "))
}

func (n *Notary) inFile(s sop.Sink) []evidence.Given {
	f, err := os.Open(n.place(s.File))
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return nil
	}
	if st.Size() > maxRead {
		_, _ = f.Seek(-maxRead, io.SeekEnd)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxRead))
	if err != nil {
		return nil
	}
	var out []evidence.Given
	notes, _ := evidence.SplitNotes(string(b))
	for _, text := range notes {
		out = append(out, evidence.Given{Where: s.File, Note: text})
	}
	return out
}

// place of a file that rekey.yaml names.
func (n *Notary) place(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(n.Base, name)
}
