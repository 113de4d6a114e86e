package console_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"rekey/internal/console"
	"rekey/internal/estate"
	"rekey/internal/rotation"
)

// event is one of a stream.
type event struct{ id, name, data string }

// events reads a stream until it ends.
func events(t *testing.T, ctx context.Context, base, run, last string) <-chan event {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+run+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("the stream is %s, %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	out := make(chan event)
	go func() {
		defer close(out)
		defer func() { _ = resp.Body.Close() }()
		var e event
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "id":
				e.id = value
			case "event":
				e.name = value
			case "data":
				e.data += value + "\n"
			case "":
				if e != (event{}) && lines.Text() == "" {
					out <- e
					e = event{}
				}
			}
		}
	}()
	return out
}

// TestARunIsFollowedToItsEnd, and who comes back gets what is newer only.
func TestARunIsFollowedToItsEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	server := httptest.NewServer(b.handler)
	t.Cleanup(server.Close)
	run := b.post("/credentials/"+svc+"/run", url.Values{"purpose": {""}})
	b.settle(run)
	all := events(t, t.Context(), server.URL, run, "")
	first := <-all
	if first.id == "" || !strings.Contains(first.data, "This run waits for you") {
		t.Fatalf("first comes %+v", first)
	}
	later := events(t, t.Context(), server.URL, run, first.id)
	b.post(run+"/resume", url.Values{"confirm": {svc}})
	for name, stream := range map[string]<-chan event{"who stayed": all, "who came back": later} {
		last, n, over := first, 0, false
		for e := range stream {
			if over = e.name == "over"; over {
				continue
			}
			if was, is := number(t, last.id), number(t, e.id); is <= was {
				t.Errorf("%s: %d comes after %d", name, is, was)
			}
			last, n = e, n+1
		}
		if !over || n == 0 || !strings.Contains(last.data, "Rotated in") {
			t.Errorf("%s got %d, and the last is %+v", name, n, last)
		}
	}
}

func number(t *testing.T, id string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		t.Fatalf("an event's id is %q", id)
	}
	return n
}

// TestOnlySoManyWatch: who comes after has a page that does not move, and a place is free
// again when somebody goes.
func TestOnlySoManyWatch(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	server := httptest.NewServer(b.console(console.Options{Streams: 1}))
	t.Cleanup(server.Close)
	run := b.post("/credentials/"+svc+"/run", url.Values{"purpose": {""}})
	b.settle(run)
	ctx, leave := context.WithCancel(t.Context())
	stream := events(t, ctx, server.URL, run, "")
	<-stream
	resp, err := http.Get(server.URL + run + "/events")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("one too many: %s", resp.Status)
	}
	leave()
	for range stream {
	}
	for { // until the server has noticed
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+run+"/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
	}
}

// TestOnePersonLeavesRoomForOthers, however many pages he leaves open.
func TestOnePersonLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	who := func(r *http.Request) (rotation.Who, bool) {
		return rotation.Who{Name: r.Header.Get("X-Test-Who"), How: "session"}, true
	}
	server := httptest.NewServer(b.console(console.Options{Each: 2, Who: who}))
	t.Cleanup(server.Close)
	run := b.post("/credentials/"+svc+"/run", url.Values{"purpose": {""}})
	b.settle(run)
	watch := func(name string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+run+"/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Test-Who", name)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp.StatusCode
	}
	if a, b, c := watch("alice"), watch("alice"), watch("alice"); a != 200 || b != 200 || c != http.StatusServiceUnavailable {
		t.Errorf("alice is answered %d, %d and %d", a, b, c)
	}
	if bob := watch("bob"); bob != 200 {
		t.Errorf("bob is answered %d", bob)
	}
}

// follows counts how often a run is followed, and asked for in one line.
type follows struct {
	*service
	followed, asked atomic.Int64
}

func (f *follows) Follow(ctx context.Context, run string, after int64, face estate.Face) (estate.Ended, error) {
	f.followed.Add(1)
	return f.service.Follow(ctx, run, after, face)
}

func (f *follows) OneRun(ctx context.Context, run string) (estate.Summary, error) {
	f.asked.Add(1)
	return f.service.OneRun(ctx, run)
}

// TestManyWhoWatchARunCostAsMuchAsOne: it is followed and rendered once for all, each is
// asked whether he may look, and who comes after all have gone begins anew.
func TestManyWhoWatchARunCostAsMuchAsOne(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ops := &follows{service: b.service}
	server := httptest.NewServer(b.console(console.Options{Ops: ops}))
	t.Cleanup(server.Close)
	run := b.post("/credentials/"+svc+"/run", url.Values{"purpose": {""}})
	b.settle(run)
	const many = 30
	for round := range 2 {
		ctx, leave := context.WithCancel(t.Context())
		var streams []<-chan event
		first := ""
		for range many {
			s := events(t, ctx, server.URL, run, "")
			streams = append(streams, s)
			e := <-s
			if first == "" {
				first = e.data
			}
			if e.data != first {
				t.Errorf("one is shown something else:\n%s\n%s", e.data, first)
			}
		}
		if n, asked := ops.followed.Load(), ops.asked.Load(); n != int64(round+1) || asked < int64(many*(round+1)) {
			t.Errorf("round %d: followed %d times, %d were asked for", round, n, asked)
		}
		if round == 1 {
			b.post(run+"/resume", url.Values{"confirm": {svc}})
			for i, s := range streams {
				last := ""
				for e := range s {
					if e.name == "" {
						last = e.data
					}
				}
				if !strings.Contains(last, "Rotated in") {
					t.Errorf("the last that the %d-th saw is %s", i, last)
				}
			}
		}
		leave()
		for _, s := range streams {
			for range s {
			}
		}
		if round == 0 {
			server.CloseClientConnections()
			server.Close() // waits until all have left
			server = httptest.NewServer(server.Config.Handler)
			t.Cleanup(server.Close)
		}
	}
}
