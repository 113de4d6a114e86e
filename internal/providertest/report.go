package providertest

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// Report is a Test that tells what it finds to a function: how the program runs the
// suite on a driver that stands outside of it.
type Report struct {
	name   string
	tell   func(Line)
	ctx    context.Context
	stop   context.CancelFunc
	parent *Report

	mu      sync.Mutex
	failed  bool
	skipped bool
	cleanup []func()
}

// Line is one thing that the suite has to tell.
type Line struct {
	Test string // names joined by /
	Kind Kind
	Text string
	Took time.Duration // of Passed, Broken and Skipped
}

// Kind is what a Line is.
type Kind string

// The kinds of lines.
const (
	Found   Kind = "found"   // a mistake; Text says which
	Noted   Kind = "noted"   // worth knowing
	Passed  Kind = "passed"  // the end of a test without a mistake in it
	Broken  Kind = "failed"  // the end of a test with one
	Skipped Kind = "skipped" // it was not tried; Text says why
)

// NewReport returns a Report; tell is called for one Line at a time.
func NewReport(ctx context.Context, tell func(Line)) *Report {
	var mu sync.Mutex
	r := &Report{tell: func(l Line) {
		mu.Lock()
		defer mu.Unlock()
		tell(l)
	}}
	r.ctx, r.stop = context.WithCancel(ctx)
	return r
}

// Run runs a part on a goroutine of its own, so that Fatalf can end it.
func (r *Report) Run(name string, f func(*Report)) bool {
	sub := &Report{name: strings.TrimPrefix(r.name+"/"+strings.ReplaceAll(name, " ", "_"), "/"), tell: r.tell, parent: r}
	sub.ctx, sub.stop = context.WithCancel(r.ctx)
	begun, done := time.Now(), make(chan struct{})
	go func() {
		defer close(done)
		defer sub.end()
		defer func() {
			if p := recover(); p != nil {
				sub.Errorf("it panicked: %v\n%s", p, debug.Stack())
			}
		}()
		f(sub)
	}()
	<-done
	kind := Passed
	switch {
	case sub.Failed():
		kind = Broken
	case sub.skipped:
		kind = Skipped
	}
	if kind != Skipped {
		r.tell(Line{Test: sub.name, Kind: kind, Took: time.Since(begun)})
	}
	return !sub.Failed()
}

func (r *Report) end() {
	r.stop()
	for i := len(r.cleanup) - 1; i >= 0; i-- {
		r.cleanup[i]()
	}
}

// Errorf tells of a mistake.
func (r *Report) Errorf(format string, args ...any) {
	for t := r; t != nil; t = t.parent {
		t.mu.Lock()
		t.failed = true
		t.mu.Unlock()
	}
	r.tell(Line{Test: r.name, Kind: Found, Text: fmt.Sprintf(format, args...)})
}

// Fatalf is Errorf, and ends the part.
func (r *Report) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// Logf tells of what is worth knowing.
func (r *Report) Logf(format string, args ...any) {
	r.tell(Line{Test: r.name, Kind: Noted, Text: fmt.Sprintf(format, args...)})
}

// Skipf says why a part is not tried, and ends it.
func (r *Report) Skipf(format string, args ...any) {
	r.skipped = true
	r.tell(Line{Test: r.name, Kind: Skipped, Text: fmt.Sprintf(format, args...)})
	runtime.Goexit()
}

// Helper does nothing: a Line has no line number.
func (r *Report) Helper() {}

// Cleanup calls f after the part.
func (r *Report) Cleanup(f func()) { r.cleanup = append(r.cleanup, f) }

// Context ends with the part.
func (r *Report) Context() context.Context { return r.ctx }

// Failed reports whether a mistake was told, here or in a part of this.
func (r *Report) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// TempDir returns a folder that is gone after the part.
func (r *Report) TempDir() string {
	dir, err := os.MkdirTemp("", "rekey-driver-test-")
	if err != nil {
		r.Fatalf("no place for files: %v", err)
	}
	r.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
