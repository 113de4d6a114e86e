package browser

import (
	"context"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
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
	run := s.begun(t)
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
	wait(t, ctx, "its title", `document.title.startsWith("Rotated · `+svc+`")`)
	if !say[bool](t, ctx, `window.loaded === true && document.querySelector("#said").textContent.includes("Rotated")`) {
		t.Error("the end is not read out, or the page was loaded again")
	}
}

// TestARunMovesOnASlowLine: whichever of the page's scripts comes late.
func TestARunMovesOnASlowLine(t *testing.T) {
	t.Parallel()
	ctx := newBrowser(t)
	s := newSite(t)
	run := s.begun(t)
	for _, late := range []string{"htmx.min.js", "hx-sse.min.js", "app.js"} {
		s.late.Store(&late)
		do(t, ctx, chromedp.Navigate("about:blank"), clearCache, chromedp.Navigate(s.url+"/runs/"+run))
		wait(t, ctx, "its stream, with "+late+" late", `document.querySelector("#run")._htmx?.sse !== undefined`)
	}
}

// clearCache has everything fetched again.
func clearCache(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
	_, err := cdp.Call(ctx, t, network.ClearBrowserCache, cdp.Empty{})
	return chromedp.Void{}, err
}

// TestAPageThatLosesItsServerSaysSo, and goes on by itself when another one answers at its
// address, as after a deploy, with what has happened meanwhile.
func TestAPageThatLosesItsServerSaysSo(t *testing.T) {
	t.Parallel()
	ctx := newBrowser(t)
	s := newSite(t)
	run := s.begun(t)
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
	do(t, ctx, chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.Enter))
	wait(t, ctx, "the credential", `location.pathname === "/credentials/`+vault+`" && `+ready)
	do(t, ctx, chromedp.Navigate(s.url))
	wait(t, ctx, "the page", ready)
	do(t, ctx, chromedp.KeyEvent("j"), chromedp.KeyEvent("j"), chromedp.KeyEvent("k"), chromedp.KeyEvent("j"))
	wait(t, ctx, "the second row", `document.querySelectorAll("tbody tr")[1].classList.contains("at") && document.querySelectorAll("tr.at").length === 1`)
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

// TestWhatWaitsIsThreeKeysAway: the row's offer, and then the field of the form that waits;
// nothing is sent by it.
func TestWhatWaitsIsThreeKeysAway(t *testing.T) {
	t.Parallel()
	ctx := newBrowser(t)
	s := newSite(t)
	run := s.begun(t)
	s.settle(t, run)
	do(t, ctx, chromedp.Navigate(s.url))
	wait(t, ctx, "the page", ready)
	if title := say[string](t, ctx, `document.title`); title != "(1) Estate · Rekey" {
		t.Errorf("the tab says %q", title)
	}
	do(t, ctx, chromedp.KeyEvent("j"), chromedp.KeyEvent("d"))
	wait(t, ctx, "the run", `location.pathname === "/runs/`+run+`" && `+ready)
	do(t, ctx, chromedp.KeyEvent("d"))
	wait(t, ctx, "its field", `document.activeElement.id === "confirm"`)
	do(t, ctx, chromedp.KeyEvent(kb.Escape), chromedp.Navigate(s.url+"/credentials/"+vault+"/plan"))
	wait(t, ctx, "the plan", ready)
	do(t, ctx, chromedp.KeyEvent("d"))
	wait(t, ctx, "its field", `document.activeElement.name === "reason"`)
}

// TestTheEstateFollowsTheWorld while nobody is busy with it, under whoever goes through it
// with the keys, and never under whoever types.
func TestTheEstateFollowsTheWorld(t *testing.T) {
	t.Parallel()
	ctx := newBrowser(t)
	s := newSite(t)
	do(t, ctx, chromedp.Navigate(s.url))
	wait(t, ctx, "the page", ready)
	say[bool](t, ctx, `window.loaded = true`)
	do(t, ctx, chromedp.KeyEvent("j"), chromedp.KeyEvent("j"))
	at := say[string](t, ctx, `document.activeElement.textContent`)
	run := s.begun(t)
	s.settle(t, run)
	wait(t, ctx, "what it needs", `document.querySelector("#list").textContent.includes("Waits for you") && document.querySelector("#sum").textContent.includes("1 of them needs a person") && document.title.startsWith("(1)")`)
	if now := say[string](t, ctx, `document.activeElement.textContent`); now != at || !say[bool](t, ctx, `window.loaded === true && document.activeElement.closest("tr").classList.contains("at")`) {
		t.Errorf("whoever was at %s is at %q", at, now)
	}
	for _, answer := range []string{`"<p>Sign in</p>", {status: 200,`, `"<p>no</p>", {status: 502,`} { // a session that has ended; a proxy without its server
		say[bool](t, ctx, `(() => { window.asked = 0; window.fetch = () => { window.asked++; return Promise.resolve(new Response(`+answer+` headers: {"Content-Type": "text/html"}})) }; htmx.trigger(document.querySelector("#list"), "refresh"); return true })()`)
		wait(t, ctx, "another page instead", `window.asked > 0`)
		if n := say[int](t, ctx, `new Promise(done => setTimeout(() => done(document.querySelectorAll("#list tbody tr").length), 500))`); n != 2 {
			t.Errorf("%s: %d rows are left of the list", answer, n)
		}
	}
}

// TestTimesAreReadOnceAndNotTwice: from 00 to 23 in every language, midnight included, and
// the exact one where it is hovered over.
func TestTimesAreReadOnceAndNotTwice(t *testing.T) {
	t.Parallel()
	ctx := newBrowser(t)
	s := newSite(t)
	do(t, ctx, chromedp.Navigate(s.url))
	wait(t, ctx, "the page", ready)
	for _, kind := range []string{"clock", "exact", "at"} {
		say[bool](t, ctx, `(() => { const e = document.createElement("time"); e.id = "t-`+kind+`"; e.dataset.time = "`+kind+`"; e.dateTime = new Date(2026, 10, 23, 0, 5, 7).toISOString(); document.querySelector("main").append(e); return true })()`)
		wait(t, ctx, "midnight", `document.getElementById("t-`+kind+`").textContent.includes("00:05") && !/[AP]M/.test(document.getElementById("t-`+kind+`").textContent + document.getElementById("t-`+kind+`").title) && document.getElementById("t-`+kind+`").title.includes(" UTC")`)
	}
}

// TestOnPaper: dark on white without the menu, what was chosen is said, and moments are
// exact.
func TestOnPaper(t *testing.T) {
	t.Parallel()
	ctx := newBrowser(t)
	s := newSite(t)
	run, err := s.Begin(t.Context(), estate.Opening{Wish: estate.Wish{Credential: svc}, Reason: "every 90 days"})
	if err != nil {
		t.Fatal(err)
	}
	s.settle(t, run)
	do(t, ctx, chromedp.Navigate(s.url+"/evidence"), emulate(emulation.SetEmulatedMediaParams{Media: "print", Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}}))
	wait(t, ctx, "the page", ready)
	if seen := say[string](t, ctx, `[".side", ".actions", ".search", ".periods", ".pressed"].filter(s => document.querySelector(s)?.checkVisibility()).join()`); seen != "" {
		t.Errorf("%s is printed", seen)
	}
	if text := say[string](t, ctx, `document.querySelector(".paper").innerText`); len(text) < 20 || text[:9] != "Runs from" {
		t.Errorf("the period is not printed: %q", text)
	}
	if colour := say[string](t, ctx, `getComputedStyle(document.body).color + " " + getComputedStyle(document.body).backgroundImage`); colour != "rgb(26, 29, 36) none" {
		t.Errorf("it is printed in %s", colour)
	}
	if !say[bool](t, ctx, `document.querySelector("tbody").innerText.includes("alice@laptop") && document.querySelector("tbody time").dataset.time === "at"`) {
		t.Error("who did it, and when, is not printed")
	}
}
