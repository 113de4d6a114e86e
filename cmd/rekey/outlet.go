package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"regexp"
	"syscall"
	"unicode/utf16"
	"unicode/utf8"

	"rekey/internal/report"
	"rekey/internal/visible"
)

// outlet is where a command writes, whatever it writes. Nothing that acts on a
// terminal gets through but our own colours, and only onto a terminal: a name
// that a vendor gave us must not move the cursor or forge a line. When nobody
// reads any more, the command ends as if it had been interrupted.
type outlet struct {
	to   io.Writer
	json *bool  // JSON is written: its own escapes stand for what cannot be seen
	lost func() // nobody reads any more
	raw  bool   // our own pictures, whose texts are clean already
}

// open puts an outlet before both streams.
func (a *app) openOutlets() {
	lost := func() {
		if a.interrupt != nil {
			a.interrupt()
		}
	}
	a.out, a.err = &outlet{to: a.out, json: &a.json, lost: lost}, &outlet{to: a.err, json: &a.json, lost: lost}
}

// file is the file behind a stream, if there is one.
func file(stream any) (*os.File, bool) {
	if o, ok := stream.(*outlet); ok {
		stream = o.to
	}
	f, ok := stream.(*os.File)
	return f, ok
}

// drawing is the stream for pictures that move the cursor.
func drawing(stream io.Writer) io.Writer {
	if o, ok := stream.(*outlet); ok {
		own := *o
		own.raw = true
		return &own
	}
	return stream
}

// Write writes all of p. That nobody reads is not an error of the command's.
func (o *outlet) Write(p []byte) (int, error) {
	text := p
	switch {
	case o.raw:
	case *o.json:
		text = escaped(p)
	default:
		text = spelled(p, terminal(o.to))
	}
	if _, err := o.to.Write(text); err != nil {
		o.lost()
		if !errors.Is(err, syscall.EPIPE) {
			return 0, err
		}
	}
	return len(p), nil
}

// colour is what report.Style writes, and nothing else.
var colour = regexp.MustCompile(report.Sequences())

// spelled makes everything visible but line breaks, tabs and our own colours.
func spelled(p []byte, colours bool) []byte {
	if !colours || !bytes.ContainsRune(p, '\x1b') {
		return []byte(visible.Lines(string(p)))
	}
	var out []byte
	for rest := p; len(rest) > 0; {
		at := colour.FindIndex(rest)
		if at == nil {
			at = []int{len(rest), len(rest)}
		}
		out = append(append(out, visible.Lines(string(rest[:at[0]]))...), rest[at[0]:at[1]]...)
		rest = rest[at[1]:]
	}
	return out
}

// escaped writes what cannot be seen as JSON does; it stands in strings only.
func escaped(p []byte) []byte {
	var out []byte
	for i := 0; i < len(p); {
		r, n := utf8.DecodeRune(p[i:])
		switch {
		case visible.Rune(r) && (r != utf8.RuneError || n > 1), r == '\n', r == '\t':
			out = append(out, p[i:i+n]...)
		case r < 0x10000:
			out = unit(out, uint16(r))
		default:
			hi, lo := utf16.EncodeRune(r)
			out = unit(unit(out, uint16(hi)), uint16(lo))
		}
		i += n
	}
	return out
}

func unit(out []byte, u uint16) []byte {
	const digits = "0123456789abcdef"
	return append(out, '\\', 'u', digits[u>>12], digits[u>>8&15], digits[u>>4&15], digits[u&15])
}
