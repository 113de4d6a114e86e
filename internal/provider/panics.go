package provider

import (
	"runtime"
	"strconv"
	"strings"

	"rekey/internal/cred"
)

// EndOfProcess is a panic that stands for the end of the process, as simulations
// have it: nothing outlives that.
type EndOfProcess interface{ EndsProcess() }

// Survive makes an error of a panic: deferred around calls of vendors, so that a
// mistake in one of them ends neither the process nor the record of what was meant.
// Whatever it was doing may have happened. What was panicked with is told only where
// the runtime said it (an index, a nil pointer): anything else may hold a value.
func Survive(op string, err *error) {
	p := recover()
	if p == nil {
		return
	}
	if _, ends := p.(EndOfProcess); ends {
		panic(p)
	}
	why := "a bug in Rekey stopped it"
	if r, ok := p.(runtime.Error); ok {
		why += " (" + strings.TrimPrefix(r.Error(), "runtime error: ") + ")"
	}
	if at := place(); at != "" {
		why += " at " + at
	}
	*err = &cred.Error{Vendor: "rekey", Op: op, Class: cred.Unknown, Why: why}
}

// place is where a panic came from: the innermost function of this program.
func place() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		f, more := frames.Next()
		if name, ours := strings.CutPrefix(f.Function, "rekey/internal/"); ours && !strings.HasPrefix(name, "provider.Survive") {
			file := f.File[strings.LastIndexByte(f.File, '/')+1:]
			return file + ":" + strconv.Itoa(f.Line)
		}
		if !more {
			return ""
		}
	}
}
