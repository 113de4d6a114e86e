package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/quickjq"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
)

// hand is a person who works by the page, with nothing but bash, curl and jq.
type hand struct {
	*testing.T
	base, dir, page, desks, tools, argv string
	spec                                sop.Spec
	env                                 []string
	said                                bytes.Buffer
}

// needed are the commands that a page may use; a person's machine has nothing else.
var needed = strings.Fields("bash cat cmp cp curl cut date env grep id jq mkdir mktemp od printenv rm sh sha256sum sleep touch tr uname")

// atHand prepares a world, its configuration and a machine on which every command
// writes its arguments down before it runs: one that is not on the list cannot run.
// config "" is the demo's; the first credential is meant, or the one named.
// jq is the quick one, held against the machine's; with -whole it is the machine's.
func atHand(t *testing.T, config, name string, arrange func(*sim.State)) *hand {
	t.Helper()
	return atHandWith(t, *whole, config, name, arrange)
}

// jqs is the quick jq of all that is done by hand.
var jqs quickjq.Quick

// atHandWith is atHand; machines: jq is the machine's at every call.
func atHandWith(t *testing.T, machines bool, config, name string, arrange func(*sim.State)) *hand {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("NEEDS BASH: the page is for a POSIX machine; CI runs it there")
	}
	h := &hand{T: t, tools: t.TempDir(), desks: t.TempDir()}
	h.argv = filepath.Join(t.TempDir(), "argv")
	for _, name := range needed {
		path, err := exec.LookPath(name)
		if err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing: without it nothing shows that the page can be followed by hand", name)
			}
			t.Skipf("NEEDS %s: without it nothing shows that the page can be followed by hand", name)
		}
		if name == "jq" && !machines {
			path = jqs.Path(t, path)
		}
		wrapper := fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' \"%s $*\" >> %q\nexec %q \"$@\"\n", name, h.argv, path)
		if err := os.WriteFile(filepath.Join(h.tools, name), []byte(wrapper), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	state := sim.New(sim.Options{Seed: 7, Now: time.Now(), Knobs: sim.Knobs{Shutdown: sim.Duration(60 * time.Millisecond)}})
	if arrange != nil {
		arrange(&state)
	}
	world := filepath.Join(t.TempDir(), "world.json")
	if err := sim.Save(world, &state); err != nil {
		t.Fatal(err)
	}
	h.base = serve(t, "--world", world)
	var c *sop.Config
	if h.dir, c = folder(t, h.base); config != "" {
		path := filepath.Join(h.dir, "rekey.yaml")
		if err := os.WriteFile(path, []byte("simulate: "+h.base+"\n"+config), 0o644); err != nil {
			t.Fatal(err)
		}
		var err error
		if c, err = sop.Load(path); err != nil {
			t.Fatal(err)
		}
	}
	if name == "" {
		name = c.Specs[0].Name
	}
	var err error
	if h.spec, err = c.Spec(name); err != nil {
		t.Fatal(err)
	}
	h.environment()
	code, _, out := command(t, never, 0, "-C", h.dir, "sop", h.spec.Name)
	if code != exitDone {
		t.Fatalf("exit %d: %s", code, out)
	}
	h.page = out
	return h
}

func (h *hand) environment() {
	var known map[string]string
	if err := json.Unmarshal(contentOf(h, h.base+"/_env"), &known); err != nil {
		h.Fatal(err)
	}
	site := func(address string) string { return h.base + "/edge/" + strings.TrimPrefix(address, "https://") }
	h.env = []string{
		"PATH=" + h.tools, "PAUSE=0.05", "XDG_RUNTIME_DIR=" + h.desks, "HOME=" + h.desks,
		"CLOUDFLARE_API=" + h.base + "/cloudflare/client/v4", "INFISICAL_API=" + h.base + "/infisical", "HEROKU_API=" + h.base + "/heroku",
	}
	for i, p := range h.spec.Validate {
		address := site(p.URL)
		if rest, portal := strings.CutPrefix(p.URL, "https://"+sim.PortalHost); portal {
			address = h.base + "/portal" + rest
		}
		h.env = append(h.env, fmt.Sprintf("GATE_%d=%s", i+1, address))
	}
	for i, c := range h.spec.Verify {
		h.env = append(h.env, fmt.Sprintf("CHECK_%d=%s", i+1, site(c.URL)))
	}
	for k, v := range known {
		h.env = append(h.env, k+"="+v)
	}
}

// blocks are the shell between two lines of the page, in order.
func blocks(t *testing.T, page, from, to string) []string {
	t.Helper()
	_, part, ok := strings.Cut(page, from)
	part, _, ends := strings.Cut(part, to)
	if !ok || !ends {
		t.Fatalf("the page has no %q before %q", from, to)
	}
	var out []string
	for {
		_, rest, ok := strings.Cut(part, "```bash\n")
		if !ok {
			return out
		}
		block, after, ok := strings.Cut(rest, "\n```\n")
		if !ok {
			t.Fatal("a block does not end")
		}
		out, part = append(out, block), after
	}
}

// follow pastes blocks into one bash, stopping at the first that stops.
func (h *hand) follow(stdin string, lists ...[]string) error {
	h.Helper()
	var script strings.Builder
	for _, list := range lists {
		for _, b := range list {
			script.WriteString(b + "\n")
		}
	}
	file := filepath.Join(h.TempDir(), "pasted.sh")
	if err := os.WriteFile(file, []byte(script.String()), 0o600); err != nil {
		h.Fatal(err)
	}
	cmd := exec.Command("bash", "--norc", "-e", file)
	cmd.Dir, cmd.Env, cmd.Stdin = h.dir, h.env, strings.NewReader(stdin)
	cmd.Stdout, cmd.Stderr = &h.said, &h.said
	return cmd.Run()
}

// clean: no secret was an argument of any command, none was shown, and the desk
// is gone where it was put away.
func (h *hand) clean(deskGone bool) {
	h.Helper()
	argv, err := os.ReadFile(h.argv)
	if err != nil || bytes.Count(argv, []byte("\ncurl ")) < 10 || bytes.Count(argv, []byte("\njq ")) < 20 {
		h.Fatalf("the commands did not write down what they were given: %v", err)
	}
	every, w := everySecret(h.T, h.base), h.world()
	for _, x := range append(w.Cloudflare.APITokens, w.Cloudflare.DeletedAPITokens...) {
		every["the API token "+x.Name] = x.Value
	}
	for _, x := range append(w.Heroku.Authorizations, w.Heroku.Revoked...) {
		every["the authorization "+x.Description] = x.Token
	}
	for _, x := range append(w.Portal.Keys, w.Portal.Ended...) {
		every["the key "+x.Name] = x.Value
	}
	for _, who := range w.Infisical.Identities {
		for _, x := range who.Secrets {
			every["the client secret "+x.Description] = x.Value
		}
	}
	for what, value := range every {
		for _, s := range spellings(value) {
			if strings.Contains(string(argv), s) {
				h.Errorf("%s was an argument of a command", what)
			}
			if strings.Contains(h.said.String(), s) || strings.Contains(h.page, s) {
				h.Errorf("%s was shown", what)
			}
		}
	}
	left, err := os.ReadDir(h.desks)
	if err != nil || deskGone && len(left) > 0 {
		h.Errorf("%d desks are left (%v)", len(left), err)
	}
}

// steps and back are the page's shell, as a person would paste it.
func (h *hand) steps(until string) []string { return blocks(h.T, h.page, "\n## Steps\n", until) }
func (h *hand) back() []string              { return blocks(h.T, h.page, "\n## Rollback\n", "\n## Vendor doc") }
func (h *hand) world() *sim.State           { return look(h.T, h.base) }

// desk is the one that was laid.
func (h *hand) desk() string {
	h.Helper()
	found, err := filepath.Glob(filepath.Join(h.desks, "rekey-by-hand.*"))
	if err != nil || len(found) != 1 {
		h.Fatalf("desks: %v (%v)", found, err)
	}
	return found[0]
}

// again is what the page says to do when the terminal is lost: the functions once
// more, without the line that makes a desk.
func (h *hand) again() []string {
	h.Helper()
	first := h.steps("\n## Rollback\n")[:2]
	lines := strings.Split(first[0], "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "DESK=$(mktemp") {
			lines[i] = "DESK=" + h.desk()
			return []string{strings.Join(lines, "\n"), first[1]}
		}
	}
	h.Fatal("no line makes the desk")
	return nil
}

// TestThePageCanBeFollowed carries the whole procedure out by what the page says
// and nothing else, against the simulated vendors over loopback.
func TestThePageCanBeFollowed(t *testing.T) {
	t.Parallel()
	h := atHandWith(t, true, "", "", nil)
	h.all()
	w := h.world()
	if _, broken := stage.Agreement(w, h.spec); len(broken) > 0 {
		t.Errorf("%v", broken)
	}
	if len(w.Cloudflare.Deleted) != 1 || !strings.HasPrefix(w.Cloudflare.Deleted[0].Name, "raxx-console-svc-") {
		t.Errorf("deleted: %v", w.Cloudflare.Deleted)
	}
	if n := len(w.Heroku.Apps[0].Releases); n != 2 {
		t.Errorf("%d releases, want one more than before", n)
	}
	for _, o := range w.Outages {
		t.Errorf("outage of %s (%s): %s", o.Process, o.Var, o.Why)
	}
	if !strings.Contains(h.said.String(), `"action": "secret.rotate.completed"`) {
		t.Error("there is no record")
	}
	// Rekey finds the world in order: what was done by hand is what it would have done.
	if code, _, out := command(t, never, 0, "-C", h.dir, "drift", h.spec.Name); code != exitDone {
		t.Errorf("rekey finds it drifted: %s", out)
	}
}

// TestTheWatchersSee: what the other tests rely on notices a secret that is an
// argument, a command that is not on the list, and a mistake in a block.
func TestTheWatchersSee(t *testing.T) {
	t.Parallel()
	h := atHand(t, "", "", nil)
	start := h.steps("\n#### Observe\n")
	leak := `( cd "$DESK"; jq -n --arg token "$(<heroku.token)" '$token | length' )`
	if err := h.follow("", start, []string{leak}); err != nil {
		t.Fatalf("%v\n%s", err, h.said.String())
	}
	argv, err := os.ReadFile(h.argv)
	if err != nil || !strings.Contains(string(argv), everySecret(t, h.base)["HEROKU_API_KEY"]) {
		t.Errorf("a secret in an argument is not seen (%v)", err)
	}
	for _, bad := range []string{"( set -e; heroku config )", `( set -e; cd "$DESK"; cloudflare_api GET /nothing )`, "( stop no )"} {
		if err := h.follow("", h.again(), []string{bad}); err == nil {
			t.Errorf("%s did not stop the hand", bad)
		}
	}
}

// TestByHandThereIsAWayBack lets the procedure fail at every kind of place, and
// then follows the page's way back in another terminal: one live token, the old
// one, everywhere; nothing of others touched; no outage on the way.
func TestByHandThereIsAWayBack(t *testing.T) {
	t.Parallel()
	fault := func(f sim.Fault) func(*sim.State) { return func(s *sim.State) { s.Faults = append(s.Faults, &f) } }
	for name, c := range map[string]struct {
		arrange func(*sim.State)
		of      string // credential; "": the console's
		until   string // how far it goes by itself; "": until it stops
		says    string
		always  bool // not with -whole only
		twice   bool // blocks are pasted once more by mistake
	}{
		"the answer to create is lost":    {arrange: fault(sim.Fault{Vendor: "cloudflare", Endpoint: "POST", Cut: true, Applied: true}), says: "curl", twice: true, always: true},
		"an edit is refused":              {arrange: fault(sim.Fault{Vendor: "cloudflare", Endpoint: "PUT", Status: 403}), says: "Cloudflare answered 403 to PUT"},
		"the store makes a request of it": {arrange: func(s *sim.State) { s.Infisical.Approval = true }, says: "a change policy made a request"},
		"the store's answer is lost":      {arrange: fault(sim.Fault{Vendor: "infisical", Endpoint: "PATCH", Status: 500, Applied: true}), says: "Infisical answered 500"},
		"the app's answer is lost":        {arrange: fault(sim.Fault{Vendor: "heroku", Endpoint: "PATCH", Cut: true, Applied: true}), says: "curl"},
		// Whose token is admitted by a rule group, and shares the app with the console's.
		"just before the point of no return": {of: "CF_ACCESS_SVC_VAULT", until: "\n> ⚠ **Point of no return", always: true, twice: true},
	} {
		t.Run(name, func(t *testing.T) {
			if c.always {
				t.Parallel()
			} else {
				onlyWhole(t, "the first and the last place where it can fail are")
			}
			h := atHand(t, "", c.of, c.arrange)
			before := h.world()
			old, _ := stage.Agreement(before, h.spec)
			until := c.until
			if until == "" {
				until = "\n## Rollback\n"
			}
			err := h.follow("", h.steps(until))
			if stopped := err != nil; stopped != (c.until == "") || !strings.Contains(h.said.String(), c.says) {
				t.Fatalf("%v, and it does not say %q:\n%s", err, c.says, h.said.String())
			}
			// Whoever pastes these once more by mistake makes no second one, and forgets nothing.
			for _, title := range []string{"\n#### Observe\n", "\n#### Create the new credential\n"} {
				if !c.twice {
					break
				}
				if err := h.follow("", h.again(), blocks(t, h.page, title, "\n#### ")[:1]); err == nil {
					t.Errorf("the block under %q can be run twice", title)
				}
			}
			if err := h.follow("", h.again(), h.back()); err != nil {
				t.Fatalf("the way back: %v\n%s", err, h.said.String())
			}
			w := h.world()
			live, broken := stage.Agreement(w, h.spec)
			if len(broken) > 0 || len(w.Cloudflare.Tokens) != len(before.Cloudflare.Tokens) {
				t.Errorf("%d tokens: %v\n%s", len(w.Cloudflare.Tokens), broken, h.said.String())
			}
			if live != nil && old != nil && (live.ID != old.ID || !live.Enabled) {
				t.Errorf("%s is live, and it was %s", live.Name, old.Name)
			}
			for _, o := range w.Outages {
				t.Errorf("outage of %s (%s): %s", o.Process, o.Var, o.Why)
			}
			a, b := policies(t, before), policies(t, w)
			if a != b {
				t.Errorf("rules are not as they were:\n%s\n%s", a, b)
			}
			h.clean(false)
		})
	}
}

// policies without the time of their last edit; in which order a rule includes its
// entries says nothing, and one that was named again comes last.
func policies(t *testing.T, w *sim.State) string {
	t.Helper()
	for _, list := range [][]sim.Rules{w.Cloudflare.Policies, w.Cloudflare.Groups} {
		for _, r := range list {
			delete(r, "updated_at")
			delete(r, "is_default") // read as rules and written as yes or no, so neither hand nor program sends it back
			var entries []json.RawMessage
			if err := json.Unmarshal(r["include"], &entries); err != nil {
				t.Fatal(err)
			}
			slices.SortFunc(entries, func(a, b json.RawMessage) int { return bytes.Compare(a, b) })
			sorted, err := json.Marshal(entries)
			if err != nil {
				t.Fatal(err)
			}
			r["include"] = sorted
		}
	}
	b, err := json.Marshal([]any{w.Cloudflare.Policies, w.Cloudflare.Groups})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
