package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Probe is one thing that has to be so for the server to be of use.
type Probe struct {
	Name string
	// Look returns what is wrong. Minor: it is told, and the server is of use all the same.
	Look  func(ctx context.Context) error
	Minor bool
}

// probeWithin is how long each may take.
const probeWithin = 5 * time.Second

// probes are all: the journal can be read, rekey.yaml is as it should be, and whatever the
// options add.
func (s *Server) probes() []Probe {
	return append([]Probe{
		{Name: "journal", Look: func(ctx context.Context) error { _, err := s.o.Probed.OpenRuns(ctx); return err }},
		{Name: "configuration", Minor: true, Look: func(context.Context) error {
			c := s.o.Configured()
			if len(c.Wrong) == 0 {
				return nil
			}
			return fmt.Errorf("the newest version has mistakes, and the one of %s is in use: %s", c.Loaded.UTC().Format(time.RFC3339), strings.Join(c.Wrong, "; "))
		}},
	}, s.o.Probes...)
}

// healthy says that the process answers; whoever looks at it restarts what does not.
func (s *Server) healthy(w http.ResponseWriter, r *http.Request) {
	of(r).way = "healthz"
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// ready says whether requests should come here. What is wrong is told to whoever is
// signed in and may look at everything, with ?verbose.
func (s *Server) ready() http.Handler {
	verbose := http.Handler(http.HandlerFunc(s.verboselyReady))
	if s.o.SignIn != nil {
		verbose = s.o.SignIn(verbose)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		of(r).way = "readyz"
		if r.URL.Query().Has("verbose") {
			verbose.ServeHTTP(w, r)
			return
		}
		_, ok := s.looked(r.Context())
		s.word(w, ok, "")
	})
}

func (s *Server) verboselyReady(w http.ResponseWriter, r *http.Request) {
	if err := s.mayAll(r); err != nil {
		s.refuse(w, r, err)
		return
	}
	text, ok := s.looked(r.Context())
	s.word(w, ok, text)
}

// mayAll refuses what tells of everything, and is not an operation, to whoever may not.
func (s *Server) mayAll(r *http.Request) error {
	if s.o.May == nil {
		return nil
	}
	return s.o.May(r.Context(), of(r).way)
}

func (s *Server) word(w http.ResponseWriter, ok bool, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(text + "not ready\n"))
		return
	}
	_, _ = w.Write([]byte(text + "ready\n"))
}

// looked looks at everything at once.
func (s *Server) looked(ctx context.Context) (text string, ok bool) {
	select {
	case <-s.drained:
		return "[-] the server is stopping\n", false
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	probes := s.probes()
	found := make([]error, len(probes))
	var all sync.WaitGroup
	for i, p := range probes {
		all.Go(func() {
			done := make(chan error, 1)
			go func() { done <- p.Look(ctx) }()
			select {
			case found[i] = <-done:
			case <-ctx.Done():
				found[i] = errors.New("it has not answered in time")
			}
		})
	}
	all.Wait()
	var b strings.Builder
	ok = true
	for i, p := range probes {
		switch {
		case found[i] == nil:
			_, _ = fmt.Fprintf(&b, "[+] %s\n", p.Name)
		case p.Minor:
			_, _ = fmt.Fprintf(&b, "[!] %s: %v\n", p.Name, found[i])
		default:
			ok = false
			_, _ = fmt.Fprintf(&b, "[-] %s: %v\n", p.Name, found[i])
		}
	}
	return b.String(), ok
}
