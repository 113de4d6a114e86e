package browser

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"rekey/internal/estate"
	"rekey/internal/sim"
)

// TestEveryPageForEverybody: with every state that a run can be in.
func TestEveryPageForEverybody(t *testing.T) {
	t.Parallel()
	script := axe(t)
	ctx := newBrowser(t)
	s := newSite(t, "\nvendors:\n", "\nvendors:\n  portal: {vendor: assisted, link: \"https://portal.example.com/keys\"}\n", "\ncredentials:\n", "\ncredentials:\n"+sim.PortalCredential)
	page := func(path, name string) { t.Helper(); judge(t, ctx, script, s.url+path, name) }

	page("/", "estate-new")
	page("/runs", "runs-empty")
	page("/findings", "findings-empty")
	page("/credentials/"+svc, "credential-new")
	page("/credentials/"+svc+"/plan", "plan")
	page("/credentials/"+svc+"/plan?purpose=revoke", "plan-revoke")
	for name, path := range map[string]string{"look": "", "which": "?look=one,two"} {
		judge(t, ctx, script, s.url+"/credentials/PORTAL_KEY/plan"+path, "ask-"+name, chromedp.WaitReady(css(`form [name="`+name+`"]:not([type=hidden])`)))
	}

	run, err := s.Begin(t.Context(), estate.Opening{Wish: estate.Wish{Credential: svc}, Reason: "every 90 days", Ticket: "OPS-117"})
	if err != nil {
		t.Fatal(err)
	}
	page("/runs/"+run, "run-going")
	s.settle(t, run)
	page("/runs/"+run, "run-waits")
	page("/runs/"+run+"/back", "back")
	if _, err := s.TakeUp(t.Context(), estate.Advancing{Run: run, Confirm: svc}); err != nil {
		t.Fatal(err)
	}
	s.settle(t, run)
	page("/runs/"+run, "run-rotated")
	if run, err = s.Begin(t.Context(), estate.Opening{Wish: estate.Wish{Credential: vault}}); err != nil {
		t.Fatal(err)
	}
	s.settle(t, run)
	for _, look := range []func() error{
		func() error { _, err := s.Compare(t.Context(), nil); return err },
		func() error { _, err := s.Discover(t.Context(), nil); return err },
	} {
		if err := look(); err != nil {
			t.Fatal(err)
		}
	}
	page("/", "estate")
	page("/credentials/"+svc, "credential")
	page("/runs", "runs")
	page("/calendar", "calendar")
	page("/approvals", "approvals-empty")
	page("/findings", "findings")
	page("/evidence", "evidence")
	judge(t, ctx, script, s.url+"/evidence", "verified", chromedp.Click(css(`form[action="/evidence/verify"] .links button`)), chromedp.WaitReady(css(".panel.good h1")))
	page("/health?doctor=1", "health")
	page("/nowhere", "nowhere")
	page("/credentials/"+vault+"/plan?purpose=rehearse", "plan-rehearse")

	s.instead(http.StatusForbidden, `{"success":false,"errors":[{"code":10000,"message":"not allowed to delete"}],"result":null}`, func(r *http.Request) bool {
		return r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/service_tokens/")
	})
	if _, err := s.TakeUp(t.Context(), estate.Advancing{Run: run, Confirm: vault}); err != nil {
		t.Fatal(err)
	}
	s.settle(t, run)
	page("/runs/"+run, "run-stuck")
	page("/credentials/"+vault, "credential-stuck")
	page("/", "estate-stuck")
	s.instead(http.StatusOK, `{}`, func(r *http.Request) bool { return r.URL.Host == "console.raxx.app" })
	page("/credentials/"+svc+"/plan", "plan-refused")
	if run, err = s.Begin(t.Context(), estate.Opening{Wish: estate.Wish{Credential: svc}, Alongside: true}); err != nil {
		t.Fatal(err)
	}
	s.settle(t, run)
	page("/runs/"+run, "run-refused")
}

// TestThePagesOfApprovals: where a start waits for others, and where a run does.
func TestThePagesOfApprovals(t *testing.T) {
	t.Parallel()
	script := axe(t)
	ctx := newBrowser(t)
	s := newSite(t, "    before_expiry: 14d\n", "    before_expiry: 14d\n    approvals: {before: both, how_many: 1, role: superadmin}\n")
	o := estate.Opening{Wish: estate.Wish{Credential: svc}, Reason: "every 90 days"}
	if _, err := s.Begin(t.Context(), o); estate.CodeOf(err) != estate.AwaitsApproval {
		t.Fatal(err)
	}
	judge(t, ctx, script, s.url+"/approvals", "approvals")
	judge(t, ctx, script, s.url+"/", "estate-approvals")
	s.as("bob@desk")
	if _, err := s.Approve(t.Context(), estate.Answering{About: svc, Reason: "read it"}); err != nil {
		t.Fatal(err)
	}
	judge(t, ctx, script, s.url+"/approvals", "approvals-agreed")
	s.as("alice@laptop")
	run, err := s.Begin(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s.settle(t, run)
	if _, err := s.TakeUp(t.Context(), estate.Advancing{Run: run, Confirm: svc}); estate.CodeOf(err) != estate.AwaitsApproval {
		t.Fatal(err)
	}
	judge(t, ctx, script, s.url+"/runs/"+run, "run-approval")
	for _, task := range []estate.Task{{Want: estate.WantMake, Name: "console-2026-11-28", Fields: []string{"client_id", "client_secret"}}, {Want: estate.WantWhich, Among: []string{"one", "two"}}} {
		task.Link, task.Steps = "https://portal.example.com/keys", []string{"New key, named console-2026-11-28, with the right to read."}
		s.asked.Store(&estate.AskedByHand{ID: "1", Task: task})
		judge(t, ctx, script, s.url+"/runs/"+run, "run-by-hand-"+string(task.Want))
	}
	s.asked.Store(nil)
	if _, err := s.TurnBack(t.Context(), estate.Backing{Run: run, Reason: "not today"}); err != nil {
		t.Fatal(err)
	}
	s.settle(t, run)
	judge(t, ctx, script, s.url+"/runs/"+run, "run-back")
	if err := s.Pause(t.Context(), "a release is going on"); err != nil {
		t.Fatal(err)
	}
	judge(t, ctx, script, s.url+"/calendar", "calendar-paused")
}
