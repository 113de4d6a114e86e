// Command example is a driver in Go: a consumer that reads one file for each slot from a folder.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"rekey/driver"
)

const description = `{"protocol":1,"name":"folder","title":"Folder","connection":{"type":"object","properties":{}},
"consumer":{"id":"path","piecewise":true,"settings":{"type":"object","required":["path"],
"properties":{"path":{"type":"string","pattern":"^/","description":"The folder, from the root."}}}}}`

var slotName = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

func main() {
	driver.Main(os.Stdin, os.Stdout, json.RawMessage(description), map[string]driver.Operation{
		"snapshot": func(_ context.Context, q driver.Question) (any, error) {
			slots, err := held(q)
			return map[string]any{"slots": slots}, err
		},
		"progress": func(_ context.Context, q driver.Question) (any, error) {
			slots, err := held(q)
			return map[string]any{"class": "done", "slots": slots}, err
		},
		"write": write,
	})
}

// folder is where the slots are; a name of a slot leads nowhere else.
func folder(q driver.Question, slots ...string) (string, error) {
	var s struct{ Path string }
	if err := json.Unmarshal(q.Settings, &s); err != nil || !filepath.IsAbs(s.Path) {
		return "", &driver.Error{Class: "refused", Why: "path: want a folder, from the root"}
	}
	for _, n := range slots {
		if !slotName.MatchString(n) {
			return "", &driver.Error{Class: "refused", Why: "a slot's name has letters, digits and _ only"}
		}
	}
	if _, err := os.Stat(s.Path); errors.Is(err, fs.ErrNotExist) {
		return "", &driver.Error{Class: "absent", Why: "there is no such folder"}
	}
	return s.Path, nil
}

func held(q driver.Question) (map[string]driver.Held, error) {
	dir, err := folder(q, q.Slots...)
	if err != nil {
		return nil, err
	}
	out := map[string]driver.Held{}
	for _, n := range q.Slots {
		b, err := os.ReadFile(filepath.Join(dir, n))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		out[n] = driver.Held{Present: err == nil, Value: driver.NewSecret(string(b))}
	}
	return out, nil
}

func write(_ context.Context, q driver.Question) (any, error) {
	for _, v := range q.Values {
		dir, err := folder(q, v.Slot)
		if err != nil {
			return nil, err
		}
		path := filepath.Join(dir, v.Slot)
		if v.Value == nil {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			continue
		}
		// Beside it and renamed: a reader sees the old value or the new one, whole.
		if err := os.WriteFile(path+".new", []byte(v.Value.Reveal()), 0o600); err != nil {
			return nil, err
		}
		if err := os.Rename(path+".new", path); err != nil {
			return nil, err
		}
	}
	return nil, nil
}
