package external_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rekey/internal/outside"
	"rekey/internal/provider/external"
	"rekey/internal/providertest"
	"rekey/internal/quickjq"
)

const examples = "../../../examples/drivers"

// needs skips loudly what this machine cannot try, and fails where it has to be able to.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("NOT TRIED: there is no %s here", p)
			}
			t.Skipf("NOT TRIED: there is no %s here", p)
		}
	}
}

// harness is that of an example, with the sum of it as it is.
func harness(t *testing.T, name, connection string) providertest.Harness {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(examples, "rekey-driver-"+name))
	if err != nil {
		t.Fatal(err)
	}
	return harnessOf(t, path, connection)
}

func harnessOf(t *testing.T, path, connection string) providertest.Harness {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	d, err := external.Ask(context.Background(), outside.Real{}, path)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]any{}
	if err := json.Unmarshal([]byte(connection), &settings); err != nil {
		t.Fatal(err)
	}
	settings["command"], settings["sha256"] = path, hex.EncodeToString(sum[:])
	out, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	return providertest.Harness{Vendor: external.Descriptor(d), Connection: string(out), Sample: true}
}

// before starts programs as outside.Real does, and they find theirs in a folder first.
type before struct {
	outside.Real
	folder string
}

func (b before) Exec(ctx context.Context, c outside.Command) (outside.Ended, error) {
	c.Env = slices.Clone(c.Env)
	for i, v := range c.Env {
		if path, ok := strings.CutPrefix(v, "PATH="); ok {
			c.Env[i] = "PATH=" + b.folder + ":" + path
		}
	}
	return b.Real.Exec(ctx, c)
}

// file writes a file for one case and returns its path.
func file(t providertest.T, content string) string {
	path := filepath.Join(t.TempDir(), "state.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	return path
}

// TestTheDriverInShellConforms: the example is whole. The one in Python is what
// internal/drivertool writes, and is tried there.
func TestTheDriverInShellConforms(t *testing.T) {
	needs(t, "sh", "jq")
	real, err := exec.LookPath("jq")
	if err != nil {
		t.Fatal(err)
	}
	var jq quickjq.Quick
	t.Cleanup(jq.Remove) // after it is told in what the two differ
	ways := before{folder: filepath.Dir(jq.Path(t, real))}
	h := harness(t, "versioned", `{}`)
	h.Store, h.Slots, h.Refer = `{"path":"${FILE}"}`, []string{"A", "B"}, "${FILE}#A"
	h.Double = func(t providertest.T) *providertest.Double {
		path := file(t, `{"last":2,"slots":{"A":[{"version":1,"value":"a","stamp":{}}],"B":[{"version":2,"value":"b","stamp":{}}]}}`)
		return &providertest.Double{Ways: ways, Env: map[string]string{"FILE": path}, Printable: []string{"FILE"}}
	}
	providertest.Run(t, h)
}

// TestTheDriverInGoConforms: the example of the module driver, with every fault at every
// operation, for it is quick.
func TestTheDriverInGoConforms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rekey-driver-folder")
	build := exec.Command("go", "build", "-o", path, "./example")
	build.Dir = "../../../driver"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	h := harnessOf(t, path, `{}`)
	h.Consumer, h.Slots, h.Sample = `{"path":"${DIR}"}`, []string{"A", "B"}, false
	h.Double = func(t providertest.T) *providertest.Double {
		dir := t.TempDir()
		for _, n := range h.Slots {
			if err := os.WriteFile(filepath.Join(dir, n), []byte("old "+n), 0o600); err != nil {
				t.Fatalf("%v", err)
			}
		}
		return &providertest.Double{Ways: outside.Real{}, Env: map[string]string{"DIR": dir}, Printable: []string{"DIR"}}
	}
	providertest.Run(t, h)
}
