package notary_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rekey/internal/evidence"
	"rekey/internal/journal"
	"rekey/internal/notary"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

var start = time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC)

// office is a notary with a journal, a collector to post to and a store.
type office struct {
	*testing.T
	notary.Notary
	env    map[string]string
	status int // that the collector answers
	posts  []notary.Event
	slot   string
	denied bool // the store refuses
}

func newOffice(t *testing.T, sinks ...sop.Sink) *office {
	o := &office{T: t, env: map[string]string{}, status: http.StatusNoContent}
	dir := t.TempDir()
	j, err := journal.Open(filepath.Join(dir, ".rekey"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		var e notary.Event
		b, _ := io.ReadAll(req.Body)
		if o.status < 300 && json.Unmarshal(b, &e) == nil && req.Header.Get("X-Token") == "hunter2-header" {
			o.posts = append(o.posts, e)
		}
		rw.WriteHeader(o.status)
	}))
	t.Cleanup(s.Close)
	o.env["HOOK"], o.env["TOKEN"] = s.URL+"/hunter2-address", "hunter2-header"
	o.Notary = notary.Notary{
		Journal: j, Dir: filepath.Join(dir, ".rekey"), Base: dir, Config: sop.Attested{Origin: "example.com/rekey", Sinks: sinks},
		Env: provider.Env{
			Transport: http.DefaultTransport, Now: func() time.Time { return start },
			Resolve: func(_ context.Context, refs sop.Refs) (secret.Value, provider.Source, error) {
				_, name := refs[0].Split()
				if o.env[name] == "" {
					return secret.Value{}, provider.Source{}, fmt.Errorf("%s is not set", refs[0])
				}
				return secret.New(o.env[name]), provider.Source{Ref: refs[0]}, nil
			},
			Together: func(calls ...func() error) error {
				for _, c := range calls {
					_ = c()
				}
				return nil
			},
		},
		Put: func(_ context.Context, _ sop.Place, _, value string) error {
			if o.denied {
				return errors.New("infisical: write: denied")
			}
			o.slot = value
			return nil
		},
	}
	return o
}

// recorded keeps an entry of a new key, as the command does.
func (o *office) recorded(old, fresh string) error {
	body, err := json.Marshal(map[string]string{"old": old, "new": fresh})
	if err != nil {
		return err
	}
	return o.Journal.Append(context.Background(), journal.Draft{At: start, Kind: "signing-key", Body: body})
}

// grow appends an entry, and attests.
func (o *office) grow() notary.Outcome {
	o.Helper()
	if err := o.Journal.Append(context.Background(), journal.Draft{At: start, Run: "r", Subject: "s", Kind: "k", Body: []byte(`{}`)}); err != nil {
		o.Fatal(err)
	}
	return o.Attest(context.Background())
}

func (o *office) keys() evidence.Keys {
	o.Helper()
	keys, err := notary.Public(o.Dir)
	if err != nil {
		o.Fatal(err)
	}
	return keys
}

var (
	toFile = sop.Sink{Name: "file:sent.txt", File: "sent.txt"}
	toHook = sop.Sink{Name: "webhook:env:HOOK", Webhook: &sop.Webhook{URL: sop.Refs{"env:HOOK"}, Headers: map[string]sop.Refs{"X-Token": {"env:TOKEN"}}}}
	toSlot = sop.Sink{Name: "store:infisical:/audit/X", Slot: "X"}
)

// TestEverySinkGetsEveryCheckpoint, also those that were made while it could not be
// reached; none of that keeps the others from getting theirs.
func TestEverySinkGetsEveryCheckpoint(t *testing.T) {
	o := newOffice(t, toFile, toHook, toSlot)
	if out := o.Attest(context.Background()); !out.OK() || out.Checkpoint != nil {
		t.Errorf("of an empty journal: %+v", out)
	}
	if out := o.grow(); !out.OK() || !out.Made || !out.NewKey {
		t.Errorf("%+v", out)
	}
	o.status, o.denied = 503, true
	for range 3 {
		out := o.grow()
		if out.OK() || out.Problem != "" || out.Sinks[0].Behind != 0 || out.Sinks[1].Problem == "" || out.Sinks[2].Problem == "" {
			t.Errorf("%+v", out)
		}
	}
	s, err := evidence.Stand(context.Background(), o.Journal, []string{toFile.Name, toHook.Name, toSlot.Name})
	if err != nil || s.Uncovered != 0 || len(s.Lagging) != 2 || s.Lagging[0].Behind != 3 || !s.Behind() {
		t.Errorf("%+v %v", s, err)
	}
	o.status, o.denied = 204, false
	out := o.Attest(context.Background())
	if !out.OK() || out.Made || out.Sinks[1].Sent != 3 || out.Sinks[2].Sent != 3 {
		t.Errorf("%+v", out)
	}
	if s, err := evidence.Stand(context.Background(), o.Journal, []string{toFile.Name, toHook.Name, toSlot.Name}); err != nil || s.Behind() || !s.Leaves {
		t.Errorf("%+v %v", s, err)
	}
	b, err := os.ReadFile(filepath.Join(o.Base, "sent.txt"))
	if err != nil {
		t.Fatal(err)
	}
	notes, torn := evidence.SplitNotes(string(b))
	if len(notes) != 4 || torn != 0 || len(o.posts) != 4 || o.slot+"\n" != notes[3] {
		t.Fatalf("%d notes, %d torn, %d posts, slot %q", len(notes), torn, len(o.posts), o.slot)
	}
	for i, n := range notes {
		c, _, err := evidence.Open(n, o.keys())
		if err != nil || c.Size != int64(i+1) || o.posts[i].Data != n || o.posts[i].Source != "example.com/rekey" || o.posts[i].Type != notary.EventType {
			t.Errorf("%d: %+v %v %+v", i, c, err, o.posts[i])
		}
	}
	// Nothing new: nothing is sent.
	if out := o.Attest(context.Background()); !out.OK() || out.Sinks[0].Sent+out.Sinks[1].Sent+out.Sinks[2].Sent != 0 || len(o.posts) != 4 {
		t.Errorf("%+v", out)
	}
}

// TestANewWebhookGetsTheNewestOnly, and one that lags far is caught up with in
// pieces: no command waits for hundreds of posts.
func TestANewWebhookGetsTheNewestOnly(t *testing.T) {
	o := newOffice(t)
	for range 5 {
		o.grow()
	}
	o.Config.Sinks = []sop.Sink{toHook}
	if out := o.Attest(context.Background()); !out.OK() || len(o.posts) != 1 || !strings.Contains(o.posts[0].Data, "\n5\n") {
		t.Errorf("%+v, %d posts", out, len(o.posts))
	}
	o.status = 500
	for range 23 {
		o.grow()
	}
	o.status = 204
	if out := o.Attest(context.Background()); out.OK() || out.Sinks[0].Sent != 20 || out.Sinks[0].Behind != 3 {
		t.Errorf("%+v", out)
	}
	if out := o.Attest(context.Background()); !out.OK() || len(o.posts) != 24 {
		t.Errorf("%+v, %d posts", out, len(o.posts))
	}
}

// TestFilesAreAppendedTo: after an append that a crash tore, and not into a folder
// that is not there.
func TestFilesAreAppendedTo(t *testing.T) {
	o := newOffice(t, toFile, sop.Sink{Name: "file:mnt/x", File: "mnt/x"})
	o.grow()
	path := filepath.Join(o.Base, "sent.txt")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(b, b[:30]...), 0o644); err != nil {
		t.Fatal(err)
	}
	out := o.grow()
	if out.Sinks[0].Problem != "" || !strings.Contains(out.Sinks[1].Problem, "is it mounted?") || out.Sinks[1].Behind != 2 {
		t.Errorf("%+v", out)
	}
	b, _ = os.ReadFile(path)
	if notes, torn := evidence.SplitNotes(string(b)); len(notes) != 2 || torn != 1 {
		t.Errorf("%d notes, %d torn: %q", len(notes), torn, b)
	}
}

// TestAKeyThatIsLostIsTold and not replaced in silence.
func TestAKeyThatIsLostIsTold(t *testing.T) {
	o := newOffice(t)
	o.grow()
	for _, name := range []string{notary.KeyFile, notary.PublicFile} {
		if err := os.Remove(filepath.Join(o.Dir, name)); err != nil {
			t.Fatal(err)
		}
		if out := o.grow(); out.Made || !strings.Contains(out.Problem, "rekey checkpoint key --new") {
			t.Errorf("without %s: %+v", name, out)
		}
	}
	out, handed, err := o.NewKey(context.Background(), o.recorded)
	if err != nil || handed || !out.Made {
		t.Fatalf("%+v %v %v", out, handed, err)
	}
	if c, by, err := evidence.Open(out.Checkpoint.Note, o.keys()); err != nil || c.Origin != "example.com/rekey" || len(by) != 1 {
		t.Errorf("%+v %v %v", c, by, err)
	}
	if out := o.grow(); !out.OK() || !out.Made {
		t.Errorf("%+v", out)
	}
}

// TestKeysHandOver: both sign one checkpoint, whoever has one public key can follow,
// and a handing over that was cut off goes on.
func TestKeysHandOver(t *testing.T) {
	o := newOffice(t)
	o.grow()
	first := o.keys()
	if err := secret.KeepNewSigner(filepath.Join(o.Dir, notary.KeyFile+".new"), "example.com/rekey"); err != nil {
		t.Fatal(err) // as a process leaves it that died there
	}
	out, handed, err := o.NewKey(context.Background(), o.recorded)
	if err != nil || !handed || !out.NewKey {
		t.Fatalf("%+v %v %v", out, handed, err)
	}
	keys := o.keys()
	if len(keys) != 2 || keys[0].Text != first[0].Text || keys[1].Text != out.Key {
		t.Fatalf("%v", keys)
	}
	for _, k := range keys {
		if _, by, err := evidence.Open(out.Checkpoint.Note, evidence.Keys{k}); err != nil || len(by) != 1 {
			t.Errorf("%v %v", by, err)
		}
	}
	after := o.grow()
	if _, _, err := evidence.Open(after.Checkpoint.Note, first); err == nil {
		t.Error("the old key still signs")
	}
	if left, _ := filepath.Glob(filepath.Join(o.Dir, "*.new")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestAKeyByReference is used and never written down; what is no key is told and
// not quoted; a journal keeps its name.
func TestAKeyByReference(t *testing.T) {
	dir := t.TempDir()
	if err := secret.KeepNewSigner(filepath.Join(dir, "k"), "example.com/rekey"); err != nil {
		t.Fatal(err)
	}
	private, err := os.ReadFile(filepath.Join(dir, "k"))
	if err != nil {
		t.Fatal(err)
	}
	o := newOffice(t)
	o.Config.Key = sop.Refs{"env:KEY"}
	if out := o.grow(); !strings.Contains(out.Problem, "env:KEY is not set") {
		t.Errorf("%+v", out)
	}
	o.env["KEY"] = "hunter2"
	if out := o.grow(); !strings.Contains(out.Problem, "env:KEY: this is not a signing key") || strings.Contains(out.Problem, "hunter2") {
		t.Errorf("%+v", out)
	}
	o.env["KEY"] = string(private)
	if out := o.grow(); !out.OK() || out.Checkpoint.Size != 3 || out.NewKey {
		t.Errorf("%+v", out)
	}
	if _, err := os.Stat(filepath.Join(o.Dir, notary.KeyFile)); err == nil {
		t.Error("a key was written beside the journal")
	}
	if _, _, err := o.NewKey(context.Background(), o.recorded); err == nil || !strings.Contains(err.Error(), "env:KEY") {
		t.Error(err)
	}
	o.Config.Origin = "example.com/other"
	if out := o.grow(); !strings.Contains(out.Problem, "a journal keeps its name") {
		t.Errorf("%+v", out)
	}
}

// TestOneKeyIsMade however many processes come at once.
func TestOneKeyIsMade(t *testing.T) {
	o := newOffice(t)
	if err := o.Journal.Append(context.Background(), journal.Draft{At: start, Run: "r", Subject: "s", Kind: "k", Body: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			j, err := journal.Open(o.Dir)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = j.Close() }()
			n := o.Notary
			n.Journal = j
			if out := n.Attest(context.Background()); !out.OK() {
				t.Errorf("%+v", out)
			}
		})
	}
	wg.Wait()
	all, err := o.Journal.Checkpoints(context.Background())
	if err != nil || len(all) != 1 {
		t.Fatalf("%d checkpoints, %v", len(all), err)
	}
	keys := o.keys()
	if _, _, err := evidence.Open(all[0].Note, keys); err != nil {
		t.Error(err)
	}
	for _, k := range keys {
		if k.Text != keys[0].Text {
			t.Errorf("two keys: %v", keys)
		}
	}
}

// TestCanary: neither the private key nor the address nor a header stands in
// anything that is told or kept, the key's own file excepted.
func TestCanary(t *testing.T) {
	o := newOffice(t, toFile, toHook, toSlot)
	var told strings.Builder
	for _, o.status = range []int{204, 302, 403, 500} {
		out := o.grow()
		_ = json.NewEncoder(&told).Encode(out)
		_, _ = fmt.Fprintf(&told, "%+v %#v", out, o.Config)
	}
	out, _, err := o.NewKey(context.Background(), o.recorded)
	_, _ = fmt.Fprintf(&told, "%+v %v", out, err)
	private, err := os.ReadFile(filepath.Join(o.Dir, notary.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	seed := strings.TrimSpace(strings.SplitN(string(private), "+", 5)[4])
	found := map[string]string{"what was told": told.String()}
	err = filepath.WalkDir(o.Base, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == notary.KeyFile {
			return err
		}
		b, err := os.ReadFile(path)
		found[path] = string(b)
		return err
	})
	if err != nil || len(found) < 4 {
		t.Fatalf("%d places, %v", len(found), err)
	}
	for where, text := range found {
		for _, s := range []string{seed, "hunter2"} {
			if strings.Contains(text, s) {
				t.Errorf("a secret stands in %s", where)
			}
		}
	}
}
