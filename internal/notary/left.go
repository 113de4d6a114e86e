package notary

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

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

// CompareFiles is Compare without a call to anybody: with what lies in files.
func (n *Notary) CompareFiles(ctx context.Context) error {
	return n.compare(ctx, false)
}

func (n *Notary) compare(ctx context.Context, stores bool) error {
	keys, err := Public(n.Dir)
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

func (s *setBack) Error() string {
	also := ""
	if s.named {
		also = ", and give evidence.origin another name"
	}
	return fmt.Sprintf("%v\n  next  put the newer journal back, then: rekey checkpoint\n  or    where it is lost, end the runs that are open, then move %s away and keep it%s: a new journal begins under a key of its own", s.SetBack, s.dir, also)
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
