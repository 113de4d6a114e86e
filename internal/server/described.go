package server

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// described writes figures of the library with what each is, which the library leaves out,
// and without those whose forms are none of Prometheus' (its promtool judges them in a test).
func described(w io.Writer, text *bytes.Buffer) {
	last := ""
	for line := range strings.Lines(text.String()) {
		name, _, _ := strings.Cut(family(line), " ")
		of, kind, help := kindOf(name)
		if of == "" {
			continue
		}
		if of != last {
			last = of
			_, _ = fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", of, help, of, kind)
		}
		_, _ = io.WriteString(w, line)
	}
}

// kindOf is what a figure is of; "": it is not told.
func kindOf(name string) (of, kind, help string) {
	switch {
	case name == "rekey_requests_total":
		return name, "counter", "Requests that were answered, by operation and status."
	case strings.HasPrefix(name, "rekey_request_seconds_"):
		return "rekey_request_seconds", "histogram", "How long requests took, by operation; streams of runs are not among them."
	case strings.HasSuffix(name, "_bucket"), strings.HasSuffix(name, "_count"), strings.HasSuffix(name, "_sum"), name == "go_gc_duration_seconds", strings.HasPrefix(name, "go_info"):
		return "", "", ""
	case strings.HasPrefix(name, "process_"):
		help = "Of this process, as the system tells it."
	default:
		help = "Of the Go runtime of this process."
	}
	if strings.HasSuffix(name, "_total") {
		return name, "counter", help
	}
	return name, "gauge", help
}
