package main

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"rekey/internal/client"
	"rekey/internal/estate"
)

// TestTheDemoHasSomethingOfEverything that its first page proposes to try: each page is
// there, and what waits for somebody's agreement goes on with the visitor's.
func TestTheDemoHasSomethingOfEverything(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- execute(ctx, []string{"serve", "--demo", "--json", "--listen", "127.0.0.1:0"}, streams{out: in, err: io.Discard})
	}()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != exitDone {
			t.Errorf("the demo ended with %d", code)
		}
	})
	var serving struct{ Address string }
	if err := json.NewDecoder(out).Decode(&serving); err != nil {
		t.Fatal(err)
	}
	page := func(path string) string {
		t.Helper()
		return string(contentOf(t, serving.Address+path))
	}
	front := ""
	for start := time.Now(); !strings.Contains(front, `id="guide-title"`); front = page("/") {
		if time.Since(start) > 2*time.Minute {
			t.Fatalf("its first page proposes nothing:\n%s", front)
		}
		time.Sleep(200 * time.Millisecond)
	}
	if strings.Contains(front, "Sign out") {
		t.Error("who has not signed in may sign out")
	}
	_, guide, _ := strings.Cut(front, `id="guide-title"`)
	guide, _, _ = strings.Cut(guide, "</ol>")
	links := strings.Split(guide, `href="`)[1:]
	for _, l := range links {
		to, _, _ := strings.Cut(l, `"`)
		page(to)
	}
	if len(links) < 8 {
		t.Errorf("it proposes %d things only", len(links))
	}
	for path, want := range map[string]string{"/approvals": "BILLING_TOKEN", "/findings": "ARCHIVE_AUTH", "/calendar": "ARCHIVE_TOKEN", "/runs": "Stuck"} {
		if !strings.Contains(page(path), want) {
			t.Errorf("%s has no %s", path, want)
		}
	}

	ops, err := client.Dial(serving.Address, client.Here{Env: func(string) (string, bool) { return "", false }, Version: version})
	if err != nil {
		t.Fatal(err)
	}
	attention := func() map[string]string {
		t.Helper()
		status, err := ops.Status(t.Context(), estate.StatusAsked{})
		if err != nil {
			t.Fatal(err)
		}
		needs := map[string]string{}
		for _, r := range status.Rows {
			needs[r.Credential] = r.Attention
		}
		return needs
	}
	if n := attention(); n["SHOP_TOKEN"] != "asks" || n["CF_ACCESS_SVC_VAULT"] != "asks" || n["MAIL_TOKEN"] != "stuck" || n["PARTNER_KEY"] != "asks" || n["REPORTS_TOKEN"] != "open" || n["SEARCH_TOKEN"] != "open" || n["CF_ACCESS_SVC_CONSOLE"] != "" {
		t.Errorf("they need %v", n)
	}
	for _, about := range []string{"SHOP_TOKEN", "BILLING_TOKEN"} {
		if _, err := ops.Approve(t.Context(), estate.Answering{About: about, Reason: "read it"}); err != nil {
			t.Fatalf("%s: %v", about, err)
		}
	}
	for start := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		n := attention()
		if n["SHOP_TOKEN"] != "asks" && n["BILLING_TOKEN"] == "open" {
			break
		}
		if time.Since(start) > time.Minute {
			t.Fatalf("what was agreed to does not go on: %v", n)
		}
	}
}
