package world

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"time"
)

// instants are the times in what vendors send and take.
var instants = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z`)

// shifted moves every time in a text.
func shifted(text []byte, by time.Duration) []byte {
	return instants.ReplaceAllFunc(text, func(b []byte) []byte {
		t, err := time.Parse(time.RFC3339Nano, string(b))
		if err != nil || t.Year() < 2000 {
			return b
		}
		return []byte(t.Add(by).Format(time.RFC3339Nano))
	})
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
