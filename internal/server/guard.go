package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"rekey/internal/api"
	"rekey/internal/estate"
)

// about is what is known of a request.
type about struct {
	id     string
	way    string // the operation's id; "": none
	run    string // that it is about
	caller string
	who    string // the same, told apart from others of that name
	failed error  // why it was not answered as asked
}

type aboutKey struct{}

func of(r *http.Request) *about {
	a, _ := r.Context().Value(aboutKey{}).(*about)
	if a == nil {
		return &about{}
	}
	return a
}

// guarded wraps everything: each request gets an id and a line in the log, no request of
// another site gets in, and nothing that goes wrong says more than its id.
func (s *Server) guarded(next http.Handler) http.Handler {
	sites := http.NewCrossOriginProtection()
	sites.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, &estate.Error{Code: api.CrossSite, Err: errors.New("a page of another site sent this request")})
	}))
	inner := sites.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := s.o.Now()
		a := &about{id: s.id()}
		r = r.WithContext(context.WithValue(r.Context(), aboutKey{}, a))
		r.RemoteAddr = s.cameFrom(r)
		h := w.Header()
		h.Set(api.IDHeader, a.id)
		h.Set(api.VersionHeader, s.o.Version)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if s.o.Secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if len(r.TransferEncoding) > 0 {
			// It may have had a length as well, which Go leaves out: where something in front goes
			// by that, what follows is no request of the same caller (RFC 9112 §6.1).
			h.Set("Connection", "close")
		}
		// Whoever does not read is cut off; what lasts sets deadlines of its own.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.o.Limits.Answer + s.o.Limits.Write))
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			leave(w, r)
		}
		defer leave(w, r)
		seen := &watched{ResponseWriter: w}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					s.logged(r, a, seen, began)
					panic(p)
				}
				a.failed = fmt.Errorf("panic: %v", p)
				s.o.Log.Error("a request was not answered because of a mistake in this program", "request", a.id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				if seen.status == 0 {
					s.refuse(seen, r, &estate.Error{Code: estate.Failed, Err: errors.New("a mistake in this program; its log has it under the request's id")})
				}
			}
			s.logged(r, a, seen, began)
		}()
		if !s.ours(r.Host) {
			s.refuse(seen, r, &estate.Error{Code: api.WrongHost, Err: errors.New("this server is not configured for that host name: its administrator sets it with --url, and a proxy in front has to pass the Host header unchanged")})
			return
		}
		inner.ServeHTTP(seen, r)
	})
}

// id makes the id of a request.
func (s *Server) id() string {
	b := make([]byte, 8)
	if _, err := io.ReadFull(s.o.Random, b); err != nil {
		_, _ = rand.Read(b)
	}
	return hex.EncodeToString(b)
}

// ours tells whether the server goes by a name.
func (s *Server) ours(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.Trim(name, "[]")
	if net.ParseIP(name) != nil {
		return true // nobody else can lead an address here
	}
	return strings.EqualFold(name, "localhost") || slices.ContainsFunc(s.o.Hosts, func(h string) bool { return strings.EqualFold(h, name) })
}

// logged writes the line of a request. Neither its query nor its headers are in it.
func (s *Server) logged(r *http.Request, a *about, w *watched, began time.Time) {
	took := s.o.Now().Sub(began)
	s.figures.answered(a.way, w.status, took)
	level := slog.LevelInfo
	attrs := []any{"request", a.id, "method", shortly(r.Method, 16), "operation", a.way, "status", w.status, "took_ms", took.Milliseconds(), "bytes", w.bytes, "from", remote(r)}
	if a.way == "" {
		attrs = append(attrs, "path", shortly(r.URL.Path, 200))
		level = slog.LevelDebug
	}
	if a.run != "" {
		attrs = append(attrs, "run", a.run)
	}
	if a.caller != "" {
		attrs = append(attrs, "caller", a.caller)
	}
	if a.failed != nil {
		attrs = append(attrs, "code", string(estate.CodeOf(a.failed)), "why", shortly(a.failed.Error(), 500))
	}
	if w.status >= 500 {
		level = slog.LevelError
	}
	s.o.Log.Log(context.WithoutCancel(r.Context()), level, "request", attrs...)
}

func shortly(text string, n int) string {
	if len(text) > n {
		text = text[:n] + "…"
	}
	return strings.ToValidUTF8(text, "�")
}

func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// watched notes what was answered.
type watched struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *watched) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }
