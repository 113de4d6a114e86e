package estate

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// checkpointFindings tell of each file that checkpoints are sent to whether it can be written,
// by whoever runs this: a service often may not write beside rekey.yaml.
func (e *Estate) checkpointFindings() (out []Finding) {
	for _, s := range e.config.Evidence.Sinks {
		if s.File == "" {
			continue
		}
		path := s.File
		if !filepath.IsAbs(path) {
			path = filepath.Join(e.config.Dir, path)
		}
		if err := appendable(path); err != nil {
			out = append(out, Finding{"evidence", "no checkpoint can be written to " + s.Name + ": " + err.Error(), false,
				"name a place that whoever runs Rekey can write, under evidence.checkpoints, best on another machine's disk"})
			continue
		}
		out = append(out, Finding{"evidence", s.Name + " can be written", true, ""})
	}
	return out
}

// appendable leaves nothing behind, and changes nothing.
func appendable(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if os.IsNotExist(err) {
		if f, err = os.CreateTemp(filepath.Dir(path), ".rekey-doctor-*"); err == nil {
			defer func() { _ = os.Remove(f.Name()) }()
		}
	}
	if err != nil {
		if at, is := errors.AsType[*fs.PathError](err); is {
			return at.Err // the name is that of a probe
		}
		return err
	}
	return f.Close()
}
