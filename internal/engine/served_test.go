package engine_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rekey/internal/engine"
	"rekey/internal/estate"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestWhereNoProcessServesPagesItIsSaidAtOnceThatNobodyCanAnswer: a worker alone asks for
// something that is done by hand. The log and the status say so, with the command that
// starts what is missing, until some process serves pages.
func TestWhereNoProcessServesPagesItIsSaidAtOnceThatNobodyCanAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	text := sop.Example()
	for _, add := range []struct{ after, more string }{
		{"\nvendors:\n", "  portal: {vendor: assisted, link: \"https://portal.example.com/keys\"}\n"}, {"\ncredentials:\n", sim.PortalCredential},
	} {
		text = strings.Replace(text, add.after, add.after+add.more, 1)
	}
	if err := os.WriteFile(filepath.Join(b.dir, "rekey.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b.world.Look(func(w *sim.State) { w.GivePortalKey("console-2026-08-23", "PORTAL_KEY") })
	var log logged
	var es func() *estate.Estate
	one := b.engine("one", func(o *engine.Options) {
		o.Desk, o.Log, es = estate.NewDesk(o.Estate, b.clock.Now), slog.New(slog.NewTextHandler(&log, nil)), o.Estate
	})
	run, err := one.Begin(t.Context(), estate.Opening{Wish: estate.Wish{Credential: "PORTAL_KEY"}})
	if err != nil {
		t.Fatal(err)
	}
	stands := func() (says, next string) {
		st, err := one.Status(t.Context(), estate.StatusAsked{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range st.Rows {
			if r.Credential == "PORTAL_KEY" && r.Attention == "asks" {
				return r.ByHand, r.Next
			}
		}
		return "", ""
	}
	b.wait("somebody is asked", func() bool { says, _ := stands(); return says != "" })
	if says, next := stands(); !strings.Contains(says, estate.NobodyServes) || next != "rekey serve --role api" {
		t.Errorf("it stands as %q, next %q", says, next)
	}
	b.wait("the log says so", func() bool {
		return strings.Contains(log.String(), "nobody can answer") && strings.Contains(log.String(), run)
	})
	j, closing, err := es().Journal()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = closing() }()
	if err := estate.NoteServed(t.Context(), j, b.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if says, next := stands(); says == "" || strings.Contains(says, estate.NobodyServes) || next != "rekey log "+run {
		t.Errorf("pages are served, and it stands as %q, next %q", says, next)
	}
	if err := estate.NoteServed(t.Context(), j, b.clock.Now().Add(-5*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if says, _ := stands(); !strings.Contains(says, estate.NobodyServes) {
		t.Errorf("pages were served five minutes ago, and it stands as %q", says)
	}
}
