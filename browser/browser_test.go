// Package browser tries the console in a real Chromium: with axe-core on every page, narrow and wide, light and dark; and without JavaScript.
package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// newBrowser starts a headless Chromium. Whatever fails in a page's scripts, or what its
// policy stops, fails the test.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			program = p
			break
		}
	}
	if program == "" {
		lacks(t, "there is no Chromium on this machine: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithListener(func(ev any) {
		switch e := ev.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("a script failed: %s %s", e.ExceptionDetails.Text, e.ExceptionDetails.URL)
		case *log.EventEntryAdded:
			// Pages of refusals are answers too, and a browser logs their status.
			if e.Entry.Level == "error" && e.Entry.Source != "network" {
				t.Errorf("the browser says: %s (%s)", e.Entry.Text, e.Entry.URL)
			}
		}
	}))
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as this context
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(ctx, 8*time.Minute) // two processors may be shared
	t.Cleanup(cancel)
	return ctx
}

// lacks tells what is missing here; CI has to have it.
func lacks(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip("NOT TESTED: " + what)
}

// axe is the script that judges pages.
func axe(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("sh", "install.sh", "where").Output()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(strings.TrimSpace(string(out)))
	if err != nil {
		lacks(t, "axe-core is not there: sh browser/install.sh")
	}
	return string(b)
}

// violation is one rule that a page breaks.
type violation struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		HTML    string `json:"html"`
		Failure string `json:"failureSummary"`
	} `json:"nodes"`
}

// look is a width and a colour scheme.
type look struct {
	width  int64
	scheme string
}

var looks = []look{{1280, "light"}, {1280, "dark"}, {360, "light"}, {360, "dark"}}

func (l look) set() chromedp.Action[chromedp.Void] {
	return chromedp.Steps(chromedp.EmulateViewport(l.width, 900), emulate(emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}))
}

// say evaluates a script in the page.
func say[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%.80s: %v", script, err)
	}
	return v
}

// wait waits until a script says true.
func wait(t *testing.T, ctx context.Context, what, script string) {
	t.Helper()
	limit, cancel := context.WithTimeout(ctx, 2*time.Minute) // processors may be shared by many
	defer cancel()
	for {
		ok, err := chromedp.Run(limit, chromedp.Evaluate[bool](script))
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if ok {
			return
		}
		select {
		case <-limit.Done():
			t.Fatalf("%s: it has not come, and the page is\n%s", what, say[string](t, ctx, `document.body.innerText`))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// emulate has the page shown as a medium (print), or as one who prefers something.
func emulate(p emulation.SetEmulatedMediaParams) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, p)
		return chromedp.Void{}, err
	}
}

// do carries steps out.
func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// judge opens a page in every look: nothing scrolls sideways, nothing fails in its
// scripts, and axe finds nothing. With REKEY_SCREENSHOTS it leaves pictures there.
//
// then is done once the page is there: what leads to another.
func judge(t *testing.T, ctx context.Context, script, url, name string, then ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	width := int64(0)
	for _, l := range looks {
		steps := []chromedp.Action[chromedp.Void]{l.set()}
		if l.width != width { // the scheme alone needs no other page
			steps = append(append(steps, chromedp.Navigate(url), chromedp.WaitReady(css("main"))), then...)
			width = l.width
		}
		limit, cancel := context.WithTimeout(ctx, time.Minute)
		err := chromedp.Do(limit, steps...)
		cancel()
		if err != nil {
			t.Fatalf("%s at %d, %s: %v", name, l.width, l.scheme, err)
		}
		wide := say[int64](t, ctx, `document.documentElement.scrollWidth`)
		say[bool](t, ctx, `window.axe ? true : (() => {`+script+`; return true})()`)
		found := say[string](t, ctx, `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r => JSON.stringify({passes: r.passes.length, violations: r.violations}))`)
		if dir := os.Getenv("REKEY_SCREENSHOTS"); dir != "" {
			shot, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, l.width, l.scheme)), shot, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if wide > l.width {
			t.Errorf("%s at %d is %d wide", name, l.width, wide)
		}
		var all struct {
			Passes     int
			Violations []violation
		}
		if err := json.Unmarshal([]byte(found), &all); err != nil {
			t.Fatal(err)
		}
		if all.Passes < 15 {
			t.Errorf("%s: axe has tried %d rules only", name, all.Passes)
		}
		for _, v := range all.Violations {
			for _, n := range v.Nodes {
				t.Errorf("%s at %d, %s: %s: %s\n\t%s\n\t%s", name, l.width, l.scheme, v.ID, v.Help, n.HTML, strings.ReplaceAll(n.Failure, "\n", " "))
			}
		}
	}
	for _, width := range []int64{600, 768, 1024, 1680} { // between, where a column may find no room
		do(t, ctx, chromedp.EmulateViewport(width, 900))
		if wide := say[int64](t, ctx, `document.documentElement.scrollWidth`); wide > width {
			t.Errorf("%s at %d is %d wide", name, width, wide)
		}
	}
}
