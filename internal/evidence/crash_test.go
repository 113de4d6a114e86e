package evidence_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"rekey/internal/evidence"
	"rekey/internal/journal"
)

// TestKillAroundCheckpoints kills a process that appends and signs and hands its
// checkpoints on, at random moments: what had left holds, nothing is signed twice
// in two ways, and the next process goes on.
func TestKillAroundCheckpoints(t *testing.T) {
	if dir := os.Getenv("REKEY_EVIDENCE_WRITER"); dir != "" {
		signForEver(dir)
	}
	b := newBench(t)
	skey, vkey, err := note.GenerateKey(rand.Reader, "example.com/rekey")
	if err != nil {
		t.Fatal(err)
	}
	if b.signer, err = note.NewSigner(skey); err != nil {
		t.Fatal(err)
	}
	if b.keys, err = evidence.ParseKeys(vkey); err != nil {
		t.Fatal(err)
	}
	deaths := 0
	for i := range 14 {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestKillAroundCheckpoints$")
		cmd.Env = append(os.Environ(), "REKEY_EVIDENCE_WRITER="+b.dir, "REKEY_EVIDENCE_KEY="+skey)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// What stands in said has left the process. Some checkpoints, and then the kill
		// at another moment of the next one each time, however busy the machine is.
		var said []byte
		part := make([]byte, 512)
		for strings.Count(string(said), "— ") < 2+i%3 {
			n, err := out.Read(part)
			if err != nil {
				t.Fatalf("the writer ended by itself: %v", err)
			}
			said = append(said, part[:n]...)
		}
		time.Sleep(time.Duration(i) * 1700 * time.Microsecond)
		_ = cmd.Process.Kill()
		rest, err := io.ReadAll(out)
		if err != nil {
			t.Fatal(err)
		}
		said = append(said, rest...)
		if err := cmd.Wait(); err == nil {
			t.Fatal("the writer ended by itself")
		}
		deaths++
		notes, _ := evidence.SplitNotes(string(said))
		for _, n := range notes {
			b.away = append(b.away, evidence.Given{Where: "what had left", Note: n})
		}
	}
	if len(b.away) < 2*deaths {
		t.Fatalf("only %d checkpoints left in %d lives: the moments are badly chosen", len(b.away), deaths)
	}
	b.grow(int(b.verify(b.away...).Entries)+1, int(b.verify().Entries)+1)
	r := b.verify(b.away...)
	if !r.OK() || r.Proven != r.Entries {
		t.Error(say(r))
	}
	t.Logf("%d kills, %d entries, %d checkpoints had left", deaths, r.Entries, len(b.away))
}

func signForEver(dir string) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	j, err := journal.Open(dir)
	must(err)
	s, err := note.NewSigner(os.Getenv("REKEY_EVIDENCE_KEY"))
	must(err)
	for i := 0; ; i++ {
		drafts := make([]journal.Draft, 90+i%97)
		for k := range drafts {
			drafts[k] = journal.Draft{At: time.Now(), Run: "r", Subject: "s", Kind: "k", Body: []byte(`{"x":1}`)}
		}
		must(j.Append(context.Background(), drafts...))
		cp, _, err := evidence.Make(context.Background(), j, time.Now(), s)
		must(err)
		_, _ = os.Stdout.WriteString(cp.Note + "\n")
	}
}

// TestATornWriteAheadLog: a machine that loses power in the middle of a write has
// the journal up to its last commit; what had been signed is there.
func TestATornWriteAheadLog(t *testing.T) {
	b := newBench(t)
	b.grow(300, 300)
	j := b.open() // open: the write-ahead log is not folded in
	var before int64
	for i := range 5 {
		if err := j.Append(context.Background(), journal.Draft{At: start, Run: "r", Subject: "s", Kind: "k", Body: fmt.Append(nil, i)}); err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			st, err := os.Stat(filepath.Join(b.dir, "journal.db-wal"))
			if err != nil {
				t.Fatal(err)
			}
			before = st.Size()
		}
	}
	copied := *b
	copied.dir = t.TempDir()
	for _, name := range []string{"journal.db", "journal.db-wal"} {
		data, err := os.ReadFile(filepath.Join(b.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "-wal") {
			data = data[:before+100] // the last commit is torn
		}
		if err := os.WriteFile(filepath.Join(copied.dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := copied.verify(b.away...)
	if !r.OK() || r.Entries != 304 || r.Proven != 300 {
		t.Error(say(r))
	}
	copied.grow(310, 310)
	if r := copied.verify(copied.away...); !r.OK() || r.Proven != 310 {
		t.Error(say(r))
	}
}
