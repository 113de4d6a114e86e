package browser

import (
	"testing"

	"rekey/internal/estate"
)

// TestEveryPageForEverybody: with every state that a run can be in.
func TestEveryPageForEverybody(t *testing.T) {
	script := axe(t)
	ctx := newBrowser(t)
	s := newSite(t)
	page := func(path, name string) { t.Helper(); judge(t, ctx, script, s.url+path, name) }

	page("/", "estate-new")
	page("/runs", "runs-empty")
	page("/findings", "findings-empty")
	page("/credentials/"+svc, "credential-new")
	page("/credentials/"+svc+"/plan", "plan")
	page("/credentials/"+svc+"/plan?purpose=revoke", "plan-revoke")

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
	page("/findings", "findings")
	page("/evidence", "evidence")
	page("/health?doctor=1", "health")
	page("/nowhere", "nowhere")
	page("/credentials/"+vault+"/plan?purpose=rehearse", "problem")
}
