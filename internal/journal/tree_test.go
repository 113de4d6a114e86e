package journal

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAJournalFromBeforeCheckpoints has none, and is none the worse.
func TestAJournalFromBeforeCheckpoints(t *testing.T) {
	j, dir := open3(t)
	ctx := context.Background()
	if _, err := j.db.Exec(`DROP TABLE tree; DROP TABLE checkpoints; DROP TABLE sent`); err != nil {
		t.Fatal(err)
	}
	old, err := OpenExisting(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = old.Close() }()
	all, err := old.Checkpoints(ctx)
	kept, err2 := old.KeptHashes(ctx)
	sent, err3 := old.Sent(ctx)
	_, known, err4 := old.Newest(ctx)
	if err != nil || err2 != nil || err3 != nil || err4 != nil || len(all)+len(kept)+len(sent) != 0 || known {
		t.Errorf("%v %v %v %v; %v %v %v %v", all, kept, sent, known, err, err2, err3, err4)
	}
	if n, _, err := old.Verify(ctx); err != nil || n != 4 {
		t.Errorf("%d entries, %v", n, err)
	}
}

// TestACopyOnAReadOnlyMedium is read without a file being made beside it.
func TestACopyOnAReadOnlyMedium(t *testing.T) {
	j, dir := open3(t)
	if err := j.Close(); err != nil { // folds the write-ahead log in
		t.Fatal(err)
	}
	c, err := open(dir, "ro&immutable=1", "") // as OpenCopy does where nothing can be written
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if n, _, err := c.Verify(context.Background()); err != nil || n != 4 {
		t.Errorf("%d entries, %v", n, err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() != file {
			t.Errorf("%s was made", filepath.Join(dir, f.Name()))
		}
	}
}

// TestOneLineEach: what stands on a line of its own in what is hashed is one line,
// or two entries could have one hash.
func TestOneLineEach(t *testing.T) {
	onBoth(t, func(t *testing.T, at spot) {
		j := open4(t, at)
		good := Draft{At: time.Now(), Run: "r", Subject: "s", Kind: "k", Body: []byte(`{}`)}
		for _, change := range []func(*Draft){func(d *Draft) { d.Run = "r\nx" }, func(d *Draft) { d.Subject = "s\n" }, func(d *Draft) { d.Kind = "\rk" }} {
			d := good
			change(&d)
			if err := j.Append(context.Background(), good, d); err == nil || !strings.Contains(err.Error(), "one line") {
				t.Errorf("%+v: %v", d, err)
			}
		}
		if n, _, err := j.Verify(context.Background()); err != nil || n != 4 {
			t.Errorf("%d entries, %v", n, err)
		}
	})
}
