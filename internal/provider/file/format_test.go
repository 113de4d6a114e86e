package file

import (
	"strings"
	"testing"
)

// TestOnlyOneValueChanges: everything else stays byte for byte; taking a new value away
// again gives the text that was there; what a format cannot hold is refused.
func TestOnlyOneValueChanges(t *testing.T) {
	for _, c := range []struct{ kind, text, slot, value, want string }{
		{"dotenv", "# hi\nA=1\nexport B = old # keep\nC='x y'\n", "B", "new", "# hi\nA=1\nexport B = new # keep\nC='x y'\n"},
		{"dotenv", "A='one'\r\nB=\"two\"\r\n", "A", "it$", "A='it$'\r\nB=\"two\"\r\n"},
		{"dotenv", "A='one'\r\nB=\"two\"\r\n", "B", "2", "A='one'\r\nB=\"2\"\r\n"},
		{"dotenv", "A='one'", "C", "3", "A='one'\nC=3\n"},
		{"dotenv", "A=1\r\n", "C", "a b", "A=1\r\nC='a b'\r\n"},
		{"dotenv", "A=1\n", "A", "it's", "A=\"it's\"\n"},
		{"dotenv", "", "A", "1", "A=1\n"},
		{"dotenv", "A=\nB=2\n", "A", "1", "A=1\nB=2\n"},
		{"dotenv", "\ufeffA=1\n", "A", "2", "\ufeffA=2\n"},
		{"dotenv", "A=1\n", "A", "postgres://u:p@h/db?a=b&c=d", "A='postgres://u:p@h/db?a=b&c=d'\n"},
		{"ini", "top: 1\n; c\n[db]\npassword = old\nuser=me\n", "db.password", "new=x", "top: 1\n; c\n[db]\npassword = new=x\nuser=me\n"},
		{"ini", "[db]\r\npassword=\"old\"\r\n", "db.password", "new", "[db]\r\npassword=\"new\"\r\n"},
		{"ini", "[a]\nx = 1\n[db]\ny = 2\n", "a.z", "new", "[a]\nz = new\nx = 1\n[db]\ny = 2\n"},
		{"ini", "[a]", "a.z", "new", "[a]\nz = new"},
		{"ini", "x = 1\n", "z", "new", "z = new\nx = 1\n"},
		{"json", "{\n\t\"db\": {\"password\": \"old\", \"n\": 1},\n\t\"x\": [\"a\", {\"b\": \"c\"}]\n}\n", "db.password", "n\"e<w", "{\n\t\"db\": {\"password\": \"n\\\"e<w\", \"n\": 1},\n\t\"x\": [\"a\", {\"b\": \"c\"}]\n}\n"},
		{"json", "{\n  \"db\": {}\n}", "db.password", "new", "{\n  \"db\": {\"password\": \"new\"}\n}"},
		{"json", "{\n  \"a\": \"1\"\n}\n", "b", "new", "{\n  \"b\": \"new\",\n  \"a\": \"1\"\n}\n"},
		{"json", "{\"x\": [\"a\", {\"b\": \"c\"}]}", "x.1.b", "new", "{\"x\": [\"a\", {\"b\": \"new\"}]}"},
		{"json", "{\"a.b\": \"old\"}", `a\.b`, "new", "{\"a.b\": \"new\"}"},
		{"json", "{\"a\": null, \"é\": \"ü\"}", "a", "new", "{\"a\": \"new\", \"é\": \"ü\"}"},
		{"json", "", "a", "new", "{\"a\": \"new\"}\n"},
		{"yaml", "# top\ndb:\n    user: me   # who\n    password: old   # what\n\nlist:\n- a\n", "db.password", "new", "# top\ndb:\n    user: me   # who\n    password: new   # what\n\nlist:\n- a\n"},
		{"yaml", "p: 'old'\nq: \"x\"\n", "p", "it's", "p: 'it''s'\nq: \"x\"\n"},
		{"yaml", "ü: é\np: \"o\\\"ld\" # c\n", "p", "a: b # no", "ü: é\np: \"a: b # no\" # c\n"},
		{"yaml", "p: old\n", "p", "yes", "p: \"yes\"\n"},
		{"yaml", "p: old\n", "p", "1234", "p: \"1234\"\n"},
		{"yaml", "p: 1234\n", "p", "new", "p: new\n"},
		{"yaml", "p:\nq: 1\n", "p", "new", "p: \"new\"\nq: 1\n"},
		{"yaml", "p: ~\r\nq: 1\r\n", "p", "new", "p: \"new\"\r\nq: 1\r\n"},
		{"yaml", "env:\n  - name: A\n    value: old\n", "env.0.value", "new", "env:\n  - name: A\n    value: new\n"},
		{"yaml", "a: {b: c, d: 'e'}\n", "a.d", "new", "a: {b: c, d: 'new'}\n"},
		{"yaml", "a:\n  b: c\n", "a.k", "new", "a:\n  k: \"new\"\n  b: c\n"},
		{"yaml", "- b: c\n", "0.k", "new", "- k: \"new\"\n  b: c\n"},
		{"yaml", "a: {}\n", "a.n", "new", "a: {\"n\": \"new\"}\n"},
		{"yaml", "", "n", "new", "\"n\": \"new\"\n"},
		{"raw", "old\n", "", "new", "new\n"},
		{"raw", "old", "", "new", "new"},
		{"raw", "", "", "new", "new"},
		{"raw", "-----BEGIN\nx\n", "", "a\nb", "a\nb\n"},
	} {
		f := formats(c.kind)
		got, err := edit(f, c.text, c.slot, c.value, false)
		if err != nil || got != c.want {
			t.Errorf("%s %q: %s:\n got %q\nwant %q (%v)", c.kind, c.text, c.slot, got, c.want, err)
			continue
		}
		if again, err := edit(f, got, c.slot, c.value, false); err != nil || again != got {
			t.Errorf("%s %q: a second time it is %q, %v", c.kind, c.text, again, err)
		}
		all, err := read(f, c.text)
		if err != nil {
			t.Fatal(err)
		}
		if was := find(all, c.slot); was == nil {
			back, err := edit(f, got, c.slot, "", true)
			if err != nil || strings.TrimRight(back, "\r\n") != strings.TrimRight(c.text, "\r\n") && c.text != "" {
				t.Errorf("%s %q: taken away again it is %q, %v", c.kind, c.text, back, err)
			}
		} else if !was.none {
			if back, err := edit(f, got, c.slot, was.value, false); err != nil || find(must(read(f, back)), c.slot).value != was.value {
				t.Errorf("%s %q: given back it is %q, %v", c.kind, c.text, back, err)
			}
		}
	}
}

func must(all []entry, err error) []entry {
	if err != nil {
		panic(err)
	}
	return all
}

// TestWhatCannotBeHeldIsRefused: before anything is written, in words that quote nothing.
func TestWhatCannotBeHeldIsRefused(t *testing.T) {
	for _, c := range []struct{ kind, text, slot, value, says string }{
		{"dotenv", "A=1\n", "A", "a\nhunter2", "line break"},
		{"dotenv", "A=1\n", "A", "hunter2'\"", "every reader reads the same"},
		{"dotenv", "A=1\nA=2\n", "A", "hunter2", "twice"},
		{"dotenv", "A=\"${B}\"\n", "A", "hunter2", "differently"},
		{"dotenv", "A='hunter2\n", "A", "x", "line 1: the quote is not closed"},
		{"dotenv", "X=1\nhunter2\n", "A", "x", "line 2 is no NAME=value"},
		{"dotenv", "A=1\n", "a b", "hunter2", "not a name of a variable"},
		{"ini", "[a]\nx=1\n", "b.x", "hunter2", "there is no section [b]"},
		{"ini", "x=1\n", "x", "hunter2 # x", "comment sign"},
		{"ini", "x=1\n  hunter2\n", "x", "y", "line 2 is no key"},
		{"json", "{\"a\": {\"b\": 1}}", "a", "hunter2", "object with keys"},
		{"json", "{\"a\": 1}", "a", "hunter2", "number"},
		{"json", "{\"a\": \"x\", \"a\": \"y\"}", "a", "hunter2", "twice"},
		{"json", "{\n\"a\": \"hunter2\"\n\"b\": 1}", "a", "x", "not JSON, from line"},
		{"json", "[\"x\"]", "b", "hunter2", "not an object"},
		{"json", "{\"x\": \"y\"}", "a.b", "hunter2", "there is no object a"},
		{"yaml", "p: |\n  x\n", "p", "hunter2", "block"},
		{"yaml", "a: &x old\np: *x\n", "p", "hunter2", "alias"},
		{"yaml", "a: &x old\np: *x\n", "a", "hunter2", "anchor"},
		{"yaml", "p: hunter2: x\n", "p", "x", "not YAML"},
		{"yaml", "p: x\n---\np: y\n", "p", "hunter2", "several documents"},
		{"yaml", "p: old\n  and more\n", "p", "hunter2", "in one line"},
		{"yaml", "p: x\np: y\n", "p", "hunter2", "twice"},
		{"raw", "x", "", "hunter2\n", "reads otherwise"},
		{"dotenv", "A=\xff\n", "A", "x", "UTF-8"},
		{"dotenv", "A=1\n", "A", "", "empty"},
	} {
		got, err := edit(formats(c.kind), c.text, c.slot, c.value, false)
		if err == nil || got != "" || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s %q: %s: want %q: %q, %v", c.kind, c.text, c.slot, c.says, got, err)
		}
	}
}

// FuzzEdit: whatever a file looks like, an edit is exact or refused.
func FuzzEdit(f *testing.F) {
	for _, text := range []string{"A=1\nB='x'\n", "[a]\nA = 1\n", `{"A": "x", "b": ["c"]}`, "A: x\nb:\n  - c: 'd'\n", "- A: &x 1\n- *x\n"} {
		f.Add(text, "A", "new")
	}
	f.Fuzz(func(t *testing.T, text, slot, value string) {
		for _, kind := range []string{"dotenv", "ini", "json", "yaml", "raw"} {
			format := formats(kind)
			name := slot
			if kind == "raw" {
				name = rawName
			}
			got, err := edit(format, text, name, value, false)
			if err != nil {
				continue
			}
			if e := find(must(read(format, got)), name); e == nil || e.value != value {
				t.Fatalf("%s: %q holds something else", kind, got)
			}
			if gone, err := edit(format, got, name, "", true); err == nil && find(must(read(format, gone)), name) != nil {
				t.Fatalf("%s: %q still has it", kind, gone)
			}
		}
	})
}
