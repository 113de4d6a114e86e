package estate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"rekey/internal/sop"
)

// named is a setting that names something outside of rekey.yaml: of several, one that
// is set is enough.
type named struct {
	title string // "password of rabbit"
	refs  []string
}

// involved are the vendors that these credentials need, those included that are only
// asked for a secret of another.
func involved(config *sop.Config, specs []sop.Spec) (out []string) {
	var add func(name string)
	add = func(name string) {
		v, known := config.Vendors[name]
		if !known || slices.Contains(out, name) {
			return
		}
		out = append(out, name)
		for _, n := range settingsOf(name, v.Settings) {
			for _, r := range n.refs {
				if kind, which, rest, ok := sop.Ref(r).Vendor(); ok {
					add(asked(config, kind, which, rest))
				}
			}
		}
	}
	for _, s := range specs {
		add(s.Issuer.Vendor)
		for _, p := range s.Stores() {
			add(p.Vendor)
		}
		for _, c := range s.Consumers {
			add(c.Vendor)
		}
		for _, p := range s.Validate {
			add(p.Vendor)
		}
		for _, c := range s.Verify {
			add(c.Vendor)
		}
	}
	return out
}

// asked is the vendor that a reference means; "" where lint has told that it means none.
func asked(config *sop.Config, kind, name, rest string) string {
	if name != "" {
		return name
	}
	if first, _, ok := strings.Cut(rest, ":"); ok && config.Vendors[first].Type == kind {
		return first
	}
	for _, n := range slices.Sorted(maps.Keys(config.Vendors)) {
		if config.Vendors[n].Type == kind {
			return n
		}
	}
	return ""
}

// settingsOf are the references among a vendor's settings, whatever type it is of: each
// driver has settings of its own, and every one of them is missed where it is not set.
func settingsOf(vendor string, settings json.RawMessage) (out []named) {
	var all map[string]any
	if json.Unmarshal(settings, &all) != nil {
		return nil // lint tells it
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		var list []string
		switch v := all[key].(type) {
		case string:
			list = []string{v}
		case []any:
			for _, x := range v {
				if s, ok := x.(string); ok {
					list = append(list, s)
				}
			}
		case map[string]any:
			b, _ := json.Marshal(v)
			for _, n := range settingsOf(vendor, b) {
				out = append(out, named{key + "." + n.title, n.refs})
			}
		}
		if len(list) > 0 && !slices.ContainsFunc(list, func(s string) bool { return sop.Ref(s).Check() != nil }) {
			out = append(out, named{key + " of " + vendor, list})
		}
	}
	return out
}

// drivers tells of the programs that are drivers whether each is there and is the one
// that rekey.yaml names: what a run looks at before it starts one.
func drivers(config *sop.Config, specs []sop.Spec) (out []Finding) {
	for _, name := range involved(config, specs) {
		v := config.Vendors[name]
		if v.Described == nil || config.Simulate != "" {
			continue
		}
		var own struct{ Command, SHA256 string }
		if json.Unmarshal(v.Settings, &own) != nil {
			continue // lint tells it
		}
		missing := func(what, then string) {
			out = append(out, Finding{"tools", own.Command + ", the driver of " + name + ", " + what, false, then})
		}
		sum, err := sumOf(own.Command)
		_, notRun := exec.LookPath(own.Command)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing("is not there", "install it, or fix command in rekey.yaml")
		case err != nil:
			missing("cannot be read", "let whoever runs Rekey read it")
		case notRun != nil:
			missing("cannot be run", "chmod +x it")
		case sum != own.SHA256:
			missing("is not the one that rekey.yaml names: its SHA-256 is "+sum, "put back the one that was tried, or describe this one again and write its sum under sha256")
		default:
			out = append(out, Finding{"tools", own.Command + " is the driver of " + name + " that rekey.yaml names", true, ""})
		}
	}
	return out
}

// sumOf is the SHA-256 of a file, in hexadecimal.
func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
