package server_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"rekey/internal/client"
	"rekey/internal/estate"
	"rekey/internal/rotation"
)

// TestARunIsOpenedOnceHoweverOftenTheAnswerIsLost: the request reaches the server, and its
// answer does not come back, or comes back from something in between. The streams of the
// run break off again and again, and every event is told once and in order.
func TestARunIsOpenedOnceHoweverOftenTheAnswerIsLost(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	e := b.engine()
	at := b.live(b.options(e)).URL
	bad := &breaking{next: &http.Transport{}}
	ops := b.client(at, func(o *client.Options) { o.Transport = bad })
	f := &told{confirms: true}
	ended, err := ops.Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: console}, Reason: "why"}, f)
	if err != nil {
		t.Fatal(err)
	}
	if ended.State.Closed == nil || ended.State.Closed.Ending != rotation.Rotated {
		t.Errorf("it ended as %+v, waiting for %q", ended.State.Closed, ended.Waiting)
	}
	runs, err := e.Runs(t.Context())
	if err != nil || len(runs) != 1 {
		t.Fatalf("%d runs were opened (%v)", len(runs), err)
	}
	logged, err := e.Log(t.Context(), runs[0].Run)
	if err != nil || len(f.events) != len(logged.Events) {
		t.Fatalf("told were %d of %d events (%v)", len(f.events), len(logged.Events), err)
	}
	words := 0
	for i, x := range f.events {
		if x.Seq != logged.Entries[i].Seq {
			t.Errorf("event %d is entry %d, and told as %d", i, logged.Entries[i].Seq, x.Seq)
		}
		if x.Resumed != nil && x.Resumed.Word != nil {
			words++
		}
	}
	if words != 1 {
		t.Errorf("it was confirmed %d times", words)
	}
	if bad.lost < 2 || bad.cut < 3 {
		t.Errorf("%d answers were lost and %d streams broke off: nothing was tried", bad.lost, bad.cut)
	}
	// Somebody else's run is not taken for this one's.
	if _, err := ops.Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: vault}, Confirm: vault}, &told{}); err != nil {
		t.Error(err)
	}
	if runs, err := e.Runs(t.Context()); err != nil || len(runs) != 2 {
		t.Errorf("%d runs there are (%v)", len(runs), err)
	}
}

// breaking loses the answers to every first attempt, answers every second one itself as
// a proxy does, and cuts streams off after some bytes.
type breaking struct {
	next http.RoundTripper

	mu        sync.Mutex
	keys      map[string]int
	lost, cut int
}

func (b *breaking) RoundTrip(req *http.Request) (*http.Response, error) {
	if key := req.Header.Get("Idempotency-Key"); key != "" {
		resp, err := b.next.RoundTrip(req)
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.keys == nil {
			b.keys = map[string]int{}
		}
		b.keys[key]++
		switch b.keys[key] {
		case 1:
			if err == nil {
				_ = resp.Body.Close()
			}
			b.lost++
			return nil, errors.New("connection reset by peer")
		case 2:
			if err == nil {
				_ = resp.Body.Close()
			}
			b.lost++
			return &http.Response{StatusCode: http.StatusBadGateway, Header: http.Header{"Content-Type": {"text/html"}}, Body: io.NopCloser(strings.NewReader("<html>")), Request: req}, nil
		}
		return resp, err
	}
	resp, err := b.next.RoundTrip(req)
	if err == nil && strings.HasSuffix(req.URL.Path, "/events") {
		b.mu.Lock()
		b.cut++
		n := b.cut
		b.mu.Unlock()
		if n < 8 {
			resp.Body = &short{ReadCloser: resp.Body, left: 2500 * n}
		}
	}
	return resp, err
}

// short is a body that breaks off.
type short struct {
	io.ReadCloser
	left int
}

func (s *short) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, errors.New("connection reset by peer")
	}
	n, err := s.ReadCloser.Read(p[:min(len(p), s.left)])
	s.left -= n
	return n, err
}

// TestWhatCannotBeKnownIsSaid: a server that never answers is given up on, and nothing is
// claimed of the run.
func TestWhatCannotBeKnownIsSaid(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ops := b.client("http://127.0.0.1:1", func(o *client.Options) {
		o.Patience = time.Minute
		o.Transport = tripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") })
	})
	_, err := ops.Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: console}}, &told{})
	if e, is := errors.AsType[*estate.Error](err); !is || e.Code != estate.Failed || !strings.Contains(e.Error(), "is not known") || len(e.Advice) == 0 {
		t.Errorf("told is %v", err)
	}
	_, err = ops.Status(t.Context(), estate.StatusAsked{})
	if e, is := errors.AsType[*estate.Error](err); !is || e.Code != estate.Failed || !strings.Contains(e.Error(), "does not answer") {
		t.Errorf("told is %v", err)
	}
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestAServerOfAnotherAgeIsTold, and so is what is not a server of Rekey's.
func TestAServerOfAnotherAgeIsTold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	answer := func(status int, header http.Header, body string) client.Options {
		return client.Options{Transport: tripper(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		})}
	}
	problem := http.Header{"Content-Type": {"application/problem+json"}, "Rekey-Version": {"9.9.9"}}
	for want, o := range map[string]client.Options{
		"is Rekey 9.9.9, and this is test":          answer(404, problem, `{"type":"urn:rekey:problem:no-operation","status":404,"code":"no-operation"}`),
		"the server is Rekey 9.9.9":                 answer(400, problem, `{"type":"urn:rekey:problem:bad-request","status":400,"code":"bad-request","mistakes":[{"at":"/new","what":"this field is not known here"}]}`),
		"is not a Rekey server that this version":   answer(200, http.Header{"Content-Type": {"text/html"}}, "<html>"),
		"it answers 200 with nothing that says":     answer(200, http.Header{"Rekey-Version": {"1"}}, ""),
		"its answer is not what this version":       answer(200, http.Header{"Content-Type": {"application/json"}, "Rekey-Version": {"1"}}, "[]"),
		"requires its own sign-in (it answers 302)": answer(302, http.Header{"Location": {"https://evil.example/"}}, ""),
		"a new kind of refusal":                     answer(409, problem, `{"type":"urn:rekey:problem:of-tomorrow","status":409,"code":"of-tomorrow","why":"a new kind of refusal"}`),
		"application/json\\x1b[2J":                  answer(200, http.Header{"Content-Type": {"application/json\x1b[2J"}}, ""),
	} {
		ops := b.client("http://127.0.0.1:1", func(c *client.Options) { c.Transport = o.Transport })
		_, err := ops.Whoami(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) && want != "application/json\\x1b[2J" || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("told is %v, and not %s", err, want)
		}
	}
}
