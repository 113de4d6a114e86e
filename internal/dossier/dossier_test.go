package dossier_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"rekey/internal/dossier"
	"rekey/internal/drift"
	"rekey/internal/evidence"
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
)

var update = flag.Bool("update", false, "write the golden files anew; read the diff")

const (
	console = "CF_ACCESS_SVC_CONSOLE"
	vault   = "CF_ACCESS_SVC_VAULT"
	retired = "CF_ACCESS_SVC_RETIRED"
)

// year is a journal of several runs in the simulated world, each of which ended in
// another way.
type year struct {
	*testing.T
	j       *journal.Journal
	specs   []sop.Spec
	secrets map[string]string
	signer  note.Signer
	keys    evidence.Keys
}

// fixedKey is the same in every test: Ed25519 signs without randomness.
func fixedKey(t testing.TB, seed byte) (note.Signer, evidence.Key) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{seed}, 32)), "example.com/rekey")
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	k, err := evidence.ParseKey(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return s, k
}

func newYear(t *testing.T) *year {
	t.Helper()
	j, err := journal.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	s, k := fixedKey(t, 7)
	y := &year{T: t, j: j, secrets: map[string]string{}, signer: s, keys: evidence.Keys{k}}
	y.play("before", console, -100*24*time.Hour, nil, nil)
	y.play("first1", console, 0, nil, func(o *rotation.Opened) {
		o.Actor, o.Reason, o.Ticket = "ada@laptop", "scheduled <script>alert(1)</script>", "OPS-17"
	})
	y.play("second", vault, 2*time.Hour, func(s *stage.Stage) {
		s.World.Inject(sim.Fault{Vendor: "heroku", Endpoint: "PATCH", Status: 422})
	}, func(o *rotation.Opened) {
		o.Reason, o.Overrides = "compromise", []string{"--alongside", "--outside-window"}
	})
	y.play("third3", vault, 4*time.Hour, func(s *stage.Stage) {
		s.World.Inject(sim.Fault{Vendor: "cloudflare", Endpoint: "DELETE", Status: 403, Times: -1})
	}, nil)
	y.play("fourth", retired, 5*time.Hour, func(s *stage.Stage) { s.World.Look(func(w *sim.State) { w.Heroku.Apps[0].Maintenance = true }) }, nil)
	body, err := json.Marshal(report.Compared{Credential: vault, At: stage.Start.Add(6 * time.Hour), Consumers: 1, Findings: []drift.Finding{
		{Kind: drift.Changed, Where: "heroku:raxx-console-prod", What: "heroku:raxx-console-prod holds something that nobody knows", Repair: "rekey repair " + vault}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := (history.Book{J: j}).Add(context.Background(), history.Note{At: stage.Start.Add(6 * time.Hour), Credential: vault, Kind: history.Compared, Body: body}); err != nil {
		t.Fatal(err)
	}
	y.play("after1", console, 100*24*time.Hour, nil, nil)
	return y
}

// play runs a credential in a world of its own and copies the events, at another
// time.
func (y *year) play(run, name string, shift time.Duration, arrange func(*stage.Stage), opened func(*rotation.Opened)) {
	y.Helper()
	s := stage.New(1, stage.Knobs)
	if y.specs == nil {
		y.specs = s.Config.Specs
	}
	if arrange != nil {
		arrange(s)
	}
	of := name
	if name == retired {
		of = vault
	}
	if err := s.Open(of, run); err != nil {
		y.Fatal(err)
	}
	if _, err := s.Resume(); err != nil {
		y.Fatal(err)
	}
	events, err := s.Log.Events()
	if err != nil {
		y.Fatal(err)
	}
	for i := range events {
		events[i].At = events[i].At.Add(shift)
		if o := events[i].Opened; o != nil {
			o.Credential = name
			if opened != nil {
				opened(o)
			}
		}
	}
	if err := (&history.Recorder{Book: history.Book{J: y.j}, Credential: name}).Append(context.Background(), events...); err != nil {
		y.Fatal(err)
	}
	for what, secret := range s.Secrets() {
		y.secrets[run+" "+what] = secret
	}
}

func (y *year) ask(credential string) dossier.Ask {
	return dossier.Ask{From: stage.Start.Truncate(24 * time.Hour), To: stage.Start.Truncate(24*time.Hour).AddDate(0, 0, 30), Credential: credential,
		Now: stage.Start.AddDate(1, 0, 0), By: "auditor@desk", Tool: "test", File: "rekey.yaml", Specs: y.specs}
}

// export collects, proves and writes.
func (y *year) export(ask dossier.Ask) (*dossier.Dossier, []byte) {
	y.Helper()
	ctx := context.Background()
	cp, _, err := evidence.Make(ctx, y.j, stage.Start, y.signer)
	if err != nil {
		y.Fatal(err)
	}
	d, err := dossier.Collect(ctx, y.j, ask)
	if err != nil {
		y.Fatal(err)
	}
	if err := d.Prove(y.j, cp, y.keys[0].Text); err != nil {
		y.Fatal(err)
	}
	var b bytes.Buffer
	if err := d.Write(ctx, y.j, &b, "example.com/rekey", y.sign); err != nil {
		y.Fatal(err)
	}
	return d, b.Bytes()
}

func (y *year) sign(text string) (string, error) {
	n, err := note.Sign(&note.Note{Text: text}, y.signer)
	return string(n), err
}

// TestGolden keeps what an auditor reads under review, and searches all of it for
// secrets.
func TestGolden(t *testing.T) {
	y := newYear(t)
	d, lines := y.export(y.ask(""))
	var page bytes.Buffer
	if err := dossier.Page(&page, d); err != nil {
		t.Fatal(err)
	}
	c, err := dossier.Check(lines, y.keys, nil)
	if err != nil {
		t.Fatal(err)
	}
	text := dossier.Text(d, report.Style{}) + "\n=== verified\n\n" + dossier.Verified(c, nil, report.Style{})
	same(t, "evidence.txt", text)
	same(t, "evidence.html", page.String())
	for what, secret := range y.secrets {
		for _, out := range []string{string(lines), page.String(), text} {
			if strings.Contains(out, secret) {
				t.Errorf("%s is shown", what)
			}
		}
	}
	if len(y.secrets) < 10 {
		t.Errorf("only %d secrets were looked for", len(y.secrets))
	}
	if strings.Contains(page.String(), "<script") || strings.Contains(page.String(), "http-equiv=\"refresh") || strings.Contains(page.String(), "src=") || strings.Contains(page.String(), "href=") {
		t.Error("the page runs or loads something")
	}
	if !strings.Contains(page.String(), "&lt;script&gt;alert(1)") {
		t.Error("what a person wrote is not shown escaped")
	}
}

func same(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not as it was; run with -update and read the diff", path)
	}
}

// TestTheWholePopulation: every credential in scope, with and without runs, those
// that rekey.yaml does not name any more included; runs that failed as well as those
// that went well; nothing of before and after.
func TestTheWholePopulation(t *testing.T) {
	y := newYear(t)
	d, _ := y.export(y.ask(""))
	runs := map[string]dossier.Run{}
	for _, r := range d.Runs {
		runs[r.Run] = r
	}
	if len(runs) != 4 || runs["first1"].Ending != "rotated" || runs["second"].Ending != "rolled back" || runs["third3"].Ending != "stuck" || runs["fourth"].Ending != "refused" {
		t.Errorf("%d runs: %v", len(runs), d.Summary.Runs)
	}
	if r := runs["first1"]; !r.Consumers || !r.Denied || r.Record == nil || r.Record.Action != "secret.rotate.completed" || len(r.Confirmed) != 1 || r.Ticket != "OPS-17" || r.Old == nil || r.New == nil {
		t.Errorf("%+v", r)
	}
	for _, p := range runs["first1"].Places {
		for _, s := range p.Slots {
			if !p.Proven || s.Before == "" || s.After == "" || s.Before == s.After {
				t.Errorf("%s %+v", p.Key, s)
			}
		}
	}
	for run, want := range map[string][]string{
		"second": {"begun with --alongside", "begun with --outside-window", "the credential was not rotated by it"},
		"third3": {"it is not over", "no reason was given"},
		"fourth": {"the credential was not rotated by it"},
	} {
		for _, w := range want {
			if !slices.Contains(runs[run].NotCovered, w) {
				t.Errorf("%s does not say %q: %q", run, w, runs[run].NotCovered)
			}
		}
		if runs[run].Denied || runs[run].Consumers {
			t.Errorf("%s claims a proof", run)
		}
	}
	if len(d.Credentials) != 3 {
		t.Fatalf("%+v", d.Credentials)
	}
	for _, c := range d.Credentials {
		if c.Registered == (c.Name == retired) {
			t.Errorf("%+v", c)
		}
	}
	if d.Credentials[0].Name != console || d.Credentials[0].Runs["rotated"] != 1 || !d.Credentials[0].Rotated.Before(stage.Start.AddDate(0, 0, 30)) {
		t.Errorf("%+v", d.Credentials[0])
	}
	if len(d.Drifts) != 1 || d.Summary.Findings != 1 {
		t.Errorf("%+v", d.Drifts)
	}
	// A period without anything still tells the population, and who is overdue by then.
	ask := y.ask("")
	ask.From, ask.To = stage.Start.AddDate(0, 0, 95), stage.Start.AddDate(0, 0, 96)
	d, _ = y.export(ask)
	if len(d.Credentials) != 3 || !slices.Contains(d.Summary.Overdue, console) || !slices.Contains(d.Summary.Without, console) || len(d.Runs) != 1 || d.Runs[0].Run != "third3" {
		t.Errorf("overdue %v, without %v, runs %v", d.Summary.Overdue, d.Summary.Without, d.Summary.Runs)
	}
	if d, _ := y.export(y.ask(vault)); len(d.Credentials) != 1 || len(d.Runs) != 2 || d.Header.Whole {
		t.Errorf("%+v", d.Summary)
	}
}

// TestAnExportVerifiesAlone, and whatever is done to it does not.
func TestAnExportVerifiesAlone(t *testing.T) {
	y := newYear(t)
	_, lines := y.export(y.ask(""))
	c, err := dossier.Check(lines, y.keys, nil)
	if err != nil || !c.OK() || !c.Signed || c.Entries < 60 {
		t.Fatalf("%+v %v", c, err)
	}
	_, other := fixedKey(t, 9)
	split := func() []string { return strings.SplitAfter(string(lines), "\n") }
	at := func(kind string, n int) int {
		for i, l := range split() {
			if strings.HasPrefix(l, `{"type":"`+kind) {
				if n == 0 {
					return i
				}
				n--
			}
		}
		t.Fatalf("no %s", kind)
		return 0
	}
	// resign signs the whole file anew: somebody with the private key.
	resign := func(ls []string) []string {
		text := strings.Join(ls, "")
		covered := text[:strings.LastIndex(text, `,"signature":`)]
		d := dossier.SignedText("example.com/rekey", []byte(covered))
		n, err := y.sign(d)
		if err != nil {
			t.Fatal(err)
		}
		q, _ := json.Marshal(n)
		return []string{covered + `,"signature":` + string(q) + "}\n"}
	}
	for name, tt := range map[string]struct {
		do   func(ls []string) []string
		keys evidence.Keys
		want string
	}{
		"a wrong key": {func(ls []string) []string { return ls }, evidence.Keys{other}, "no such key was given"},
		"an entry is edited": {func(ls []string) []string {
			i := at("entry", 5)
			ls[i] = strings.Replace(ls[i], `"kind":"`, `"kind":"x`, 1)
			return ls
		}, nil, "was edited"},
		"an entry is edited, with its hash, and the file signed anew": {func(ls []string) []string {
			i := at("entry", 5)
			var e dossier.Entry
			if err := json.Unmarshal([]byte(ls[i]), &e); err != nil {
				t.Fatal(err)
			}
			e.Entry.Run = "other"
			e.Entry.Hash = e.Entry.Sum()
			b, _ := json.Marshal(e)
			ls[i] = string(b) + "\n"
			return resign(ls)
		}, nil, "is not the one over which the checkpoint was signed"},
		"an entry is left out, and the file signed anew": {func(ls []string) []string {
			i := at("entry", 9)
			return resign(slices.Delete(ls, i, i+1))
		}, nil, "is missing: this export says that it holds"},
		"two entries change places": {func(ls []string) []string {
			i := at("entry", 5)
			ls[i], ls[i+1] = ls[i+1], ls[i]
			return ls
		}, nil, "comes after entry"},
		"a run is left out": {func(ls []string) []string { i := at("run", 1); return slices.Delete(ls, i, i+1) }, nil, "the summary says 4 runs, and there are 3"},
		"a run is edited": {func(ls []string) []string {
			i := at("run", 2)
			ls[i] = strings.Replace(ls[i], `"ending":"stuck"`, `"ending":"rotated"`, 1)
			return ls
		}, nil, "not as it was signed"},
		"a credential is left out, and the summary says so": {func(ls []string) []string {
			i := at("credential", 1)
			ls = slices.Delete(ls, i, i+1)
			last := len(ls) - 2
			ls[last] = strings.Replace(ls[last], `"credentials":3`, `"credentials":2`, 1)
			return ls
		}, nil, "not as it was signed"},
		"the period is told narrower": {func(ls []string) []string {
			var h dossier.Header
			if err := json.Unmarshal([]byte(ls[0]), &h); err != nil {
				t.Fatal(err)
			}
			h.First += 5
			b, _ := json.Marshal(h)
			return resign(append([]string{string(b) + "\n"}, ls[1:]...))
		}, nil, "is of the period"},
		"it is cut off":                 {func(ls []string) []string { return ls[:len(ls)-4] }, nil, "there is no summary"},
		"something follows the summary": {func(ls []string) []string { return append(ls, ls[1]) }, nil, "follows the summary"},
		"the signature is taken away": {func(ls []string) []string {
			text := strings.Join(ls, "")
			return []string{text[:strings.LastIndex(text, `,"signature":`)] + "}\n"}
		}, nil, "not signed"},
		"the checkpoint is exchanged": {func(ls []string) []string {
			s, _ := fixedKey(t, 9)
			n, err := evidence.Sign(evidence.Checkpoint{Origin: "example.com/rekey", Size: 500}, s)
			if err != nil {
				t.Fatal(err)
			}
			var h dossier.Header
			if err := json.Unmarshal([]byte(ls[0]), &h); err != nil {
				t.Fatal(err)
			}
			h.Checkpoint = n
			b, _ := json.Marshal(h)
			ls[0] = string(b) + "\n"
			return ls
		}, nil, "no such key was given"},
	} {
		t.Run(name, func(t *testing.T) {
			keys := tt.keys
			if keys == nil {
				keys = y.keys
			}
			c, err := dossier.Check([]byte(strings.Join(tt.do(split()), "")), keys, nil)
			if err != nil {
				t.Fatal(err)
			}
			if told := dossier.Verified(c, nil, report.Style{}); c.OK() || !strings.Contains(told, tt.want) {
				t.Errorf("want %q: %s", tt.want, told)
			}
		})
	}
	for _, bad := range []string{"", "{}", "hello\n", `{"type":"header","format":"rekey-evidence/v9"}` + "\n"} {
		if _, err := dossier.Check([]byte(bad), y.keys, nil); err == nil {
			t.Errorf("%q is taken for an export", bad)
		}
	}
}

// TestTheDocumentSaysTheSame of requirements as the page does.
func TestTheDocumentSaysTheSame(t *testing.T) {
	b, err := os.ReadFile("../../docs/evidence.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range dossier.Controls() {
		if row := fmt.Sprintf("| %s | %s | %s | %s |", c.Requirement, c.Asks, c.Where, c.Not); !strings.Contains(string(b), row) {
			t.Errorf("docs/evidence.md lacks %s", row)
		}
	}
	if !strings.Contains(string(b), "rekey-evidence-export/v1") || !strings.Contains(dossier.SignedText("o", nil), "rekey-evidence-export/v1\no\n") {
		t.Error("what is signed is not what the document says")
	}
}

// TestForkedExport: another history of the same size had been signed.
func TestForkedExport(t *testing.T) {
	y := newYear(t)
	d, lines := y.export(y.ask(""))
	n, err := evidence.Sign(evidence.Checkpoint{Origin: "example.com/rekey", Size: d.Header.Entries}, y.signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := dossier.Check(lines, y.keys, []evidence.Given{{Where: "noted.txt", Note: n}})
	if err != nil || c.OK() || !strings.Contains(c.Faults[0].What, fmt.Sprintf("two histories of %d entries were signed", d.Header.Entries)) {
		t.Errorf("%+v %v", c.Faults, err)
	}
}

// TestThePageCanBeReadOnAPhone: no word is broken, each value says what it is where
// there is no room for columns, and a block is selected whole with one touch.
func TestThePageCanBeReadOnAPhone(t *testing.T) {
	template, err := os.ReadFile("page.html")
	if err != nil {
		t.Fatal(err)
	}
	pageText := string(template)
	if strings.Contains(pageText, "anywhere") || strings.Contains(pageText, "break-all") {
		t.Error("words are broken")
	}
	if !strings.Contains(pageText, "user-select: all") {
		t.Error("a block is selected by hand")
	}
	tables := 0
	for _, table := range strings.Split(pageText, "<table>")[1:] {
		table, _, _ = strings.Cut(table, "</table>")
		tables++
		for _, head := range strings.Split(table, "<th>")[2:] {
			head, _, _ = strings.Cut(head, "</th>")
			if !strings.Contains(table, `data-label="`+head+`"`) {
				t.Errorf("on a phone nothing says which value is %q", head)
			}
		}
	}
	if tables < 4 {
		t.Errorf("only %d tables", tables)
	}
}
