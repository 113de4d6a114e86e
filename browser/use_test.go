package browser

import (
	"context"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"rekey/internal/estate"
)

// ready: the page's script has begun, for keys that it takes.
const ready = `document.readyState === "complete" && !document.querySelector("[data-help]").hidden`

func css(s string) chromedp.CSS { return chromedp.CSS(s) }

// TestAWholeRotationWithoutJavaScript: planned, started, confirmed, seen.
func TestAWholeRotationWithoutJavaScript(t *testing.T) {
	t.Parallel()
	ctx := newBrowser(t)
	s := newSite(t)
	do(t, ctx, func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return chromedp.Void{}, err
	}, chromedp.Navigate(s.url))
	press := func(selector string) {
		t.Helper()
		if _, err := chromedp.RunResponse(ctx, chromedp.Click(css(selector))); err != nil {
			t.Fatalf("%s: %v", selector, err)
		}
	}
	if !say[bool](t, ctx, `document.querySelector("html") !== null && typeof htmx === "undefined"`) {
		t.Fatal("scripts run")
	}
	do(t, ctx, chromedp.SendKeys(css("#q"), "console"))
	press(".search button")
	if n := say[int](t, ctx, `document.querySelectorAll("tbody tr").length`); n != 1 {
		t.Errorf("a search finds %d", n)
	}
	press("tbody .name a")
	press(".actions .primary")
	do(t, ctx, chromedp.SendKeys(css("input[name=reason]"), "without scripts"))
	press(".start button.primary")
	location, err := chromedp.Run(ctx, chromedp.Location())
	if err != nil {
		t.Fatal(err)
	}
	run := location[len(s.url+"/runs/"):]
	s.settle(t, run)
	do(t, ctx, chromedp.Navigate(location))
	if text := say[string](t, ctx, `document.querySelector("time").textContent`); text == "" {
		t.Error("a time is not there")
	}
	do(t, ctx, chromedp.SendKeys(css("#confirm"), svc))
	press("#ask button")
	s.settle(t, run)
	do(t, ctx, chromedp.Navigate(location))
	if text := say[string](t, ctx, `document.querySelector("#ended h2").textContent`); text[:10] != "Rotated in" {
		t.Errorf("it ended as %q", text)
	}
}

// TestARunMovesByItself: steps, the question and the end come without loading the page
// again, what somebody has opened or typed stays, and it is read out.
func TestARunMovesByItself(t *testing.T) {
	t.Parallel()
	ctx := newBrowser(t)
	s := newSite(t)
	run, err := s.Begin(t.Context(), estate.Opening{Wish: estate.Wish{Credential: svc}})
	if err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.Navigate(s.url+"/runs/"+run))
	say[bool](t, ctx, `window.loaded = true`)
	wait(t, ctx, "steps", `document.querySelectorAll(".step.good").length > 1`)
	say[bool](t, ctx, `document.querySelector(".step details").open = true`)
	wait(t, ctx, "the question", `document.querySelector("#ask") !== null`)
	if !say[bool](t, ctx, `window.loaded && document.querySelector(".step details").open`) {
		t.Error("what was opened is shut, or the page was loaded again")
	}
	do(t, ctx, chromedp.SendKeys(css("#confirm"), svc[:4]))
	wait(t, ctx, "it is read out", `document.querySelector("#said").textContent.includes("Waits for you")`)
	if _, err := s.TakeUp(t.Context(), estate.Advancing{Run: run, Confirm: svc}); err != nil { // somebody else
		t.Fatal(err)
	}
	wait(t, ctx, "the end", `document.querySelector("#ended") !== null && document.querySelector("#ended h2").textContent.startsWith("Rotated in")`)
	if !say[bool](t, ctx, `window.loaded === true && document.querySelector("#said").textContent.includes("Rotated")`) {
		t.Error("the end is not read out, or the page was loaded again")
	}
}

// TestAPageThatLosesItsServerSaysSo, and goes on by itself when another one answers at its
// address, as after a deploy, with what has happened meanwhile.
func TestAPageThatLosesItsServerSaysSo(t *testing.T) {
	t.Parallel()
	ctx := newBrowser(t)
	s := newSite(t)
	run, err := s.Begin(t.Context(), estate.Opening{Wish: estate.Wish{Credential: svc}})
	if err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.Navigate(s.url+"/runs/"+run))
	say[bool](t, ctx, `window.loaded = true`)
	wait(t, ctx, "the question", `document.querySelector("#ask") !== null`)
	if !say[bool](t, ctx, `document.querySelector("[data-stopped]").hidden`) {
		t.Error("it says that it has stopped while it has not")
	}
	s.stop()
	wait(t, ctx, "that it has stopped", `!document.querySelector("[data-stopped]").hidden && document.querySelector("[data-stopped]").offsetHeight > 0`)
	if _, err := s.TakeUp(t.Context(), estate.Advancing{Run: run, Confirm: svc}); err != nil { // somebody else
		t.Fatal(err)
	}
	s.settle(t, run)
	s.start(t)
	wait(t, ctx, "the end", `document.querySelector("#ended") !== null && document.querySelector("[data-stopped]").hidden`)
	if !say[bool](t, ctx, `window.loaded === true`) {
		t.Error("the page was loaded again")
	}
}

// TestKeysAndSearch: the list narrows while somebody types, and keys lead everywhere.
func TestKeysAndSearch(t *testing.T) {
	t.Parallel()
	ctx := newBrowser(t)
	s := newSite(t)
	do(t, ctx, chromedp.Navigate(s.url))
	wait(t, ctx, "the page", ready)
	do(t, ctx, chromedp.KeyEvent("/"))
	wait(t, ctx, "the field", `document.activeElement.id === "q"`)
	say[bool](t, ctx, `document.activeElement.value = "", true`) // a browser that is driven types the key that was taken, too
	do(t, ctx, chromedp.KeyEvent("vault"))
	wait(t, ctx, "the list", `document.querySelectorAll("tbody tr").length === 1 && location.search.includes("vault")`)
	if !say[bool](t, ctx, `document.activeElement.id === "q"`) {
		t.Error("whoever types is thrown out of the field")
	}
	do(t, ctx, chromedp.KeyEvent(kb.Escape), chromedp.KeyEvent("j"), chromedp.KeyEvent(kb.Enter))
	wait(t, ctx, "the credential", `location.pathname === "/credentials/`+vault+`" && `+ready)
	do(t, ctx, chromedp.KeyEvent("g"), chromedp.KeyEvent("c"))
	wait(t, ctx, "the calendar", `location.pathname === "/calendar" && `+ready)
	do(t, ctx, chromedp.KeyEvent("?"))
	wait(t, ctx, "the list of keys", `document.querySelector("#keys").open`)
	do(t, ctx, chromedp.KeyEvent(kb.Escape))
	wait(t, ctx, "its end", `!document.querySelector("#keys").open`)
	do(t, ctx, chromedp.Navigate(s.url), chromedp.KeyEvent(kb.Tab))
	if !say[bool](t, ctx, `document.activeElement.classList.contains("skip")`) {
		t.Error("the first that Tab comes to is not the way past the menu")
	}
}
