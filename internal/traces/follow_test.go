package traces

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"rekey/internal/journal"
	"rekey/internal/rotation"
	"rekey/internal/vendorhttp"
)

// taker is a collector that answers as it is told to.
type taker struct {
	err     error
	dropped int64
	took    []Span
}

func (c *taker) Send(_ context.Context, spans []Span) (int64, error) {
	if c.err != nil {
		return 0, c.err
	}
	c.took = append(c.took, spans...)
	return c.dropped, nil
}

func (c *taker) names() string {
	var out []string
	for _, s := range c.took {
		out = append(out, s.Name)
	}
	c.took = nil
	return strings.Join(out, ", ")
}

func write(t *testing.T, j *journal.Journal, events ...rotation.Event) {
	t.Helper()
	for _, e := range events {
		body, err := e.Body()
		if err == nil {
			err = j.Append(t.Context(), journal.Draft{At: e.At, Run: e.Run, Subject: "API_TOKEN", Kind: string(e.Kind), Body: body})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheJournalIsToldOnceWhoeverTellsIt(t *testing.T) {
	j, err := journal.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	now := noon
	to := &taker{}
	look := func(f *Follower) Standing {
		t.Helper()
		if _, _, err := f.Look(t.Context()); (err != nil) != (to.err != nil) {
			t.Fatalf("looked: %v", err)
		}
		s, _, err := StandingOf(t.Context(), j)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	process := func() *Follower {
		return &Follower{Journal: j, To: to, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)}
	}
	write(t, j, aRun("past01", 1)...)
	one := process()
	if look(one); to.names() != "" {
		t.Fatal("what is past was told")
	}
	events := aRun("kv54ds", 1)
	write(t, j, events[:5]...)
	if look(one); to.names() != "taken up, create" {
		t.Error("the first part was not told")
	}
	// The collector is away: nothing is lost, and another process goes on.
	to.err = &failure{why: "away", later: true}
	write(t, j, events[5:8]...)
	if s := look(one); s.Failing != "away" || s.Sent != 2 || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
	to.err, one = nil, process()
	if s := look(one); to.names() != "create, store" || s.Failing != "" || s.Sent != 4 {
		t.Errorf("%+v", s)
	}
	// It does not want one of them.
	to.dropped = 1
	write(t, j, events[8:]...)
	if s := look(one); to.names() != "stuck, quiet, validate, rotate" || s.Sent != 7 || s.Dropped != 1 {
		t.Errorf("%+v", s)
	}
	// It stays away for too long: what waits is dropped and counted, and what comes is told.
	to.dropped, to.err = 0, &failure{why: "away", later: true}
	write(t, j, aRun("run002", 1)...)
	look(one)
	now = now.Add(Behind + time.Minute)
	if s := look(one); s.Dropped != 9 || s.Sent != 7 || s.Failing == "" {
		t.Errorf("%+v", s)
	}
	to.err = nil
	late := aRun("run003", 1)
	write(t, j, late...)
	if s := look(one); s.Sent != 15 || s.Failing != "" {
		t.Errorf("%+v", s)
	}
	// What it will never take is not offered twice.
	to.err = errors.New("refused")
	write(t, j, aRun("run004", 1)...)
	look(one)
	to.err = nil
	if s := look(one); s.Dropped != 17 {
		t.Errorf("%+v", s)
	}
}

// TestARequestNeverWaitsForACollector: whatever it does, no more is kept than there is room
// for, and the rest is counted.
func TestARequestNeverWaitsForACollector(t *testing.T) {
	hangs := make(chan struct{})
	began := make(chan struct{}, 1)
	c := &Calls{To: sends(func(ctx context.Context, spans []Span) (int64, error) {
		select {
		case began <- struct{}{}:
		default:
		}
		select {
		case <-hangs:
			return 0, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}), Log: slog.New(slog.DiscardHandler), Every: time.Millisecond}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); c.Run(ctx) }()
	call := vendorhttp.Call{Vendor: "cloudflare", Op: "list tokens", Method: "GET", Status: 200, Duration: time.Second}
	c.Called("kv54ds", call, noon)
	<-began // and it does not come back
	for range Held + 99 {
		c.Called("kv54ds", call, noon)
	}
	if _, dropped := c.Figures(); dropped != 100 {
		t.Errorf("%d were dropped", dropped)
	}
	close(hangs)
	stop()
	<-ended
	if sent, dropped := c.Figures(); sent != Held || dropped != 100 {
		t.Errorf("%d were sent and %d dropped", sent, dropped)
	}
}

type sends func(context.Context, []Span) (int64, error)

func (f sends) Send(ctx context.Context, spans []Span) (int64, error) { return f(ctx, spans) }

func TestARequestIsBelowItsRun(t *testing.T) {
	to := &taker{}
	c := &Calls{To: to}
	for _, status := range []int{201, 403, 502, 0} {
		c.Called("kv54ds", vendorhttp.Call{Vendor: "cloudflare", Op: "create service token", Method: "POST", Status: status, Changes: true, Duration: time.Second}, noon)
	}
	if _, err := c.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range to.took {
		if s.Trace != TraceOf("kv54ds") || s.Parent != rootOf("kv54ds") || !s.Client {
			t.Errorf("%+v", s)
		}
		s.Attributes = append([]Attribute{{}}, s.Attributes...)
		got = append(got, said(s))
	}
	want := "create service token 59 +1s, %s: vendor=cloudflare operation=create service token changes=true http.request.method=POST%s"
	for i, w := range []string{
		fmt.Sprintf(want, "well", " http.response.status_code=201"), fmt.Sprintf(want, "failed (the answer was not a success)", " http.response.status_code=403"),
		fmt.Sprintf(want, "unset", " http.response.status_code=502"), fmt.Sprintf(want, "unset", ""),
	} {
		if got[i] != w {
			t.Errorf("got  %s\nwant %s", got[i], w)
		}
	}
}
