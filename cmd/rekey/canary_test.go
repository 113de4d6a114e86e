package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rekey/internal/notary"
)

// spellings of a secret, in which it could leave unnoticed.
func spellings(s string) []string {
	j, _ := json.Marshal(s)
	return []string{
		s, base64.StdEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte(s)),
		hex.EncodeToString([]byte(s)), url.QueryEscape(s), strings.Trim(string(j), `"`),
	}
}

// everySecret asks the world for all that must not be seen.
func everySecret(t *testing.T, base string) map[string]string {
	t.Helper()
	var env map[string]string
	if err := json.Unmarshal(contentOf(t, base+"/_env"), &env); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range []string{"CF_ACCESS_MGMT", "INFISICAL_CLIENT_SECRET", "HEROKU_API_KEY", "OPS_SESSION_COOKIE", "EVIDENCE_WEBHOOK"} {
		if env[name] == "" {
			t.Fatalf("the world has no %s", name)
		}
		out[name] = env[name]
	}
	w := look(t, base)
	for _, tok := range append(w.Cloudflare.Tokens, w.Cloudflare.Deleted...) {
		out["the secret of "+tok.Name] = tok.Secret
	}
	for tok := range w.Infisical.Access {
		out["an access token"] = tok
	}
	return out
}

// sendCheckpoints names every way out for checkpoints.
func sendCheckpoints(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, "rekey.yaml")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, `
evidence:
  checkpoints:
    - file: sent.txt
    - webhook:
        url: env:EVIDENCE_WEBHOOK
        headers: {Cookie: env:OPS_SESSION_COOKIE}
    - store: {vendor: infisical, path: /MooseQuest/cloudflare/, environment: prod, slot: REKEY_CHECKPOINT}
`...)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestCanary runs everything there is, well and badly, and searches every byte
// that was printed or written, and every argv, for every secret of the world.
func TestCanary(t *testing.T) {
	t.Parallel()
	for part := range canaryParts {
		t.Run(fmt.Sprint(part+1), func(t *testing.T) { t.Parallel(); canary(t, part) })
	}
}

// canaryParts are worlds side by side; each meets its share of the faults.
const canaryParts = 3

func canary(t *testing.T, part int) {
	base := serve(t)
	turn(t, base, `{"world":{"shutdown":"10ms"}}`)
	dir, config := folder(t, base)
	sendCheckpoints(t, dir)
	console, vault := config.Specs[0].Name, config.Specs[1].Name
	var printed bytes.Buffer
	text, asData := []bool{false}, []bool{true}
	both := []bool{false, true}
	quiet := [canaryParts][]bool{both, text, asData}[part] // what meets no fault is the same in every part
	if *whole {
		quiet = both
	}
	forms := quiet // of output
	do := func(args ...string) {
		for _, asJSON := range forms {
			all := append([]string{"-C", dir}, args...)
			if asJSON {
				all = append(all, "--json")
			}
			_, _, out := command(t, never, 0, all...)
			_, _ = fmt.Fprintf(&printed, "$ %v\n%s\n", args, out)
		}
	}
	do("lint")
	do("check", console)
	do("discover")
	do("plan", console, "--out", "plan.json")
	do("sop", console)
	do("sop", "--html", "--out", "pages")
	do("run", console, "--confirm", console)
	if !*whole {
		sampled(t, "what is said of each fault, and after it, is read as text or as JSON, in turn")
	}
	for i, fault := range []string{
		`{"vendor":"cloudflare","endpoint":"POST","half":true}`,
		`{"vendor":"cloudflare","endpoint":"POST","html":true,"applied":true}`,
		`{"vendor":"cloudflare","endpoint":"POST","status":403}`,
		`{"vendor":"cloudflare","endpoint":"PUT","cut":true,"applied":true}`,
		`{"vendor":"infisical","endpoint":"login","status":401}`,
		`{"vendor":"infisical","endpoint":"GET /api/v4/secrets","half":true,"times":3}`,
		`{"vendor":"infisical","endpoint":"PATCH","status":500,"applied":true}`,
		`{"vendor":"infisical","endpoint":"PATCH","half":true}`,
		`{"vendor":"heroku","endpoint":"config-vars","half":true,"times":2}`,
		`{"vendor":"heroku","endpoint":"PATCH","status":422}`,
		`{"vendor":"heroku","endpoint":"PATCH","cut":true,"applied":true}`,
		`{"vendor":"heroku","endpoint":"releases","html":true}`,
		`{"vendor":"edge","status":503,"after":4,"times":2}`,
		`{"vendor":"cloudflare","endpoint":"DELETE","status":403,"times":9}`,
		`{"vendor":"hooks","status":403,"times":9}`,
		`{"vendor":"hooks","cut":true,"applied":true,"times":9}`,
		`{"vendor":"hooks","html":true,"times":9}`,
	} {
		if i%canaryParts != part {
			continue
		}
		turn(t, base, `{"clear":true,"faults":[`+fault+`]}`)
		forms = both
		if !*whole {
			forms = []bool{i%2 == 1}
		}
		do("run", vault, "--confirm", vault, "--reason", "canary")
		if !*whole {
			forms = []bool{i%2 == 0}
		}
		do("resume", "--confirm", vault)
		turn(t, base, `{"clear":true}`)
		do("resume", "--confirm", vault)
	}
	forms = quiet
	turn(t, base, `{"clear":true,"faults":[{"vendor":"heroku","endpoint":"config-vars","half":true},{"vendor":"infisical","endpoint":"GET /api/v4/secrets","half":true}]}`)
	do("discover", vault)
	turn(t, base, `{"clear":true}`)
	do("status")
	do("log")
	do("verify", "--checkpoint", "sent.txt")
	do("checkpoint")
	do("checkpoint", "--print")
	do("checkpoint", "key")
	do("drift")
	do("evidence", "--from", "2020-01-01")
	do("evidence", "--from", "2020-01-01", "--out", "ev")
	_, _, runs := command(t, never, 0, "-C", dir, "log", "--json")
	var list struct{ Runs []struct{ Run string } }
	if err := json.Unmarshal([]byte(runs), &list); err != nil || len(list.Runs) < 6 {
		t.Fatalf("%d runs, %v", len(list.Runs), err)
	}
	for i, r := range list.Runs {
		if forms = both; !*whole {
			forms = []bool{i%2 == 1}
		}
		do("log", r.Run)
	}

	found, key := map[string][]byte{"what was printed": printed.Bytes()}, ""
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if filepath.Base(path) == notary.KeyFile {
			key = strings.TrimSpace(strings.SplitN(string(b), "+", 5)[4]) // nowhere else
			return err
		}
		found[filepath.Base(path)] = b
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	secrets := everySecret(t, base)
	secrets["the signing key"] = key
	if len(look(t, base).Hooks) < 6 || key == "" || found["evidence.html"] == nil {
		t.Error("no checkpoint was posted, signed or exported: the search proves little")
	}
	if len(secrets) < 12 || len(found) < 4 {
		t.Fatalf("%d secrets in %d places: the search is too small", len(secrets), len(found))
	}
	for where, b := range found {
		for name, s := range secrets {
			for _, spelled := range spellings(s) {
				if bytes.Contains(b, []byte(spelled)) {
					t.Errorf("%s stands in %s", name, where)
				}
			}
		}
	}
	if !bytes.Contains(printed.Bytes(), []byte("rotated")) {
		t.Error("nothing was rotated: the search proves little")
	}
}

// held lets nobody end before somebody else has come, however busy the machine is:
// the app takes its time.
func held(t *testing.T, base string) {
	t.Helper()
	turn(t, base, `{"world":{"shutdown":"60ms"},"faults":[{"vendor":"heroku","endpoint":"PATCH","delay":"2s"}]}`)
}

// TestInterrupt: Ctrl-C finishes what is in flight, says how to go on, and exits 5.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	base := serve(t, "--latency", "30ms")
	held(t, base)
	dir, config := folder(t, base)
	name := config.Specs[0].Name
	cmd := exec.Command(rekey(t), "-C", dir, "run", name, "--confirm", name)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// The create is on its way once the world has counted it.
	for deadline := time.Now().Add(20 * time.Second); look(t, base).Calls["cloudflare"]["POST /client/v4/accounts/{account}/access/service_tokens"] == 0; {
		if time.Now().After(deadline) {
			t.Fatal("no creation was seen")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitWaiting {
		t.Errorf("exit %d, want %d: %s%s", code, exitWaiting, out.String(), errs.String())
	}
	for _, want := range []string{"rekey resume ", "rekey rollback ", "interrupted"} {
		if !strings.Contains(inFolder(out.String(), dir), want) {
			t.Errorf("%q is not said: %s", want, out.String())
		}
	}
	code, _, told := command(t, never, 0, "-C", dir, "resume", "--confirm", name)
	if code != exitDone || !strings.Contains(told, "rotated") {
		t.Errorf("resume: exit %d: %s", code, told)
	}
	if n := len(look(t, base).Outages); n != 0 {
		t.Errorf("%d outages", n)
	}
}

// inFolder is what is said to whoever stands in the folder: commands without -C.
func inFolder(said, dir string) string { return strings.ReplaceAll(said, " -C "+dir, "") }

// TestMessages: what a person reads when a vendor does what vendors do.
func TestMessages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, faults string
		code         int
		want         []string
	}{
		{"wrong token", `{"vendor":"cloudflare","status":403,"times":-1}`, exitFailed,
			[]string{"refused", "denied (403, 10000)", "used env:CF_ACCESS_MGMT", "this run changed nothing", "rekey check"}},
		{"login refused", `{"vendor":"infisical","endpoint":"login","status":401,"times":-1}`, exitFailed,
			[]string{"infisical: log in", "used env:INFISICAL_CLIENT_SECRET", "this run changed nothing"}},
		{"HTML instead of JSON", `{"vendor":"heroku","html":true,"times":-1}`, exitFailed,
			[]string{"heroku: ", "something between here and api.heroku.com answered"}},
		{"nothing", `{"vendor":"heroku","cut":true,"times":-1}`, exitFailed,
			[]string{"the connection to api.heroku.com was cut before the answer"}},
		{"create refused", `{"vendor":"cloudflare","endpoint":"POST","status":403,"times":-1}`, exitRolledBack,
			[]string{"rolled back", "create service token: denied", "was in use when the run looked", "rekey run"}},
		{"delete refused for ever", `{"vendor":"cloudflare","endpoint":"DELETE","status":403,"times":-1}`, exitStuck,
			[]string{"stuck", "needs you", "delete service token: denied", "the vendor refused to delete it", "holds the new one", "rekey resume"}},
		{"rate limit once", `{"vendor":"heroku","endpoint":"PATCH","status":429,"retry_after":1}`, exitDone,
			[]string{"rotated"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			base := serve(t)
			turn(t, base, `{"world":{"shutdown":"10ms"},"faults":[`+tt.faults+`]}`)
			dir, config := folder(t, base)
			name := config.Specs[0].Name
			code, _, out := command(t, never, 0, "-C", dir, "run", name, "--confirm", name)
			if code != tt.code {
				t.Errorf("exit %d, want %d", code, tt.code)
			}
			for _, w := range tt.want {
				if !strings.Contains(inFolder(out, dir), w) {
					t.Errorf("%q is not said", w)
				}
			}
			if t.Failed() {
				t.Log(out)
			}
		})
	}
}
