// Package drivertool is what a maker of a driver outside works with: what a driver says of itself, the whole conformance suite on it, and an example to begin with.
package drivertool

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"rekey/internal/outside"
	"rekey/internal/provider/external"
	"rekey/internal/providertest"
)

// Line is one thing that the suite has to tell.
type Line = providertest.Line

// What a Line is.
const (
	Found   = providertest.Found   // a mistake
	Passed  = providertest.Passed  // the end of a part without one
	Broken  = providertest.Broken  // the end of a part with one
	Skipped = providertest.Skipped // it was not tried
)

// Described is what a driver says of itself, as it is kept beside rekey.yaml, and the
// sum by which it is pinned.
type Described struct {
	Text   []byte // JSON
	SHA256 string
}

// Describe starts a driver and asks it. The error says what is wrong with its answer.
func Describe(ctx context.Context, program string) (Described, error) {
	path, sum, err := whole(program)
	if err != nil {
		return Described{}, err
	}
	d, err := external.Ask(ctx, outside.Real{}, path)
	if err != nil {
		return Described{}, err
	}
	b, err := json.MarshalIndent(d, "", "  ")
	return Described{append(b, '\n'), sum}, err
}

// whole is the path of a program from the root, and its sum.
func whole(program string) (path, sum string, err error) {
	if path, err = filepath.Abs(program); err != nil {
		return "", "", err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", "", err
	}
	s := sha256.Sum256(b)
	return path, hex.EncodeToString(s[:]), nil
}

// Trial is what a driver is tried with: a file beside it.
type Trial struct {
	Connection map[string]any            `json:"connection"`          // as under vendors; ${NAME} is filled in from the world
	Issuers    map[string]map[string]any `json:"issuers,omitempty"`   // settings by kind
	Store      map[string]any            `json:"store,omitempty"`     // settings
	Consumer   map[string]any            `json:"consumer,omitempty"`  // settings
	Slots      []string                  `json:"slots,omitempty"`     // that are there and have values
	Refer      string                    `json:"refer,omitempty"`     // a reference that leads to a value
	World      []string                  `json:"world"`               // program, and its arguments, that makes a fresh world in the folder $DIR and prints its variables as one JSON object
	Printable  []string                  `json:"printable,omitempty"` // variables that are not secret
}

// Test runs the conformance suite on a driver. with is the file of its Trial; "":
// the driver's own path with .test.json. tell is called for one line at a time. It
// reports whether the driver passed.
func Test(ctx context.Context, program, with string, tell func(Line)) (bool, error) {
	path, sum, err := whole(program)
	if err != nil {
		return false, err
	}
	if with == "" {
		with = path + ".test.json"
	}
	b, err := os.ReadFile(with)
	if err != nil {
		return false, fmt.Errorf("what to try it with: %w", err)
	}
	var trial Trial
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&trial); err != nil {
		return false, fmt.Errorf("%s: %w", with, err)
	}
	if len(trial.World) == 0 {
		return false, fmt.Errorf("%s: world is missing: a program that makes a fresh world for each case", with)
	}
	d, err := external.Ask(ctx, outside.Real{}, path)
	if err != nil {
		return false, err
	}
	h, err := trial.harness(d, path, sum, filepath.Dir(with))
	if err != nil {
		return false, err
	}
	r := providertest.NewReport(ctx, tell)
	r.Run(d.Name, func(r *providertest.Report) { providertest.Run(r, h) })
	return !r.Failed(), nil
}

func (x Trial) harness(d external.Description, path, sum, dir string) (providertest.Harness, error) {
	h := providertest.Harness{Vendor: external.Descriptor(d), Issuers: map[string]string{}, Slots: x.Slots, Refer: x.Refer, Sample: true}
	connection := map[string]any{"command": path, "sha256": sum}
	for k, v := range x.Connection {
		connection[k] = v
	}
	var errs []error
	text := func(v any) string {
		b, err := json.Marshal(v)
		errs = append(errs, err)
		return string(b)
	}
	h.Connection = text(connection)
	for kind, s := range x.Issuers {
		h.Issuers[kind] = text(s)
	}
	if x.Store != nil {
		h.Store = text(x.Store)
	}
	if x.Consumer != nil {
		h.Consumer = text(x.Consumer)
	}
	h.Double = func(t providertest.T) *providertest.Double { return x.world(t, dir) }
	return h, errors.Join(errs...)
}

// world makes a fresh world: its program prints its variables.
func (x Trial) world(t providertest.T, dir string) *providertest.Double {
	t.Helper()
	here := t.TempDir()
	program := x.World[0]
	if strings.Contains(program, "/") && !filepath.IsAbs(program) {
		program = filepath.Join(dir, program)
	}
	e, err := outside.Real{}.Exec(t.Context(), outside.Command{Path: program, Args: x.World[1:], Dir: here, Env: []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "DIR=" + here}})
	if err != nil || e.Exit != 0 {
		t.Fatalf("the world's program %s: status %d: %v", program, e.Exit, err)
	}
	env := map[string]string{}
	if err := external.Variables(e, &env); err != nil {
		t.Fatalf("the world's program %s does not print a JSON object of strings: %v", program, err)
	}
	env["DIR"] = here
	return &providertest.Double{Ways: outside.Real{}, Env: env, Printable: append([]string{"DIR"}, x.Printable...)}
}
