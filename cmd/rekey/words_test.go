package main

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/approvals"
	"rekey/internal/estate"
	"rekey/internal/journal"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// TestEverythingThatAnOperationMayEndWithHasWords and an exit code of the contract;
// what a person can do about it is said where there is something.
func TestEverythingThatAnOperationMayEndWithHasWords(t *testing.T) {
	nothing := []estate.Code{
		estate.NoConsumer, estate.NotRehearsed, estate.UnknownPlace, estate.OtherName, estate.PlanDecides, estate.RehearsalGone, estate.Busy, estate.Interrupted,
		estate.Unwritable, estate.NoJournal, estate.NotThisKey, estate.NoEntries, estate.Unsigned,
	}
	for _, code := range estate.Codes() {
		var out strings.Builder
		a := &app{streams: streams{out: &out, err: io.Discard}, config: &sop.Config{File: "rekey.yaml", Simulate: "world.json"}}
		err := a.told(&estate.Error{
			Code: code, Credential: "CRED", Run: "222222", Name: "NAME", Place: "shop:place", Dir: "folder", Known: []string{"known"}, Problems: []string{"a problem"},
			Refusals: []rotation.Refusal{{Code: "x", What: "it is so", Then: "do this"}}, Live: []string{"CRED is live"}, Advice: []string{"first", "second"}, Open: []estate.Summary{{Run: "222222", Opened: time.Now()}},
			Spec: &sop.Spec{Name: "CRED"}, Who: &rotation.Who{Name: "alice", How: "told"}, By: &journal.Entry{Seq: 3, Kind: "intent"}, Err: errors.New("the reason"),
			Approval: &estate.Approval{Missing: 1, Request: &approvals.Request{Credential: "CRED"}, Refusal: &approvals.Answer{Reason: "freeze"}},
		})
		e, ok := err.(exit)
		if !ok {
			t.Errorf("%s: it is %v", code, err)
			continue
		}
		if e.code == exitDone || !slices.ContainsFunc(exitCodes(), func(x exitCode) bool { return x.Code == e.code }) {
			t.Errorf("%s ends with %d", code, e.code)
		}
		said := out.String()
		if e.err != nil {
			said += e.err.Error()
		}
		switch {
		case said == "" || strings.Contains(said, "%!") || strings.Contains(said, "<nil>"):
			t.Errorf("%s is said as %q", code, said)
		case said == "the reason" && code != estate.NoCredential:
			t.Errorf("%s has no words of its own: %q", code, said)
		case !slices.Contains(nothing, code) && code != estate.NoCredential && !strings.Contains(said, "next") && !strings.Contains(said, "rekey resume") && !strings.Contains(said, "do this"):
			t.Errorf("%s says nothing of what to do: %q", code, said)
		}
	}
}
