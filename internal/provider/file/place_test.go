package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// hooked are this machine's ways, which a test may be in.
type hooked struct {
	outside.Real
	read    func(path string) error
	replace func(path string) error
	exec    func(c outside.Command) (outside.Ended, error, bool)
}

func (h *hooked) Files() outside.Files { return hookedFiles{h.Real.Files(), h} }

func (h *hooked) Exec(ctx context.Context, c outside.Command) (outside.Ended, error) {
	if h.exec != nil {
		if e, err, mine := h.exec(c); mine {
			return e, err
		}
	}
	return h.Real.Exec(ctx, c)
}

type hookedFiles struct {
	outside.Files
	h *hooked
}

func (f hookedFiles) Read(path string, limit int64) (outside.File, error) {
	if f.h.read != nil {
		if err := f.h.read(path); err != nil {
			return outside.File{}, err
		}
	}
	return f.Files.Read(path, limit)
}

func (f hookedFiles) Replace(path string, file outside.File) error {
	if f.h.replace != nil {
		if err := f.h.replace(path); err != nil {
			return err
		}
	}
	return f.Files.Replace(path, file)
}

func vendor(t *testing.T, ways outside.Ways) *machine {
	t.Helper()
	v, err := Descriptor.Open(provider.Env{Outside: ways, Now: time.Now}, "file", json.RawMessage(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	return v.(*machine)
}

func opened[T any](t *testing.T, open func(json.RawMessage) (T, error), settings string, args ...any) T {
	t.Helper()
	x, err := open(json.RawMessage(fmt.Sprintf(settings, args...)))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func wrote(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func set(slot, value string) []provider.SlotValue {
	return []provider.SlotValue{{Slot: slot, Value: secret.New(value)}}
}

// TestAStoreRemembers: values, versions that grow by one, earlier ones that can be read,
// mode kept, a link that stays, and what is kept is its owner's alone and not for ever.
func TestAStoreRemembers(t *testing.T) {
	dir := t.TempDir()
	path, link, keep := filepath.Join(dir, "real"), filepath.Join(dir, "a.env"), filepath.Join(dir, "keep")
	wrote(t, path, "# c\nA=one\nB=2\n")
	if err := errors.Join(os.Symlink(path, link), os.Mkdir(keep, 0o700)); err != nil {
		t.Fatal(err)
	}
	s := opened(t, vendor(t, outside.Real{}).Store, `{"path":%q,"keep":%q}`, link, keep)
	held, err := s.Read(t.Context(), []string{"A", "C"})
	if err != nil || held["A"].Value.Reveal() != "one" || held["A"].Version != "1" || held["C"].Present {
		t.Fatalf("%v %v", held["A"].Version, err)
	}
	if err := s.History(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	for i, v := range []string{"two", "two", "three", "four", "five", "six"} {
		after, err := s.Write(t.Context(), append(set("A", v), set("C", "c")...))
		want := fmt.Sprint(max(2, i+1))
		if err != nil || after["A"].Value.Reveal() != v || after["A"].Version != want {
			t.Fatalf("%s: version %s, want %s: %v", v, after["A"].Version, want, err)
		}
	}
	if got := text(t, path); got != "# c\nA=six\nB=2\nC=c\n" {
		t.Errorf("%q", got)
	}
	for version, want := range map[string]string{"6": "six", "5": "five", "3": "three", "2": "", "1": "", "7": "", "x": "", "": ""} {
		v, err := s.ReadVersion(t.Context(), "A", version)
		if want == "" && cred.ClassOf(err) != cred.Absent || want != "" && (err != nil || v.Reveal() != want) {
			t.Errorf("version %s: %q, %v", version, v.Reveal(), err)
		}
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Error("the link was replaced")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Error("the mode was not kept")
	}
	kept, _ := os.ReadDir(keep)
	for _, k := range kept {
		if info, err := k.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s can be read by others", k.Name())
		}
	}
	if len(kept) != remembered+1 {
		t.Errorf("kept: %v", kept)
	}
	if err := s.Remove(t.Context(), []string{"C", "none", "C"}); err != nil || text(t, path) != "# c\nA=six\nB=2\n" {
		t.Errorf("%q %v", text(t, path), err)
	}
	// Somebody's editor is a version too, so a run sees that there was one in between.
	wrote(t, path, "A=theirs\n")
	if held, err = s.Read(t.Context(), []string{"A"}); err != nil || held["A"].Version != "8" {
		t.Errorf("%s %v", held["A"].Version, err)
	}
	none := opened(t, vendor(t, outside.Real{}).Store, `{"path":%q}`, link)
	if err := none.History(t.Context(), held); cred.ClassOf(err) != cred.Refused || !strings.Contains(err.Error(), "keep") {
		t.Error(err)
	}
}

// TestKilledAtEveryCall: wherever a write dies, the file is the old or the new one whole,
// and who comes after reads the old value under its version.
func TestKilledAtEveryCall(t *testing.T) {
	killed := errors.New("killed")
	outcomes := map[string]int{}
	for at := 1; ; at++ {
		dir := t.TempDir()
		path, keep := filepath.Join(dir, "a.env"), filepath.Join(dir, "keep")
		wrote(t, path, "A=one\nB=2\n")
		if err := os.Mkdir(keep, 0o700); err != nil {
			t.Fatal(err)
		}
		settings := fmt.Sprintf(`{"path":%q,"keep":%q}`, path, keep)
		calls, dead := 0, false
		die := func(string) error {
			if calls++; calls >= at {
				dead = true
				return killed
			}
			return nil
		}
		h := &hooked{read: die, replace: die}
		s := opened(t, vendor(t, h).Store, "%s", settings)
		_, err := s.Write(t.Context(), set("A", "two"))
		if !dead {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		got := text(t, path)
		outcomes[got]++
		after := opened(t, vendor(t, outside.Real{}).Store, "%s", settings)
		held, err := after.Read(t.Context(), []string{"A"})
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case got == "A=one\nB=2\n" && held["A"].Version == "1":
		case got == "A=two\nB=2\n" && held["A"].Version == "2":
		default:
			t.Errorf("killed at call %d: %q is version %s", at, got, held["A"].Version)
		}
		if v, err := after.ReadVersion(t.Context(), "A", "1"); err != nil || v.Reveal() != "one" {
			t.Errorf("killed at call %d: version 1 is %q, %v", at, v.Reveal(), err)
		}
		if after, err := after.Write(t.Context(), set("A", "two")); err != nil || after["A"].Version != "2" {
			t.Errorf("killed at call %d, and written again: version %s, %v", at, after["A"].Version, err)
		}
	}
	if len(outcomes) != 2 || outcomes["A=one\nB=2\n"] < 5 || outcomes["A=two\nB=2\n"] < 2 {
		t.Errorf("%v", outcomes)
	}
}

// TestEditsOfOthersAreNoticed: of the same slot, and of the file at the very moment; an
// edit of something else before is kept.
func TestEditsOfOthersAreNoticed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.env")
	wrote(t, path, "A=one\nB=2\n")
	h := &hooked{}
	c := opened(t, vendor(t, h).Consumer, `{"path":%q}`, path).(*consumer)
	look := func() {
		if _, err := c.Snapshot(t.Context(), []string{"A"}); err != nil {
			t.Fatal(err)
		}
	}
	look()
	wrote(t, path, "A=one\nB=theirs\n")
	if err := c.Write(t.Context(), set("A", "two")); err != nil || text(t, path) != "A=two\nB=theirs\n" {
		t.Errorf("%q %v", text(t, path), err)
	}
	wrote(t, path, "A=theirs\nB=2\n")
	if err := c.Write(t.Context(), set("A", "three")); cred.ClassOf(err) != cred.Foreign || cred.MayHaveHappened(err) || text(t, path) != "A=theirs\nB=2\n" {
		t.Errorf("%q %v", text(t, path), err)
	}
	look()
	reads := 0
	h.read = func(string) error {
		if reads++; reads == 2 {
			wrote(t, path, "A=theirs\nB=3\n")
		}
		return nil
	}
	if err := c.Write(t.Context(), set("A", "three")); cred.ClassOf(err) != cred.Conflict || cred.MayHaveHappened(err) || text(t, path) != "A=theirs\nB=3\n" {
		t.Errorf("%q %v", text(t, path), err)
	}
}

// TestWhatTheFileSystemRefusesIsTold: each in words, with the class that is true, and
// the old file still there.
func TestWhatTheFileSystemRefusesIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.env")
	for says, c := range map[string]struct {
		err   error
		class cred.Class
		maybe bool
	}{
		"no space is left":          {syscall.ENOSPC, cred.Refused, false},
		"read-only":                 {syscall.EROFS, cred.Refused, false},
		"this user may not":         {fs.ErrPermission, cred.Denied, false},
		"mount its folder":          {syscall.EBUSY, cred.Refused, false},
		"the old file is unchanged": {errors.New("hunter2"), cred.Unsent, false},
		"not known":                 {outside.ErrUnsure, cred.Unknown, true},
		"it is not a regular file":  {outside.ErrNotRegular, cred.Unsent, false},
		"leads nowhere":             {fs.ErrNotExist, cred.Absent, false},
		"this is a simulation, ":    {outside.ErrClosed, cred.Unsent, false},
	} {
		wrote(t, path, "A=one\n")
		k := opened(t, vendor(t, &hooked{replace: func(string) error { return &fs.PathError{Op: "x", Path: path, Err: c.err} }}).Consumer, `{"path":%q}`, path)
		err := k.Write(t.Context(), set("A", "hunter2"))
		if cred.ClassOf(err) != c.class || cred.MayHaveHappened(err) != c.maybe || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter2") || text(t, path) != "A=one\n" {
			t.Errorf("want %s %q: %v", c.class, says, err)
		}
	}
	if os.Geteuid() != 0 {
		if err := os.Chmod(filepath.Dir(path), 0o500); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Chmod(filepath.Dir(path), 0o700) }()
		if err := opened(t, vendor(t, outside.Real{}).Consumer, `{"path":%q}`, path).Write(t.Context(), set("A", "x")); cred.ClassOf(err) != cred.Denied {
			t.Error(err)
		}
	}
}

// TestASimulationTouchesNothing: no file is read, written or run.
func TestASimulationTouchesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.env")
	wrote(t, path, "A=one\n")
	v := vendor(t, nil)
	s := opened(t, v.Store, `{"path":%q,"keep":%q}`, path, filepath.Dir(path))
	c := opened(t, v.Consumer, `{"path":%q,"units":["web.service"]}`, path).(*consumer)
	_, read := s.Read(t.Context(), []string{"A"})
	_, write := s.Write(t.Context(), set("A", "two"))
	_, snapshot := c.Snapshot(t.Context(), []string{"A"})
	for what, err := range map[string]error{"read": read, "write": write, "snapshot": snapshot, "apply": c.Apply(t.Context(), nil), "consumer": c.Write(t.Context(), set("A", "two"))} {
		if cred.ClassOf(err) != cred.Unsent || !strings.Contains(err.Error(), "simulation") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if text(t, path) != "A=one\n" {
		t.Error("it was written")
	}
}

// TestSettingsThatProveNothingAreRefused when the place is opened.
func TestSettingsThatProveNothingAreRefused(t *testing.T) {
	v := vendor(t, nil)
	for settings, says := range map[string]string{
		`{"path":"a.env"}`:                                                               "from the root",
		`{"path":"/a"}`:                                                                  "set format",
		`{"path":"/a.env","mode":"9"}`:                                                   "octal",
		`{"path":"/a.env","units":["a"],"command":["b"]}`:                                "give one",
		`{"path":"/a.env","reload":true}`:                                                "none is named",
		`{"path":"/a.env","units":["a"],"reload":true}`:                                  "give check",
		`{"path":"/a.env","units":["--now"]}`:                                            "names of units",
		`{"path":"/a.env","environment":true}`:                                           "whose environment",
		`{"path":"/a.env","command":["a"]}`:                                              "nothing would prove",
		`{"path":"/a.env","command":["a"],"pidfiles":["pid"]}`:                           "from the root",
		`{"path":"/a.env","units":["a"],"reload":true,"check":["c"],"environment":true}`: "leave environment out",
	} {
		if _, err := v.Consumer(json.RawMessage(settings)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: want %q: %v", settings, says, err)
		}
	}
	if _, err := v.Store(json.RawMessage(`{"path":"/a.env","keep":"k"}`)); err == nil {
		t.Error("a relative folder was taken")
	}
}

// TestASlotThatCannotBeMadeIsToldWhenItIsRead: the first write would tell it too, but
// then a credential has been made already, and a repair is stuck.
func TestASlotThatCannotBeMadeIsToldWhenItIsRead(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ name, text, slot, problem string }{
		{"empty.yaml", "", "cf.TOKEN", "there is no object cf for it"},
		{"other.json", `{"a": 1}`, "cf.TOKEN", "there is no object cf for it"},
		{"list.yaml", "- a\n", "TOKEN", "it is not an object with keys"},
		{"ready.yaml", "cf: {}\n", "cf.TOKEN", ""},
		{"there.yaml", "cf: {TOKEN: x}\n", "cf.TOKEN", ""},
		{"empty2.yaml", "", "TOKEN", ""},
		{"empty.env", "", "TOKEN", ""},
		{"empty.ini", "", "cf.TOKEN", "there is no section [cf]"},
		{"ready.ini", "[cf]\n", "cf.TOKEN", ""},
		{"empty.txt", "", "TOKEN", ""},
	} {
		path := filepath.Join(dir, c.name)
		wrote(t, path, c.text)
		format := ""
		if filepath.Ext(path) == ".txt" {
			format = `,"format":"raw"`
		}
		s := opened(t, vendor(t, outside.Real{}).Store, `{"path":%q`+format+`}`, path)
		held, err := s.Read(t.Context(), []string{c.slot})
		if err != nil || held[c.slot].Problem != c.problem {
			t.Errorf("%s: %q, %v", c.name, held[c.slot].Problem, err)
		}
		if _, err := s.Write(t.Context(), set(c.slot, "v")); (err == nil) != (c.problem == "") {
			t.Errorf("%s: what was told is not what happens: %v", c.name, err)
		}
		if text(t, path) != c.text && c.problem != "" {
			t.Errorf("%s was changed", c.name)
		}
	}
}
