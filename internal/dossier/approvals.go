package dossier

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"rekey/internal/approvals"
	"rekey/internal/journal"
	"rekey/internal/rotation"
)

// Approval is one request for people's agreement, and what they said to it.
type Approval struct {
	Type       string         `json:"type"` // approval
	ID         string         `json:"id"`
	Gate       approvals.Gate `json:"gate"` // start, retiring
	Credential string         `json:"credential"`
	Run        string         `json:"run,omitempty"` // that waited for it
	Digest     string         `json:"digest"`        // of exactly what was asked: of a start, the plan's
	Final      []string       `json:"final,omitempty"`
	By         rotation.Who   `json:"by"` // who asked, and how he is known
	Reason     string         `json:"reason,omitempty"`
	Ticket     string         `json:"ticket,omitempty"`
	At         time.Time      `json:"at"`
	Until      time.Time      `json:"until"`
	HowMany    int            `json:"how_many"` // different people had to agree
	Role       string         `json:"role,omitempty"`
	Answers    []Answer       `json:"answers,omitempty"`
	Entry      int64          `json:"entry"` // that asks
}

// Answer is what one person said. How it is known who he is stands in by: the issuer, the
// subject and the other claims of his token; signed_in is when he last proved it.
type Answer struct {
	Said string `json:"said"` // agreed, refused, took back, expired
	approvals.Answer
	Entry int64 `json:"entry"`
}

var said = map[string]string{approvals.Given: "agreed", approvals.Refused: "refused", approvals.TakenBack: "took back", approvals.Expired: "expired"}

// agreements reads requests and answers from their entries, in the journal's order.
type agreements struct {
	all []*Approval
	by  map[string]*Approval
}

func (a *agreements) add(e journal.Entry) error {
	if e.Kind == approvals.Asked {
		var r approvals.Request
		if err := json.Unmarshal(e.Body, &r); err != nil {
			return fmt.Errorf("entry %d: %w", e.Seq, err)
		}
		x := &Approval{Type: "approval", ID: r.ID, Gate: r.Gate, Credential: e.Subject, Run: r.Run, Digest: r.Digest, Final: r.Final, By: r.By, Reason: r.Reason, Ticket: r.Ticket,
			At: r.At.UTC(), Until: r.Until.UTC(), HowMany: r.Rule.HowMany, Role: r.Rule.Role, Entry: e.Seq}
		if a.by == nil {
			a.by = map[string]*Approval{}
		}
		a.all, a.by[r.ID] = append(a.all, x), x
		return nil
	}
	var s approvals.Answer
	if err := json.Unmarshal(e.Body, &s); err != nil {
		return fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	if x := a.by[s.ID]; x != nil {
		x.Answers = append(x.Answers, Answer{Said: said[e.Kind], Answer: s, Entry: e.Seq})
	}
	return nil
}

// readApprovals reads who agreed to what: of the runs of the period, and of what was asked
// for or answered in it. Their entries are in the export, whenever they were written.
func (d *Dossier) readApprovals(ctx context.Context, j *journal.Journal) error {
	var read agreements
	runs := map[string]string{} // run of the period, by the id of the plan that it was opened with
	err := j.EachOf(ctx, func(e journal.Entry) error {
		switch {
		case e.Seq > d.scope.entries || !d.scope.ask.wants(e.Subject):
			return nil
		case e.Kind != string(rotation.KindOpened):
			return read.add(e)
		case !d.scope.runs[e.Run]:
			return nil
		}
		var o rotation.Opened
		if err := json.Unmarshal(e.Body, &o); err != nil {
			return fmt.Errorf("entry %d: %w", e.Seq, err)
		}
		runs[o.Plan] = e.Run
		return nil
	}, append(approvals.Kinds(), string(rotation.KindOpened))...)
	if err != nil {
		return err
	}
	d.scope.also, d.agreed = map[int64]bool{}, map[string][]Approval{}
	for _, x := range read.all {
		if x.Gate == approvals.Start {
			x.Run = runs[x.ID]
		}
		ours := x.Run != "" && d.scope.runs[x.Run]
		in := d.scope.first > 0 && slices.ContainsFunc(x.seqs(), func(seq int64) bool { return seq >= d.scope.first && seq <= d.scope.last })
		if !ours && !in {
			continue
		}
		for _, seq := range x.seqs() {
			d.scope.also[seq] = true
		}
		if ours {
			d.agreed[x.Run] = append(d.agreed[x.Run], *x)
		} else {
			d.Approvals = append(d.Approvals, *x)
		}
	}
	return nil
}

func (x *Approval) seqs() []int64 {
	out := []int64{x.Entry}
	for _, a := range x.Answers {
		out = append(out, a.Entry)
	}
	return out
}

// agreements holds what is said of them against their entries: every one that the file
// has is told of once, as it is, and at the run that waited for it.
func (w *walker) agreements() {
	if !w.c.Header.Approvals {
		return // of a version that did not tell of them
	}
	var read agreements
	told := map[int64]bool{}
	for _, e := range w.list {
		if slices.Contains(approvals.Kinds(), e.Kind) {
			told[e.Seq] = false
			if err := read.add(e); err != nil {
				w.c.fault(0, e.Seq, "entry %d about an agreement cannot be read", e.Seq)
			}
		}
	}
	check := func(line int, x Approval, of string) {
		is, known := read.by[x.ID]
		if !known || is.Gate == approvals.Start && of != "" && !w.openedWith(of, x.ID) {
			w.c.fault(line, x.Entry, "line %d: it reports an approval that its entries do not contain", line)
			return
		}
		want := *is
		if want.Gate == approvals.Start {
			want.Run = of
		}
		said, _ := json.Marshal(x)
		has, _ := json.Marshal(want)
		if !bytes.Equal(said, has) || of != "" && x.Run != of {
			w.c.fault(line, x.Entry, "line %d: what it says of the agreement %s is not what its entries say", line, x.ID)
		}
		for _, seq := range is.seqs() {
			told[seq] = true
		}
	}
	for _, r := range w.runs {
		for _, x := range r.is.Approvals {
			check(r.line, x, r.is.Run)
		}
	}
	for _, x := range w.asked {
		check(x.line, x.is, "")
	}
	for _, e := range w.list {
		if yes, about := told[e.Seq]; about && !yes && !e.At.Before(w.c.Header.From) && e.At.Before(w.c.Header.To) && (w.c.Header.Credential == "" || e.Subject == w.c.Header.Credential) {
			w.c.fault(0, e.Seq, "entry %d is about an approval that no line reports", e.Seq)
		}
	}
}

// openedWith reports whether a run was opened with a plan.
func (w *walker) openedWith(run, plan string) bool {
	return slices.ContainsFunc(w.list, func(e journal.Entry) bool {
		var o rotation.Opened
		return e.Run == run && e.Kind == string(rotation.KindOpened) && json.Unmarshal(e.Body, &o) == nil && o.Plan == plan
	})
}

// agreed are a request and what was said to it, in pairs.
func agreed(x Approval) [][2]string {
	what := "the start, plan " + brief12(x.Digest)
	if x.Gate == approvals.Retiring {
		what = "revoking the old one (" + brief12(x.Digest) + ")"
	}
	wants := fmt.Sprintf("%d of %s", x.HowMany, x.Role)
	if x.Role == "" {
		wants = fmt.Sprint(x.HowMany)
	}
	out := [][2]string{{"asked", fmt.Sprintf("for %s by %s at %s, of %s", what, x.By, clock(x.At), wants) + because(x.Reason)}}
	for _, a := range x.Answers {
		if a.Said == said[approvals.Expired] {
			out = append(out, [2]string{a.Said, "at " + clock(a.At)})
			continue
		}
		text := fmt.Sprintf("by %s at %s", a.By, clock(a.At))
		if sub := a.By.Claims["sub"]; sub != "" && sub != a.By.Name {
			text += ", subject " + sub
		}
		if acr := a.By.Claims["acr"]; acr != "" {
			text += ", acr " + acr
		}
		if !a.SignedIn.IsZero() {
			text += ", signed in at " + clock(a.SignedIn)
		}
		if a.AsAsker {
			text += ", who had requested it too"
		}
		out = append(out, [2]string{a.Said, text + because(a.Reason)})
	}
	return out
}

func brief12(digest string) string { return digest[:min(12, len(digest))] }
