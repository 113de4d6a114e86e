package notary_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rekey/internal/evidence"
	"rekey/internal/journal"
	"rekey/internal/sop"
)

// TestNothingIsSignedThatContradictsWhatHasLeft: every place that can be read back
// is compared with the journal before it is signed, and nothing is sent then.
func TestNothingIsSignedThatContradictsWhatHasLeft(t *testing.T) {
	for _, sink := range []sop.Sink{toFile, toSlot} {
		t.Run(sink.Name, func(t *testing.T) {
			o := newOffice(t, sink)
			o.Get = func(context.Context, sop.Place, string) (string, error) {
				if o.slot == "" {
					return "", nil
				}
				return o.slot + "\n", nil
			}
			o.grow()
			if err := o.Journal.Close(); err != nil {
				t.Fatal(err)
			}
			older, err := os.ReadFile(filepath.Join(o.Dir, "journal.db"))
			if err != nil {
				t.Fatal(err)
			}
			open := func() {
				if o.Journal, err = journal.Open(o.Dir); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = o.Journal.Close() })
			}
			open()
			for range 3 {
				if out := o.grow(); !out.OK() {
					t.Fatalf("%+v", out)
				}
			}
			_ = o.Journal.Close()
			if err := os.WriteFile(filepath.Join(o.Dir, "journal.db"), older, 0o600); err != nil {
				t.Fatal(err)
			}
			open()
			slot := o.slot
			var back *evidence.SetBack
			if err := o.Compare(context.Background()); !errors.As(err, &back) || back.Size != 4 || back.Head != 1 {
				t.Fatalf("%v", err)
			}
			for i := range 4 { // one entry after the other, until there are as many as there were
				// The same entries would be the same history.
				d := journal.Draft{At: start, Run: "r", Subject: "other", Kind: "k", Body: []byte(`{}`)}
				if err := o.Journal.Append(context.Background(), d); err != nil {
					t.Fatal(err)
				}
				out := o.Attest(context.Background())
				if out.Made || out.OK() || !out.SetBack || !strings.Contains(out.Problem, "has left") && !strings.Contains(out.Problem, "left this machine") || len(out.Sinks) != 1 || out.Sinks[0].Sent != 0 {
					t.Errorf("%d: %+v", i, out)
				}
			}
			if _, err := o.Sign(context.Background(), "an export\n"); !errors.As(err, &back) {
				t.Errorf("an export is signed: %v", err)
			}
			if o.slot != slot {
				t.Error("the store was written")
			}
		})
	}
}

// TestWhatOthersHaveSignedProvesNothingAgainstAJournal: a place may hold checkpoints
// of several journals, and whoever can write there must not be able to stop ours.
func TestWhatOthersHaveSignedProvesNothingAgainstAJournal(t *testing.T) {
	other, o := newOffice(t, toFile), newOffice(t, toFile)
	for range 3 {
		other.grow()
	}
	b, err := os.ReadFile(filepath.Join(other.Base, "sent.txt"))
	if err == nil {
		err = os.WriteFile(filepath.Join(o.Base, "sent.txt"), append(b, "example.com/rekey\n99\nnonsense\n\n— example.com/rekey AAAA\n\n"...), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if out := o.grow(); !out.OK() || !out.Made {
		t.Errorf("%+v", out)
	}
}
