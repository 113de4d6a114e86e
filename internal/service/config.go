package service

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"rekey/internal/api"
	"rekey/internal/sop"
)

// Configuration is rekey.yaml as it is in use: the last version of the file that had no
// mistake. It never writes the file.
type Configuration struct {
	file string
	load func(file string) (*sop.Config, error)
	now  func() time.Time
	log  *slog.Logger
	// take is given every new version, and refuses what cannot be changed while the service
	// runs.
	take func(*sop.Config) error

	// One reads at a time. Meanwhile everybody uses what is there: a file on a disk that has
	// stopped answering holds nothing up.
	reading sync.Mutex
	taken   string      // what was found when it was taken or refused last: a sum, or why it cannot be read
	found   string      // what the last look found
	stat    os.FileInfo // at that look

	mu      sync.Mutex
	config  *sop.Config
	loaded  time.Time
	wrong   error // why that is not in use; nil: it is
	wrongAt time.Time
}

// maxFile bounds what is read of the file to see whether it is another one.
const maxFile = 64 << 20

// Configure reads the file for the first time, which has to be without mistakes.
func Configure(file string, load func(string) (*sop.Config, error), now func() time.Time, log *slog.Logger) (*Configuration, error) {
	c := &Configuration{file: file, load: load, now: now, log: log, take: func(*sop.Config) error { return nil }}
	sum, stat, err := c.look()
	if err != nil {
		return nil, err
	}
	config, err := load(file)
	if err != nil {
		return nil, err
	}
	c.config, c.loaded, c.taken, c.found, c.stat = config, now(), sum, sum, stat
	return c, nil
}

// look tells what is in the file now.
func (c *Configuration) look() (sum string, stat os.FileInfo, err error) {
	if stat, err = os.Stat(c.file); err != nil {
		return "", nil, err
	}
	if !stat.Mode().IsRegular() && !stat.IsDir() { // opening a pipe waits for whoever writes
		return "", nil, fmt.Errorf("read %s: it is not a file", c.file)
	}
	f, err := os.Open(c.file)
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = f.Close() }()
	if stat, err = f.Stat(); err != nil {
		return "", nil, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, maxFile)); err != nil {
		return "", nil, err
	}
	return string(h.Sum(nil)), stat, nil
}

// Now is what is in use.
func (c *Configuration) Now() *sop.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.config
}

// Watch reads the file again whenever it has changed, until ctx is done. A file that is
// replaced, and one in a checkout whose folder is, are seen as well: it is opened anew by
// its path each time.
func (c *Configuration) Watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			// Times of files are coarse, and some tools set them back: now and then what is in
			// it is looked at whatever they say.
			c.Reload(n%10 == 0)
		}
	}
}

// Reload reads the file again if it has changed, or whatever its time says. What is otherwise
// is taken once two looks in a row have found the same: whoever is at it may have written the
// half of it, which is often without a mistake, or have moved the old one away first.
func (c *Configuration) Reload(whole bool) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if stat, err := os.Stat(c.file); err == nil && !whole && c.found == c.taken && c.stat != nil && os.SameFile(stat, c.stat) && stat.ModTime().Equal(c.stat.ModTime()) && stat.Size() == c.stat.Size() {
		return
	}
	was := c.found
	sum, stat, err := c.look()
	c.found, c.stat = sum, stat
	if err != nil {
		c.found = err.Error()
	}
	if c.found == c.taken || c.found != was {
		return
	}
	c.taken = c.found
	if err != nil {
		c.refuse(err)
		return
	}
	config, err := c.load(c.file)
	if err == nil {
		err = c.same(config)
	}
	if err == nil {
		err = c.take(config)
	}
	if err != nil {
		c.refuse(err)
		return
	}
	c.mu.Lock()
	c.config, c.loaded, c.wrong, c.wrongAt = config, c.now(), nil, time.Time{}
	c.mu.Unlock()
	c.log.Info("rekey.yaml was read again", "file", c.file, "credentials", len(config.Specs))
}

// same refuses what cannot be changed while the service runs.
func (c *Configuration) same(config *sop.Config) error {
	now := c.Now()
	switch {
	case config.Journal != now.Journal:
		return errors.New("journal has changed: that takes effect after a restart")
	case config.Database != now.Database:
		return errors.New("database has changed: that takes effect after a restart")
	case (config.Simulate == "") != (now.Simulate == ""):
		return errors.New("simulate has changed: that takes effect after a restart")
	}
	return nil
}

// refuse notes and logs why the newest version is not in use.
func (c *Configuration) refuse(err error) {
	c.mu.Lock()
	c.wrong, c.wrongAt = err, c.now()
	c.mu.Unlock()
	for _, line := range mistakes(err) {
		c.log.Error("rekey.yaml has mistakes, and the previous version stays in use", "file", c.file, "mistake", line, "since", c.loaded)
	}
}

// mistakes are the lines of an error: one for each mistake of a file.
func mistakes(err error) (out []string) {
	if problems, is := errors.AsType[sop.Problems](err); is {
		for _, p := range problems {
			out = append(out, p.String())
		}
		return out
	}
	return []string{err.Error()}
}

// Told is what the API and the console tell of it.
func (c *Configuration) Told() api.Configured {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := api.Configured{File: filepath.Base(c.config.File), Simulate: c.config.Simulate, Loaded: c.loaded, Enforced: c.config.Identity != nil, Credentials: c.config.Specs}
	for name := range c.config.Vendors {
		out.Vendors = append(out.Vendors, name)
	}
	slices.Sort(out.Vendors)
	if c.wrong != nil {
		out.Wrong, out.WrongAt = mistakes(c.wrong), c.wrongAt
		if problems, is := errors.AsType[sop.Problems](c.wrong); is {
			out.Mistakes = problems
		}
	}
	return out
}

// Mistakes are those of the newest version; none: it is in use.
func (c *Configuration) Mistakes() []string { return c.Told().Wrong }
