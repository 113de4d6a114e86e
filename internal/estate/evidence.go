package estate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rekey/internal/dossier"
	"rekey/internal/evidence"
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/kept"
	"rekey/internal/notary"
	"rekey/internal/sop"
)

// Evidence tells what was done in a period, with proofs.
func (e *Estate) Evidence(ctx context.Context, p Period, lines func([]byte) error) (Evidence, error) {
	who, err := e.who(ctx)
	if err != nil {
		return Evidence{}, err
	}
	w, err := e.surround(sop.Spec{})
	if err != nil {
		return Evidence{}, err
	}
	defer w.close()
	if err := w.knows(ctx, p.Credential); err != nil {
		return Evidence{}, err
	}
	// Signed first: every entry of the period is covered then.
	n := w.notary()
	o := n.Attest(ctx)
	switch {
	case o.Problem != "":
		return Evidence{}, &Error{Code: Unsigned, Err: errors.New(o.Problem)}
	case o.Checkpoint == nil:
		return Evidence{}, &Error{Code: NoEntries}
	}
	d, err := dossier.Collect(ctx, w.book.J, dossier.Ask{From: p.From, To: p.To, Credential: p.Credential, Now: e.now(), By: who.String(), Tool: e.here.Tool, File: filepath.Base(e.config.File), Simulated: e.simulated(), Specs: e.config.Specs})
	if err == nil {
		err = d.Prove(w.book.J, *o.Checkpoint, o.Key)
	}
	if err != nil {
		return Evidence{}, failed(err)
	}
	if lines == nil {
		return Evidence{Dossier: d, Evidence: o}, nil
	}
	err = d.Write(ctx, w.book.J, writer(lines), evidence.OriginOf(o.Checkpoint.Note), func(text string) (string, error) { return n.Sign(ctx, text) })
	return Evidence{Dossier: d, Evidence: o}, failed(err)
}

// writer is a function that is handed what is written.
type writer func([]byte) error

func (w writer) Write(p []byte) (int, error) {
	if err := w(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// knows refuses a credential that neither the configuration nor the journal knows: an
// empty export would look as if nothing had been done.
func (w *work) knows(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	_, err := w.config.Spec(name)
	if err == nil {
		return nil
	}
	runs, problem := w.book.Runs(ctx)
	if problem != nil {
		return failed(problem)
	}
	for _, r := range runs {
		if r.Credential == name {
			return nil
		}
	}
	return &Error{Code: Unnamed, Credential: name, Err: err}
}

// Verify checks this estate's journal.
func (e *Estate) Verify(ctx context.Context, v Verifying) (Verified, error) {
	return verify(ctx, e.place(), v)
}

// VerifyCopy checks a journal by itself, wherever its folder came from: it needs no
// configuration, no vendor and no private key. Refused as Operations.Verify is.
func VerifyCopy(ctx context.Context, dir string, v Verifying) (Verified, error) {
	return verify(ctx, kept.Place{Folder: dir}, v)
}

func verify(ctx context.Context, at kept.Place, v Verifying) (Verified, error) {
	j, err := at.Verifiable(ctx)
	if errors.Is(err, journal.ErrNone) {
		return Verified{}, &Error{Code: NoJournal, Dir: at.Name()}
	}
	if err != nil {
		return Verified{}, failed(err)
	}
	defer func() { _ = j.Close() }()
	beside := len(v.Keys) == 0
	keys, err := evidence.ParseKeys(strings.Join(v.Keys, "\n"))
	if beside {
		// In a database, and in a backup of one, the keys are beside the entries.
		if keys, err = (kept.PublicKeys{Journal: j}).Public(ctx); err == nil && len(keys) == 0 && at.Database == "" {
			keys, err = notary.Public(at.Folder)
		}
	}
	if err != nil {
		return Verified{}, &Error{Code: KeysUnread, Err: err}
	}
	own, err := owns(ctx, j)
	if err != nil {
		return Verified{}, failed(err)
	}
	kept, err := j.KeptHashes(ctx)
	if err != nil {
		return Verified{}, failed(err)
	}
	keptOpen, err := j.KeptOpen(ctx)
	if err != nil {
		return Verified{}, failed(err)
	}
	open := evidence.NewOpenRuns(keptOpen)
	each := func(f func(journal.Entry) error) error {
		return j.Each(ctx, func(e journal.Entry) error { open.Entry(e); return f(e) })
	}
	r, err := evidence.Verify(each, append(append([]evidence.Given{}, v.Given...), own...), kept, keys)
	if err != nil {
		return Verified{}, failed(err)
	}
	r.Findings = append(r.Findings, open.Findings()...)
	// An entry that cannot be read is found above.
	practised, known, err := (history.Book{J: j}).Simulated(ctx)
	return Verified{Report: r, Simulated: err == nil && known && practised, Beside: beside && len(r.Checkpoints) > 0}, nil
}

// owns are the checkpoints that the journal keeps itself, and when each was made
// and sent, as it says.
func owns(ctx context.Context, j *journal.Journal) ([]evidence.Given, error) {
	all, err := j.Checkpoints(ctx)
	if err != nil {
		return nil, err
	}
	sent, err := j.Sent(ctx)
	if err != nil {
		return nil, err
	}
	var out []evidence.Given
	for _, c := range all {
		g := evidence.Given{Where: "the journal", Own: true, Note: c.Note}
		if !c.Made.IsZero() {
			g.Told = "made " + c.Made.UTC().Format(time.RFC3339)
		}
		for _, sink := range slices.Sorted(maps.Keys(sent)) {
			if sent[sink].ID == c.ID {
				g.Told += fmt.Sprintf(", sent to %s %s", sink, sent[sink].At.UTC().Format(time.RFC3339))
			}
		}
		out = append(out, g)
	}
	return out, nil
}
