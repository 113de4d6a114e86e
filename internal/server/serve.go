package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Bounds of a connection. A reader or a writer that is slow is cut off; a stream of
// events has a deadline for each part instead.
const (
	headerWithin = 10 * time.Second
	bodyWithin   = 60 * time.Second
	idleFor      = 2 * time.Minute
	headerBytes  = 32 << 10
)

// Serve answers on a listener until ctx is done; then it takes no new requests, ends the
// streams, and waits for what is being answered, for as long as drain.
func (s *Server) Serve(ctx context.Context, l net.Listener, drain time.Duration) error {
	h := &http.Server{
		Handler: s, ReadHeaderTimeout: headerWithin, ReadTimeout: bodyWithin, IdleTimeout: idleFor, MaxHeaderBytes: headerBytes,
		ErrorLog: slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug), // what is wrong with a connection is its other end's business
	}
	all := newBounded(l, s.o.Limits.Connections)
	h.ConnState = all.state
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(all) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.Drain()
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	err := h.Shutdown(wait)
	if err != nil {
		_ = h.Close()
	}
	if served := <-ended; err == nil && !errors.Is(served, http.ErrServerClosed) {
		err = served
	}
	if err != nil {
		return fmt.Errorf("stop serving: %w", err)
	}
	return nil
}
