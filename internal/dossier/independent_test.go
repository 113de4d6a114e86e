package dossier_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"rekey/internal/dossier"
	"rekey/internal/evidence"
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sim/stage"
)

// tool is a program that a test runs, which CI has to have.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case runtime.GOOS == "windows":
		t.Skip("NEEDS a POSIX machine; CI runs it there")
	case err != nil && os.Getenv("CI") == "true":
		t.Fatalf("%s is missing: without it nothing shows that evidence can be verified without Rekey", name)
	case err != nil:
		t.Skipf("NEEDS %s: without it nothing shows that evidence can be verified without Rekey", name)
	}
	return path
}

// export is one file to be verified, and what has to come out.
type export struct {
	name   string
	data   []byte
	others []string // checkpoints from elsewhere
	ok     bool
	either bool // nothing is asked but that both say the same
}

// independent runs docs/verify_export.py over all of them in one process, and returns
// its exit codes and what it says.
func independent(t *testing.T, key string, all []export) (codes []int, said string) {
	t.Helper()
	python := tool(t, "python3")
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var argv [][]string
	for i, x := range all {
		args := []string{write(fmt.Sprintf("%d.jsonl", i), x.data), "--key", write("key", []byte(key))}
		for k, o := range x.others {
			args = append(args, "--checkpoint", write(fmt.Sprintf("%d-%d.txt", i, k), []byte(o)))
		}
		argv = append(argv, args)
	}
	list, err := json.Marshal(argv)
	if err != nil {
		t.Fatal(err)
	}
	docs, err := filepath.Abs("../../docs")
	if err != nil {
		t.Fatal(err)
	}
	const program = `
import json, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import verify_export
codes = []
for args in json.load(open(sys.argv[2])):
    sys.argv = ["verify_export.py"] + args
    print("==", len(codes))
    try:
        codes.append(verify_export.main())
    except SystemExit as err:
        print(err)
        codes.append(2)
json.dump(codes, open(args[0] + ".codes", "w"))
`
	cmd := exec.Command(python, "-c", program, docs, write("all.json", list))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(argv[len(argv)-1][0] + ".codes")
	if err != nil || json.Unmarshal(b, &codes) != nil || len(codes) != len(all) {
		t.Fatalf("%v %d codes for %d exports", err, len(codes), len(all))
	}
	return codes, string(out)
}

// agree holds Check and the independent verifier against each other, and both against
// what has to come out.
func agree(t *testing.T, keys evidence.Keys, all []export) {
	t.Helper()
	codes, said := independent(t, keys[0].Text, all)
	sound := 0
	for i, x := range all {
		var given []evidence.Given
		for _, o := range x.others {
			notes, _ := evidence.SplitNotes(o)
			for _, n := range notes {
				given = append(given, evidence.Given{Where: "elsewhere", Note: n})
			}
		}
		c, err := dossier.Check(x.data, keys, given)
		ours := err == nil && c.OK()
		theirs := codes[i] == 0
		_, after, _ := strings.Cut(said, fmt.Sprintf("== %d\n", i))
		told, _, _ := strings.Cut(after, "\n==")
		var faults any = err
		if err == nil {
			faults = c.Faults
		}
		if ours != theirs || !x.either && ours != x.ok {
			t.Errorf("%s: want %v; we say %v %v; the independent verifier says %v: %s", x.name, x.ok, ours, faults, theirs, told)
		}
		if ours {
			sound++
		}
	}
	t.Logf("%d exports, %d of them sound", len(all), sound)
}

// TestAnIndependentVerifierAgrees: what verifies with Rekey verifies without it, and the
// other way round, whatever is done to an export, by whoever has the key as well.
func TestAnIndependentVerifierAgrees(t *testing.T) {
	y := newYear(t)
	y.play("strange", vault, 8*time.Hour, nil, func(o *rotation.Opened) {
		o.Actor, o.Reason = "zoë \u0085 \u2028 \"x\"", "line\u0085two \u2029 {\"body\":1} ,\"signature\":\"x\" \\u0041 <&>"
	})
	_, lines := y.export(y.ask(""))
	_, one := y.export(y.ask(vault))
	early := y.ask("")
	early.To = stage.Start.Add(time.Hour)
	_, early1 := y.export(early)
	none := y.ask("")
	none.From, none.To = stage.Start.AddDate(3, 0, 0), stage.Start.AddDate(4, 0, 0)
	_, empty := y.export(none)
	all := []export{
		{name: "everything", data: lines, ok: true}, {name: "one credential", data: one, ok: true}, {name: "a short period", data: early1, ok: true}, {name: "nothing", data: empty, ok: true},
	}
	practised := newYear(t)
	practised.play("mocked", vault, 3*time.Hour, nil, func(o *rotation.Opened) { o.Simulated = true })
	ask := practised.ask("")
	_, real := practised.export(ask)
	ask.Simulated = true
	_, told := practised.export(ask)
	all = append(all, export{name: "simulated, and not told", data: real}, export{name: "simulated, and told", data: told, ok: true})
	all = append(all, y.edited(lines)...)
	all = append(all, y.elsewhere(lines)...)
	all = append(all, y.broken(lines, 30)...)
	agree(t, y.keys, all)
}

// resigned signs a text anew: somebody with the private key.
func (y *year) resigned(text []byte) []byte {
	y.Helper()
	covered := text[:bytes.LastIndex(text, []byte(`,"signature":`))]
	n, err := y.sign(dossier.SignedText("example.com/rekey", covered))
	if err != nil {
		y.Fatal(err)
	}
	quoted, _ := json.Marshal(n)
	return slices.Concat(covered, []byte(`,"signature":`), quoted, []byte("}\n"))
}

// edited are exports of somebody who has the key: every line is signed, and one says
// what its entries do not.
func (y *year) edited(lines []byte) []export {
	y.Helper()
	var out []export
	edit := func(name, of, old, new string) {
		ls := strings.SplitAfter(string(lines), "\n")
		at := slices.IndexFunc(ls, func(l string) bool {
			return strings.HasPrefix(l, `{"type":"`+of) && strings.Contains(l, old)
		})
		if at < 0 {
			y.Fatalf("%s: no %s line has %s", name, of, old)
		}
		ls[at] = strings.Replace(ls[at], old, new, 1)
		out = append(out, export{name: name, data: y.resigned([]byte(strings.Join(ls, "")))})
	}
	edit("another actor", "run", `"actor":"ada@laptop"`, `"actor":"eve@laptop"`)
	edit("another outcome", "run", `"ending":"stuck"`, `"ending":"rotated"`)
	edit("another reason", "run", `"reason":"compromise"`, `"reason":"scheduled"`)
	edit("no ticket", "run", `"ticket":"OPS-17",`, ``)
	edit("an override is not told", "run", `"overrides":["--alongside","--outside-window"]`, `"overrides":["--alongside"]`)
	edit("another purpose", "run", `"purpose":"rotate"`, `"purpose":"rehearse"`)
	edit("fewer entries", "run", `"entries":33`, `"entries":32`)
	edit("it begins later", "run", `"first":34`, `"first":35`)
	edit("opened on another day", "run", `"opened":"2026-11-23`, `"opened":"2026-11-22`)
	edit("closed at another hour", "run", `"closed":"2026-11-23T09`, `"closed":"2026-11-23T08`)
	edit("somebody else confirmed", "run", `"confirmed":[{"actor":"stage"`, `"confirmed":[{"actor":"eve"`)
	edit("another run's name", "run", `"run":"second"`, `"run":"secund"`)
	edit("an older tool", "run", `"tool":"test"`, `"tool":"tast"`)
	edit("proven by a token that was not", "run", `"actor":"ada@laptop"`, `"actor":"ada@laptop","by":{"name":"ada","how":"https://idp","verified":true}`)
	edit("a count of a credential", "credential", `"rolled back":1`, `"rolled back":2`)
	edit("a count of the summary", "summary", `"rolled back":1,"rotated":2`, `"rolled back":2,"rotated":1`)
	edit("a comparison that found nothing", "drift", `"findings":[{`, `"findings":[],"was":[{`)
	edit("a comparison of another credential", "drift", vault, console)
	edit("a comparison at another entry", "drift", `"entry":`, `"entry":1`)
	edit("a narrower period", "header", `"first":34`, `"first":37`)
	edit("a wider period", "header", `"from":"2026-11-23`, `"from":"2026-01-23`)
	edit("whole, and about one", "header", `"file":`, `"credential":"CF_ACCESS_SVC_CONSOLE","file":`)
	edit("a name twice", "run", `"actor":"ada@laptop"`, `"actor":"ada@laptop","actor":"ada@laptop"`)
	edit("a name in capitals", "run", `"actor":"ada@laptop"`, `"actor":"ada@laptop","Actor":"eve@laptop"`)
	edit("an entry's body", "entry", `"actor":"ada@laptop"`, `"actor":"eve@laptop"`)
	edit("an entry's time", "entry", `"at":"2026-11-23T09:00:00Z"`, `"at":"2026-11-23T09:00:01Z"`)
	edit("an entry's proof", "entry", `"proof":["`, `"proof":["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","`)
	without := func(name string, of string, n int) {
		ls := strings.SplitAfter(string(lines), "\n")
		for i, l := range ls {
			if strings.HasPrefix(l, `{"type":"`+of) {
				if n--; n < 0 {
					out = append(out, export{name: name, data: y.resigned([]byte(strings.Join(slices.Delete(slices.Clone(ls), i, i+1), "")))})
					return
				}
			}
		}
		y.Fatal(name)
	}
	without("no line of a run", "run", 1)
	without("no line of a credential", "credential", 0)
	without("no line of a comparison", "drift", 0)
	without("an entry in the middle is gone", "entry", 20)
	without("the entry before is gone", "entry", 0)
	// A run and its entries are gone, and every count says so: only the chain is against it.
	ls := slices.DeleteFunc(strings.SplitAfter(string(lines), "\n"), func(l string) bool {
		return strings.HasPrefix(l, `{"type":"run","run":"second"`)
	})
	last := len(ls) - 2
	for _, r := range [][2]string{{`"rolled back":1,`, ``}, {`"lines":`, `"lines":-`}} {
		ls[last] = strings.Replace(ls[last], r[0], r[1], 1)
	}
	ls[last] = strings.Replace(ls[last], fmt.Sprintf(`"lines":-%d`, len(ls)), fmt.Sprintf(`"lines":%d`, len(ls)-1), 1)
	for i := range ls {
		if strings.HasPrefix(ls[i], `{"type":"credential","name":"`+vault) {
			ls[i] = strings.Replace(ls[i], `"rolled back":1,`, ``, 1)
		}
	}
	out = append(out, export{name: "a run is not told, and every count agrees", data: y.resigned([]byte(strings.Join(ls, "")))})
	// What follows the signature is read by every program and was signed by nobody.
	for name, end := range map[string]string{
		"a field after the signature": `,"entries":1}` + "\n", "another signature": `,"signature":"x"}` + "\n", "another summary": "}\n" + `{"type":"summary"}` + "\n",
		"a space": " }\n", "no newline": "}", "two newlines": "}\n\n", "a brace": "}}\n", "a carriage return": "}\r\n", "a zero": "}\n\x00",
	} {
		out = append(out, export{name: name + " at the end", data: append(bytes.TrimSuffix(bytes.Clone(lines), []byte("}\n")), end...)})
	}
	out = append(out, export{name: "a byte order mark", data: append([]byte("\xef\xbb\xbf"), lines...)},
		export{name: "lines of Windows", data: bytes.ReplaceAll(lines, []byte("\n"), []byte("\r\n"))})
	return out
}

// elsewhere are the untouched export, with checkpoints that others had kept.
func (y *year) elsewhere(lines []byte) []export {
	y.Helper()
	ctx := context.Background()
	var hashes []journal.Entry
	if err := y.j.Each(ctx, func(e journal.Entry) error { hashes = append(hashes, e); return nil }); err != nil {
		y.Fatal(err)
	}
	at := func(size int, edit bool) string {
		r, err := evidence.Verify(func(f func(journal.Entry) error) error {
			for _, e := range hashes[:size] {
				if err := f(e); err != nil {
					return err
				}
			}
			return nil
		}, nil, nil, y.keys)
		if err != nil {
			y.Fatal(err)
		}
		if edit {
			r.Root = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
		}
		n, err := y.sign(fmt.Sprintf("example.com/rekey\n%d\n%s\n", size, r.Root))
		if err != nil {
			y.Fatal(err)
		}
		return n
	}
	n := len(hashes)
	out := []export{
		{name: "the same checkpoint", data: lines, others: []string{at(n, false)}, ok: true},
		{name: "a fork of the same size", data: lines, others: []string{at(n, true)}},
		{name: "one that is not compared", data: lines, others: []string{at(5, false)}, ok: true},
		{name: "several in one file", data: lines, others: []string{at(40, false) + "\n" + at(41, false) + "\n" + at(n, false)}, ok: true},
		{name: "several, one forked", data: lines, others: []string{at(40, false) + "\n" + at(41, true)}},
	}
	for size := 34; size < 64; size += 3 {
		out = append(out, export{name: fmt.Sprintf("a checkpoint over %d", size), data: lines, others: []string{at(size, false)}, ok: true},
			export{name: fmt.Sprintf("a fork over %d", size), data: lines, others: []string{at(size, true)}})
	}
	larger, err := y.sign(fmt.Sprintf("example.com/rekey\n%d\n%s\n", n+7, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="))
	if err != nil {
		y.Fatal(err)
	}
	other, _ := fixedKey(y.T, 9)
	stranger, err := note.Sign(&note.Note{Text: "example.com/rekey\n5\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"}, other)
	if err != nil {
		y.Fatal(err)
	}
	return append(out, export{name: "a larger one: the export is stale", data: lines, others: []string{larger}}, export{name: "a stranger's", data: lines, others: []string{string(stranger)}})
}

// broken are exports to which chance did something.
func (y *year) broken(lines []byte, n int) []export {
	rnd := rand.New(rand.NewPCG(5, 6))
	var out []export
	for i := range n {
		b := bytes.Clone(lines)
		at := rnd.IntN(len(b))
		var what string
		switch i % 5 {
		case 0:
			what, b[at] = "a bit is another", b[at]^1<<rnd.IntN(8)
		case 1:
			what, b = "a byte is gone", slices.Delete(b, at, at+1)
		case 2:
			what, b = "a byte more", slices.Insert(b, at, byte(rnd.IntN(256)))
		case 3:
			what, b = "cut off", b[:at]
		case 4:
			what = "two lines change places"
			ls := bytes.SplitAfter(b, []byte("\n"))
			k, m := rnd.IntN(len(ls)-1), rnd.IntN(len(ls)-1)
			if k == m {
				continue
			}
			ls[k], ls[m] = ls[m], ls[k]
			b = bytes.Join(ls, nil)
		}
		out = append(out, export{name: fmt.Sprintf("%s at %d", what, at), data: b})
	}
	return out
}

// TestTheDocumentedCheckOfASignature is carried out as it stands in docs/evidence.md, on
// checkpoints with one signature and with several, true and altered.
func TestTheDocumentedCheckOfASignature(t *testing.T) {
	tool(t, "openssl")
	shell := tool(t, "bash")
	b, err := os.ReadFile("../../docs/evidence.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(b), "```sh\nkey=")
	block, _, ends := strings.Cut(block, "```")
	if !found || !ends {
		t.Fatal("docs/evidence.md has no such block")
	}
	mine, key := fixedKey(t, 7)
	next, nextKey := fixedKey(t, 8)
	c := evidence.Checkpoint{Origin: "example.com/rekey", Size: 12}
	verify := func(signed string, k evidence.Key) error {
		dir := t.TempDir()
		for name, text := range map[string]string{"k.pub": k.Text + "\n", "checkpoint.txt": signed} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(shell, "-c", "key="+block)
		cmd.Dir = dir
		return cmd.Run()
	}
	for name, signers := range map[string][]note.Signer{"one": {mine}, "two": {mine, next}, "two, the other way": {next, mine}} {
		signed, err := evidence.Sign(c, signers...)
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(signed, key); err != nil {
			t.Errorf("%s: a true signature: %v", name, err)
		}
		if len(signers) == 2 && verify(signed, nextKey) != nil {
			t.Errorf("%s: the other true signature", name)
		}
		if len(signers) == 1 && verify(signed, nextKey) == nil {
			t.Errorf("%s: it is not signed by that key", name)
		}
		if verify(strings.Replace(signed, "\n12\n", "\n13\n", 1), key) == nil {
			t.Errorf("%s: an altered text passes", name)
		}
	}
}

// TestWhatIsSaidOfARunIsCompared: a line that says another thing than its entries is
// named with the field, though the whole file is signed.
func TestWhatIsSaidOfARunIsCompared(t *testing.T) {
	y := newYear(t)
	_, lines := y.export(y.ask(""))
	for old, want := range map[string]string{
		`"ending":"stuck"|"ending":"rotated"`:                                   `run third3 is not what its entries say: ending is "stuck" there, and "rotated" here`,
		`"old_one_denied":false|"old_one_denied":true`:                          `run second is not what its entries say: old_one_denied is false there, and true here`,
		`"every_consumer_proven":false|"every_consumer_proven":true`:            `run second is not what its entries say: every_consumer_proven`,
		`all 3 dynos run on|all 9 dynos run on`:                                 `run first1 is not what its entries say: proofs is`,
		`"id":"532deabf-8872-4cb4-8995-ab5a9cd49bf9"|"id":"another"`:            `run first1 is not what its entries say: old is`,
		`{"type":"run","run":"second",|{"type":"run","run":"first1","run2":"",`: `run "first1" is told twice`,
	} {
		from, to, _ := strings.Cut(old, "|")
		ls := strings.SplitAfter(string(lines), "\n")
		for i, l := range ls {
			if strings.HasPrefix(l, `{"type":"run"`) && strings.Contains(l, from) {
				ls[i] = strings.Replace(l, from, to, 1)
				break
			}
		}
		c, err := dossier.Check(y.resigned([]byte(strings.Join(ls, ""))), y.keys, nil)
		if err != nil {
			t.Fatal(err)
		}
		if told := dossier.Verified(c, nil, report.Style{}); c.OK() || !strings.Contains(told, want) {
			t.Errorf("want %q: %s", want, told)
		}
	}
}

// TestAStaleExportIsTold, and so is a checkpoint that cannot be compared.
func TestAStaleExportIsTold(t *testing.T) {
	y := newYear(t)
	early := y.ask("")
	early.To = stage.Start.AddDate(2, 0, 0) // the period is not over
	_, lines := y.export(early)
	c, err := dossier.Check(lines, y.keys, nil)
	if err != nil || !strings.Contains(dossier.Verified(c, nil, report.Style{}), "only a later checkpoint shows; it was made on 2027-11-23 09:00:00Z, before the period ended") {
		t.Fatalf("%v %s", err, dossier.Verified(c, nil, report.Style{}))
	}
	older, _, err := evidence.Make(context.Background(), y.j, stage.Start, y.signer)
	if err != nil {
		t.Fatal(err)
	}
	if err := (history.Book{J: y.j}).Add(context.Background(), history.Note{At: stage.Start.AddDate(1, 1, 0), Credential: vault, Kind: history.Compared, Body: []byte(`{"credential":"` + vault + `"}`)}); err != nil {
		t.Fatal(err)
	}
	later, _, err := evidence.Make(context.Background(), y.j, stage.Start, y.signer)
	if err != nil {
		t.Fatal(err)
	}
	check := func(lines []byte, n string) (*dossier.Checked, string) {
		c, err := dossier.Check(lines, y.keys, []evidence.Given{{Where: "noted.txt", Note: n}})
		if err != nil {
			t.Fatal(err)
		}
		return c, dossier.Verified(c, nil, report.Style{})
	}
	if c, told := check(lines, later.Note); c.OK() || !strings.Contains(told, fmt.Sprintf("this export is stale: it is over %d entries, and the checkpoint in noted.txt is over %d", older.Size, later.Size)) {
		t.Error(told)
	}
	_, lines = y.export(early)
	if c, told := check(lines, older.Note); !c.OK() || !strings.Contains(told, fmt.Sprintf("the checkpoint over %d entries in noted.txt is of the same history", older.Size)) {
		t.Error(told)
	}
	_, short := y.export(y.ask(""))
	n, err := y.sign("example.com/rekey\n3\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
	if err != nil {
		t.Fatal(err)
	}
	if c, told := check(short, n); !c.OK() || !strings.Contains(told, "the checkpoint over 3 entries in noted.txt was not compared") {
		t.Error(told)
	}
}
