// Package file is files of this machine as a store and as consumers: dotenv, JSON, YAML, INI or one value alone, and the processes that read them.
//
// A file is edited in place of one value: every other byte of it stays. What was
// written is parsed again before it replaces anything, so a value that the format
// cannot hold is refused and not written.
package file

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"rekey/internal/provider"
	"rekey/internal/sop"
)

//go:embed doc.md
var doc string

// Connection has no settings: files are this machine's.
type Connection struct{}

// Settings are those of a store, and of a consumer too.
type Settings struct {
	// Path of the file, from the root. Where it is a symbolic link, what it leads to is replaced.
	Path string `json:"path" jsonschema:"required,pattern=^(/|[A-Za-z]:)"`
	// How it holds values. Default: by its name (.env, .json, .yaml, .yml, .ini, .conf)
	Format string `json:"format,omitempty" jsonschema:"enum=dotenv,enum=json,enum=yaml,enum=ini,enum=raw"`
	// User to whom it belongs, by name or number. Default: to whom it does
	Owner string `json:"owner,omitempty"`
	// Group to which it belongs, by name or number. Default: to which it does
	Group string `json:"group,omitempty"`
	// Permissions, in octal: "0640". Default: those it has
	Mode string `json:"mode,omitempty" jsonschema:"pattern=^0?[0-7]{3}$"`
}

// StoreSettings are the settings of a store.
type StoreSettings struct {
	Settings
	// Folder that keeps what the file held before, readable by its owner only, for a run to go back to. Without it no run starts.
	Keep string `json:"keep,omitempty"`
}

// ConsumerSettings are the settings of a consumer.
type ConsumerSettings struct {
	Settings
	// Units of systemd that read the file when they start; they are restarted.
	Units []string `json:"units,omitempty"`
	// Reload the units instead of restarting them.
	Reload bool `json:"reload,omitempty"`
	// Program, and its arguments, that makes whoever reads the file read it again, instead of units.
	Command []string `json:"command,omitempty"`
	// Files with the numbers of the processes that read the file when they start.
	Pidfiles []string `json:"pidfiles,omitempty"`
	// The processes have the slots as variables of their environment, which proves what they hold.
	Environment bool `json:"environment,omitempty"`
	// Program, and its arguments, that ends with status 0 once what reads the file works with what it holds.
	Check []string `json:"check,omitempty"`
	// How long old processes may live on after new ones run. Default: 0s, with reload or command 30s
	Grace sop.Duration `json:"grace,omitempty"`
}

// Descriptor is files for the rest of the house.
var Descriptor = provider.Descriptor{
	Name:       "file",
	Title:      "Files",
	Connection: &Connection{},
	Store:      &StoreSettings{},
	StoreID:    "path",
	Consumer:   &ConsumerSettings{},
	ConsumerID: []string{"path"},
	Holds:      provider.Holding{Cost: "a restart or reload of who reads it", Applied: true},
	Doc:        doc,
	Open:       open,
}

// machine is this machine.
type machine struct {
	env  provider.Env
	name string
}

func open(env provider.Env, name string, settings json.RawMessage) (provider.Vendor, error) {
	var c Connection
	if err := json.Unmarshal(settings, &c); err != nil {
		return nil, fmt.Errorf("vendor %s: %w", name, err)
	}
	return &machine{env: env, name: name}, nil
}

// Close does nothing: no file is kept open.
func (*machine) Close(context.Context) {}

// Store returns one file with its history.
func (m *machine) Store(settings json.RawMessage) (provider.Store, error) {
	var s StoreSettings
	if err := json.Unmarshal(settings, &s); err != nil {
		return nil, err
	}
	if s.Keep != "" && !filepath.IsAbs(s.Keep) {
		return nil, errors.New("keep: want a path from the root")
	}
	p, err := m.place(s.Settings)
	if err != nil {
		return nil, err
	}
	return &store{place: p, keep: s.Keep}, nil
}

// Consumer returns one file with who reads it.
func (m *machine) Consumer(settings json.RawMessage) (provider.Consumer, error) {
	var s ConsumerSettings
	if err := json.Unmarshal(settings, &s); err != nil {
		return nil, err
	}
	p, err := m.place(s.Settings)
	if err != nil {
		return nil, err
	}
	for _, f := range s.Pidfiles {
		if !filepath.IsAbs(f) {
			return nil, errors.New("pidfiles: want paths from the root")
		}
	}
	for _, u := range s.Units {
		if u == "" || strings.HasPrefix(u, "-") {
			return nil, errors.New("units: want names of units, as web.service")
		}
	}
	processes := len(s.Units)+len(s.Pidfiles) > 0
	switch {
	case len(s.Units) > 0 && len(s.Command) > 0:
		return nil, errors.New("units and command are two ways to the same end: give one")
	case s.Reload && len(s.Units) == 0:
		return nil, errors.New("reload is of units, and none is named")
	case s.Reload && len(s.Check) == 0:
		return nil, errors.New("a reload keeps the process, so when it started proves nothing: give check")
	case s.Reload && s.Environment:
		return nil, errors.New("a reload does not change the environment of a process: restart it, or leave environment out")
	case s.Environment && !processes:
		return nil, errors.New("environment needs units or pidfiles: whose environment is meant?")
	case len(s.Command) > 0 && len(s.Pidfiles) == 0 && len(s.Check) == 0:
		return nil, errors.New("with command nothing would prove that anything uses the new one: give pidfiles or check")
	}
	return &consumer{place: p, s: s}, nil
}

// place prepares one file.
func (m *machine) place(s Settings) (*place, error) {
	if !filepath.IsAbs(s.Path) {
		return nil, errors.New("path: want a path from the root")
	}
	p := &place{machine: m, s: s}
	kind := s.Format
	if kind == "" {
		kind = byName(s.Path)
	}
	if p.format = formats(kind); p.format == nil {
		return nil, errors.New("the format cannot be told by its name: set format")
	}
	if s.Mode != "" {
		mode, err := strconv.ParseUint(s.Mode, 8, 32)
		if err != nil || mode > 0o777 {
			return nil, errors.New("mode: want permissions in octal, as 0640")
		}
		p.mode = uint32(mode)
	}
	return p, nil
}

var (
	_ provider.Stores   = (*machine)(nil)
	_ provider.Consumes = (*machine)(nil)
	_ provider.Store    = (*store)(nil)
	_ provider.Consumer = (*consumer)(nil)
	_ provider.Holder   = (*consumer)(nil)
	_ provider.Applier  = (*consumer)(nil)
)
