package api

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestAGeneratedClientDrivesARotation: on the world of rekey serve --demo it waits for the
// run that wants a person, confirms it, and sees it end; and a request that is sent twice
// under one key is one.
func TestAGeneratedClientDrivesARotation(t *testing.T) {
	bin := os.Getenv("REKEY_BIN")
	if bin == "" {
		t.Fatal("REKEY_BIN has to name the program")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.Command(bin, "serve", "--demo", "--json", "--listen", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("it stopped with %v", err)
		}
	}()
	var serving struct{ Address string }
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&serving); err != nil || serving.Address == "" {
		t.Fatalf("it serves at %q (%v)", serving.Address, err)
	}
	c, err := NewClientWithResponses(serving.Address)
	if err != nil {
		t.Fatal(err)
	}
	const vault = "CF_ACCESS_SVC_VAULT"
	var run string
	for run == "" {
		if ctx.Err() != nil {
			t.Fatal("no run of the demo waits for a person")
		}
		time.Sleep(200 * time.Millisecond)
		open, err := c.ListOpenRunsWithResponse(ctx)
		if err != nil || open.JSON200 == nil {
			t.Fatalf("the open runs: %v", err)
		}
		if open.JSON200.Runs == nil {
			continue
		}
		for _, r := range *open.JSON200.Runs {
			if r.Credential == vault {
				run = r.Run
			}
		}
	}
	key, name, reason := "the-only-one", vault, "looks well"
	body := AdvanceRunJSONRequestBody{Confirm: &name, Reason: &reason}
	for i := range 2 {
		taken, err := c.AdvanceRunWithResponse(ctx, run, &AdvanceRunParams{IdempotencyKey: &key}, body)
		if err != nil || taken.JSON200 == nil || taken.JSON200.Run != run {
			t.Fatalf("advance: %v %s", err, taken.Body)
		}
		if replayed := taken.HTTPResponse.Header.Get("Idempotent-Replayed") != ""; replayed != (i == 1) {
			t.Errorf("time %d is replayed: %v", i, replayed)
		}
	}
	for {
		if ctx.Err() != nil {
			t.Fatal("the run does not end")
		}
		got, err := c.GetRunWithResponse(ctx, run)
		if err != nil || got.JSON200 == nil {
			t.Fatalf("the run: %v", err)
		}
		if got.JSON200.Ending != nil {
			if *got.JSON200.Ending != "rotated" {
				t.Errorf("it ended as %s", *got.JSON200.Ending)
			}
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	refused, err := c.PlanWithResponse(ctx, Wish{Credential: &key})
	if err != nil || refused.ApplicationproblemJSONDefault == nil || refused.ApplicationproblemJSONDefault.Code != "no-credential" {
		t.Errorf("nobody's plan: %v %s", err, refused.Body)
	}
}
