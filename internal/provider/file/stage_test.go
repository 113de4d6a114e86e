package file_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/provider/file"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/stage"
	"rekey/internal/stage/reference"
	"rekey/internal/world"
)

var (
	whole = flag.Bool("whole", false, "every fault of every kind at every call")
	from  = flag.Int("from", stage.Turn(), "of a sample, which: so many are left out first")
)

// machine is a folder of real files on the stage, and one process, which takes its
// environment from a file when the command restarts it. Each use of the folder is a call
// of the run, at which it may die or go wrong.
type machine struct {
	*world.State
	dir  string
	x    *reference.Triple
	env  map[string]string
	from time.Time
	// first is what the files held at first, by name.
	first map[string][]byte
}

func (*machine) Name() string           { return "machine" }
func (m *machine) Memory() any          { return &m.env }
func (*machine) Routes(*http.ServeMux)  {}
func (m *machine) path(n string) string { return filepath.Join(m.dir, n) }
func (m *machine) Files() outside.Files { return files{outside.Real{}.Files(), m} }
func (m *machine) restart()             { m.env, m.from = m.held("app.env"), m.At }

func (m *machine) held(name string) map[string]string {
	b, _ := os.ReadFile(m.path(name))
	out := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			out[k] = v
		}
	}
	return out
}

// Kept is what the two files hold.
func (m *machine) Kept(yield func(world.Kept)) {
	for where, name := range map[string]string{"file:store": "store.env", "file:app": "app.env"} {
		for k, v := range m.held(name) {
			yield(world.Kept{Where: where, Slot: k, Value: v})
		}
	}
}

// Processes is the one that runs.
func (m *machine) Processes(yield func(world.Process)) {
	yield(world.Process{App: "app", ID: "77", Env: m.env, Started: m.from})
}

// Others are what people do with an editor, and other programs.
func (m *machine) Others() (out []world.Act) {
	edit := func(name, what string, change func(string) string) {
		out = append(out, world.Act{Name: what + " " + name, Do: func() bool {
			was, err := os.ReadFile(m.path(name))
			text := change(string(was))
			return err == nil && text != string(was) && os.WriteFile(m.path(name), []byte(text), 0o600) == nil
		}})
	}
	line := regexp.MustCompile("(?m)^" + reference.Credential + "=.*\n")
	for _, name := range []string{"store.env", "app.env"} {
		edit(name, "edit a line of", func(s string) string {
			return line.ReplaceAllString(s, reference.Credential+"=somebody:elses-"+m.Random(4)+"\n")
		})
		edit(name, "remove a line of", func(s string) string { return line.ReplaceAllString(s, "") })
		edit(name, "add a line to", func(s string) string { return s + "THEIRS=" + m.Random(4) + "\n" })
		edit(name, "put back", func(string) string { return string(m.first[name]) })
		out = append(out, world.Act{Name: "replace by a copy " + name, Do: func() bool {
			was, err := os.ReadFile(m.path(name))
			return errors.Join(err, os.WriteFile(m.path("copy"), was, 0o600), os.Rename(m.path("copy"), m.path(name))) == nil
		}})
	}
	return append(out, world.Act{Name: "restart the process", Do: func() bool { m.restart(); return true }})
}

func (m *machine) Dial(_ context.Context, _, _ string) (net.Conn, error) {
	return nil, outside.ErrClosed
}

// Exec is the command that restarts the process.
func (m *machine) Exec(_ context.Context, c outside.Command) (outside.Ended, error) {
	return outside.Ended{}, m.x.Direct("machine", "run "+c.Path, true, func() error { m.restart(); return nil })
}

type files struct {
	outside.Files
	m *machine
}

func (f files) Read(path string, limit int64) (out outside.File, err error) {
	err = f.m.x.Direct("machine", "read "+filepath.Base(path), false, func() error {
		switch path {
		case "/proc/77/stat":
			out.Content = secret.New("77 (app) S 1")
		case "/proc/77/environ":
			for k, v := range f.m.env {
				out.Content = secret.New(out.Content.Reveal() + k + "=" + v + "\x00")
			}
		default:
			var err error
			out, err = f.Files.Read(path, limit)
			return err
		}
		return nil
	})
	return out, err
}

// changed makes of a lost answer what a file system makes of it.
func changed(err error) error {
	if _, vendors := errors.AsType[*cred.Error](err); vendors && cred.MayHaveHappened(err) {
		return outside.ErrUnsure
	}
	return err
}

func (f files) Replace(path string, file outside.File) error {
	return changed(f.m.x.Direct("machine", "replace "+filepath.Base(path), true, func() error { return f.Files.Replace(path, file) }))
}

func (f files) Remove(path string) error {
	return changed(f.m.x.Direct("machine", "remove "+filepath.Base(path), true, func() error { return f.Files.Remove(path) }))
}

// played plays a rotation of which store and consumer are files.
func played(t *testing.T, faults ...stage.Fault) (stage.Verdict, *reference.Triple) {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{dir: dir, first: map[string][]byte{}}
	driver := file.Descriptor
	driver.Open = func(env provider.Env, name string, settings json.RawMessage) (provider.Vendor, error) {
		env.Outside = m
		return file.Descriptor.Open(env, name, settings)
	}
	settings := func(text string) json.RawMessage {
		return json.RawMessage(strings.ReplaceAll(text, "DIR", filepath.ToSlash(dir)))
	}
	m.x = reference.NewWith(1, reference.Can{Beside: true, Disable: true, LastSeen: true, Admits: true, Finds: true}, world.Knobs{EdgeDelay: world.Duration(3 * time.Second)}, reference.Guest{
		Driver: driver, Connection: `{}`,
		Store:    sop.Place{Key: "file:store", Settings: settings(`{"path":"DIR/store.env","keep":"DIR/keep"}`)},
		Consumer: sop.Place{Key: "file:app", Settings: settings(`{"path":"DIR/app.env","command":["restart"],"pidfiles":["DIR/pid"],"environment":true}`)},
		Double: func(state *world.State, store, consumer map[string]string) world.Double {
			m.State = state
			err := errors.Join(os.Mkdir(m.path("keep"), 0o700), os.WriteFile(m.path("pid"), []byte("77\n"), 0o600))
			for name, values := range map[string]map[string]string{"store.env": store, "app.env": consumer} {
				text := "OTHER=1\n"
				for _, k := range slices.Sorted(maps.Keys(values)) {
					text += fmt.Sprintf("%s=%s\n", k, values[k])
				}
				m.first[name] = []byte(text)
				err = errors.Join(err, os.WriteFile(m.path(name), []byte(text), fs.FileMode(0o600)))
			}
			if err != nil {
				t.Fatal(err)
			}
			m.restart()
			return m
		},
	})
	return m.x.Stage.Run(reference.Credential, m.x.Judge, faults...), m.x
}

// TestPromisesHoldOnTheStage: a rotation with files and a process keeps every promise,
// whatever happens at any one use of the disk, the command or the issuer.
func TestPromisesHoldOnTheStage(t *testing.T) {
	undisturbed, x := played(t)
	if undisturbed.Ending != string(rotation.Rotated) || len(undisturbed.Broken) > 0 || undisturbed.Err != nil {
		log := x.Log.Text()
		t.Fatalf("%q %v %v\n%s", undisturbed.Ending, undisturbed.Broken, undisturbed.Err, log[max(0, len(log)-3000):])
	}
	t.Logf("%d calls, %d of them before the plan", undisturbed.Calls, undisturbed.Looked)
	sample := stage.Sample{Singles: 23, Pairs: 28057, Acts: 31, From: *from}
	switch {
	case *whole:
		sample = stage.Sample{Singles: 1, Pairs: 997, Acts: 1, From: *from}
	case testing.Short():
		sample = stage.Sample{Singles: 131, Pairs: 187127, Acts: 499, From: *from}
	}
	y := stage.Tally{T: t, Play: func(faults ...stage.Fault) stage.Verdict { v, _ := played(t, faults...); return v }}
	single, pairs, others := sample.Each(undisturbed.Calls, x.Acts(), y.Meet)
	t.Logf("of %d single faults every %d., of %d pairs every %d., of %d acts of others every %d. (-args -whole tries more): %d played, %v", single, sample.Singles, pairs, sample.Pairs, others, sample.Acts, y.N, y.Ends)
	if y.Ends[string(rotation.Rotated)] == 0 || y.Ends[string(rotation.RolledBack)] == 0 {
		t.Errorf("it only ever ends in one way: %v", y.Ends)
	}
}
