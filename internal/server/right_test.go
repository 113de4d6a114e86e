package server_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rekey/internal/api"
	"rekey/internal/estate"
	"rekey/internal/server"
)

// TestWhatChangesNothingEndsWithTheRightToAskForIt: each way is one or the other, and no
// change is cut off.
func TestWhatChangesNothingEndsWithTheRightToAskForIt(t *testing.T) {
	t.Parallel()
	looks := " check plan compare discover formerNames doctor evidence verify "
	for _, w := range api.Ways() {
		if w.Method != http.MethodPost {
			continue
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x"+api.Base+strings.ReplaceAll(w.Path, "{run}", "abcdef"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.Contains(looks, " "+w.ID+" "); server.Looks(r) != want {
			t.Errorf("%s: %v", w.ID, !want)
		}
	}
}

// unending has evidence that does not end by itself.
type unending struct {
	server.Engine
	stopped chan error
}

func (e unending) Answered(context.Context) error { return nil }

func (e unending) Evidence(_ context.Context, _ estate.Period, lines func([]byte) error) (estate.Evidence, error) {
	for {
		if err := lines([]byte("{}\n")); err != nil {
			e.stopped <- err
			return estate.Evidence{}, err
		}
		time.Sleep(time.Millisecond)
	}
}

// TestEvidenceIsCutOffWithTheRightToIt: it has no end then, and so no signature.
func TestEvidenceIsCutOffWithTheRightToIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	e := unending{stopped: make(chan error, 1)}
	o := b.options(e)
	var end context.CancelFunc
	o.SignIn = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var ctx context.Context
			ctx, end = context.WithCancel(r.Context())
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
	resp, err := http.Post(b.live(o).URL+"/api/v1/evidence", api.JSON, strings.NewReader(`{"from":"2020-01-01T00:00:00Z","to":"2030-01-01T00:00:00Z","lines":true}`))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	first := make([]byte, 10)
	if _, err := io.ReadFull(resp.Body, first); err != nil {
		t.Fatal(err)
	}
	end()
	rest, err := io.ReadAll(resp.Body)
	if err != nil || strings.Contains(string(rest), `"end"`) || !strings.Contains(string(rest), `"code":"interrupted"`) {
		t.Errorf("it ends with %.300s (%v)", rest[max(0, len(rest)-300):], err)
	}
	select {
	case err := <-e.stopped:
		if estate.CodeOf(err) != estate.Interrupted {
			t.Errorf("it was stopped by %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it is made still")
	}
}

// TestWhoFollowsAndMayNoMoreIsToldThatTheRunGoesOn: what he came with has expired, and not
// that nothing was touched.
func TestWhoFollowsAndMayNoMoreIsToldThatTheRunGoesOn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	o := b.options(b.engine())
	var streams atomic.Int32
	o.SignIn = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/events") {
				next.ServeHTTP(w, r)
				return
			}
			if streams.Add(1) > 1 {
				w.Header().Set("Content-Type", api.Problem)
				w.Header().Set(api.VersionHeader, "test")
				w.WriteHeader(http.StatusUnauthorized)
				_ = json.NewEncoder(w).Encode(map[string]any{"type": "urn:rekey:problem:not-identified", "code": "not-identified", "status": 401, "detail": "this token proves nothing: it has expired"})
				return
			}
			ctx, end := context.WithCancel(r.Context())
			end()
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
	_, err := b.client(b.live(o).URL, nil).Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: console}, Reason: "why"}, &told{})
	if err == nil || estate.CodeOf(err) == estate.NotIdentified || !strings.Contains(err.Error(), "the run continues on the server") || !strings.Contains(err.Error(), "expired") {
		t.Errorf("%v", err)
	}
}
