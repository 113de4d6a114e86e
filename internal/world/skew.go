package world

import (
	"bytes"
	"io"
	"net/http"
	"time"
)

// shifted moves every time in a text: what looks like 2006-01-02T15:04:05.999Z. It reads
// every answer of a world whose clocks differ, so it looks for the letter T alone.
func shifted(text []byte, by time.Duration) []byte {
	var out []byte
	kept := 0 // so far the text is in out
	for at := 0; ; at++ {
		next := bytes.IndexByte(text[at:], 'T')
		if next < 0 {
			break
		}
		at += next
		from, to := at-len("2006-01-02"), instantEnd(text, at)
		if from < kept || to < 0 || !like(text[from:at], "0000-00-00") {
			continue
		}
		t, err := time.Parse(time.RFC3339Nano, string(text[from:to]))
		if err != nil || t.Year() < 2000 {
			continue
		}
		out = append(out, text[kept:from]...)
		out = t.Add(by).AppendFormat(out, time.RFC3339Nano)
		kept = to
	}
	return append(out, text[kept:]...)
}

// instantEnd is where a time of day in UTC ends whose T stands there; -1: none does.
func instantEnd(text []byte, at int) int {
	to := at + len("T15:04:05")
	if to >= len(text) || !like(text[at:to], "T00:00:00") {
		return -1
	}
	if text[to] == '.' {
		for to++; to < len(text) && '0' <= text[to] && text[to] <= '9'; to++ {
		}
	}
	if to >= len(text) || text[to] != 'Z' || text[to-1] == '.' {
		return -1
	}
	return to + 1
}

// like tells whether a text has this shape, in which 0 stands for any digit.
func like(text []byte, shape string) bool {
	if len(text) != len(shape) {
		return false
	}
	for i, c := range text {
		if c != shape[i] && (shape[i] != '0' || c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// skew makes the times of an answer those of a clock that is so far ahead.
func (r *Reply) skew(by time.Duration) {
	if by == 0 {
		return
	}
	text := shifted(r.Body.Bytes(), by)
	r.Body.Reset()
	_, _ = r.Body.Write(text)
}

// skewedRequest makes times that were meant by such a clock those of the world's.
func skewedRequest(req *http.Request, by time.Duration) *http.Request {
	if by == 0 || req.Body == nil {
		return req
	}
	text, err := io.ReadAll(io.LimitReader(req.Body, 8<<20))
	if err != nil {
		return req
	}
	out := req.Clone(req.Context())
	text = shifted(text, -by)
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return out
}
