package console_test

import (
	"net/url"
	"strings"
	"testing"
)

// TestOthersAgreeByForms: before a run begins, and before the old one is taken away.
func TestOthersAgreeByForms(t *testing.T) {
	t.Parallel()
	b := newBench(t, "    before_expiry: 14d\n", "    before_expiry: 14d\n    approvals: {before: both, how_many: 1}\n")
	has := func(page string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("the page has no %q:\n%s", w, page)
			}
		}
	}
	has(b.get("/approvals"), "Nobody is asked")
	plan := value(t, b.get("/credentials/"+svc+"/plan"), "plan")
	form := url.Values{"plan": {plan}, "purpose": {""}, "reason": {"it is time"}, "confirm": {svc}}
	to := b.post("/credentials/"+svc+"/run", form)
	_, id, _ := strings.Cut(to, "#")
	if !strings.HasPrefix(to, "/approvals#") || id == "" {
		t.Fatalf("it leads to %s", to)
	}
	page := b.get("/approvals")
	has(page, "Waiting for an answer", "it is time", "1 still wanted", "Take mine back", "point of no return")
	has(b.get("/"), "1 approval wanted", "Approval wanted", `href="/approvals#`+id+`">Answer`, "begins when somebody agrees", `data-title="(1) Estate"`)
	has(b.get("/?needs=you"), "/credentials/"+svc)
	has(b.get("/credentials/"+svc), "Approval wanted", `href="/approvals#`+id+`">Read and answer`)
	has(b.get("/health"), `<span class="waiting">1<span class="sr"> wanted</span></span>`) // as on every page
	seen := url.Values{"seen": {value(t, page, "seen")}}
	if status, body := b.ask("POST", "/approvals/"+id+"/approve", seen); status != 403 || !strings.Contains(body, "asked for this yourself") {
		t.Errorf("who asks agrees: %d", status)
	}
	b.as("bob")
	if status, body := b.ask("POST", "/approvals/"+id+"/approve", url.Values{"seen": {"0123"}}); status != 409 || !strings.Contains(body, "The request has changed") {
		t.Errorf("something else was seen: %d", status)
	}
	if status, _ := b.ask("POST", "/approvals/"+id+"/refuse", seen); status != 422 {
		t.Errorf("a refusal without a reason: %d", status)
	}
	b.post("/approvals/"+id+"/approve", seen)
	page = b.get("/approvals")
	has(page, "Agreed to, and not begun yet", "Start it now")

	b.as("alice@laptop")
	run := b.post("/credentials/"+svc+"/run", url.Values{"plan": {value(t, page, "plan")}, "purpose": {""}})
	b.settle(run)
	b.post(run+"/resume", url.Values{"confirm": {svc}}) // others are asked by it
	b.settle(run)
	page = b.get(run)
	has(page, "waits for somebody to agree", "Cannot be undone")
	if strings.Contains(page, "Confirm and go on") {
		t.Error("who may not confirm is asked to")
	}
	b.as("bob")
	if to := b.post("/approvals/"+strings.TrimPrefix(run, "/runs/")+"/approve", url.Values{"seen": {value(t, page, "seen")}}); to != run {
		t.Errorf("it leads to %s", to)
	}
	b.post(run+"/resume", url.Values{})
	b.settle(run)
	has(b.get(run), "Rotated in")
	if page := b.get("/"); strings.Contains(page, "Approval wanted") || strings.Contains(page, `class="waiting"`) {
		t.Error("somebody is wanted still")
	}
}

// TestTheCredentialsPageSaysWhyItDoesNotBegin, each reason, once it is due.
func TestTheCredentialsPageSaysWhyItDoesNotBegin(t *testing.T) {
	t.Parallel()
	b := newBench(t, "    before_expiry: 14d\n", "    before_expiry: 14d\n    run: after approval\n    windows: [Sun 03:00-03:10 UTC]\n")
	b.post("/credentials/"+svc+"/check", url.Values{})
	page := b.get("/credentials/" + svc)
	for _, want := range []string{"<dt>Begins</dt><dd>after approval", "approval is needed, and nobody was asked yet", "none of its windows is open until "} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q:\n%s", want, page)
		}
	}
	if !strings.Contains(page, `<figure class="issues">`) || strings.Contains(page, "has not seen it in use") {
		t.Error("a check has seen it in use, and its age is not drawn")
	}
}
