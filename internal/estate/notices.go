package estate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rekey/internal/journal"
	"rekey/internal/notify"
	"rekey/internal/refs"
	"rekey/internal/report"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// Told is what telling people came to.
type Told = notify.Told

// Tried is what came of trying a channel.
type Tried struct {
	Channel string `json:"channel"`
	OK      bool   `json:"ok"`
	Why     string `json:"why,omitempty"` // not
}

// verifyEvery is how often the evidence is verified without anybody asking: it reads the
// whole journal.
const verifyEvery = 6 * time.Hour

// TellNotices sends what is to be told now and was not told yet, by the channels of
// rekey.yaml. It is called again and again, by one process at a time. What a channel did
// not take is in what it returns, and is not an error. Of a simulated world nobody is told.
// Whether anybody is told or not, it verifies the evidence now and then: see LastVerified.
func (e *Estate) TellNotices(ctx context.Context) (Told, error) {
	broken, err := e.unverified(ctx)
	if err != nil {
		return Told{}, err
	}
	if e.config.Notify == nil || e.simulated() {
		return Told{}, nil
	}
	known, err := e.known(ctx)
	if err != nil {
		return Told{}, err
	}
	now := e.now().UTC()
	k := notify.Known{Now: now, Rows: report.Rows(e.config.Specs, known, now), Runs: known.Runs, Compared: known.Compared, Discovered: known.Discovered, Console: e.config.Notify.Console, Acknowledged: map[string]bool{}}
	for _, f := range report.Findings(k.Rows, known, now) {
		k.Acknowledged[f.ID] = f.Acknowledged != nil
	}
	planned, err := e.schedule(ctx, known, k.Rows, now)
	if err != nil {
		return Told{}, err
	}
	k.Schedule = planned.Decided
	if k.Approvals, err = e.Approvals(ctx); err != nil {
		return Told{}, err
	}
	if k.Waiting, err = e.waiting(ctx, &known); err != nil {
		return Told{}, err
	}
	k.Unverified = broken
	w, err := e.surround(sop.Spec{})
	if err != nil {
		return Told{}, err
	}
	defer w.close()
	told, err := w.senders().Tell(ctx, w.book.J, e.config.Notify, notify.Notices(k), notify.Unsure(k)...)
	return told, failed(err)
}

// unverified is why the evidence does not verify, as it was seen last.
func (e *Estate) unverified(ctx context.Context) (string, error) {
	last := &e.evidence
	if e.here.Past != nil {
		last = &e.here.Past.verified
	}
	last.mu.Lock()
	defer last.mu.Unlock()
	now := e.now()
	if !last.at.IsZero() && now.Sub(last.at) < verifyEvery {
		return last.why, nil
	}
	v, err := e.Verify(ctx, Verifying{})
	if CodeOf(err) == NoJournal && err != nil {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	last.at, last.why = now, ""
	if !v.Report.OK() {
		last.why = v.Report.Findings[0].What
	}
	return last.why, e.noteVerified(ctx, now, last.why)
}

// verifiedMark is the mark under which every process finds what the last look came to.
const verifiedMark = "evidence verified"

// LastVerified is when the evidence was verified without anybody asking, and what was
// found; the zero time: it never was.
func LastVerified(ctx context.Context, j *journal.Journal) (at time.Time, why string, err error) {
	body, err := j.MarkOf(ctx, verifiedMark)
	if err != nil || body == "" {
		return at, "", err
	}
	stamp, why, _ := strings.Cut(body, " ")
	at, err = time.Parse(time.RFC3339, stamp)
	return at, why, err
}

func (e *Estate) noteVerified(ctx context.Context, at time.Time, why string) error {
	j, closing, err := e.Journal()
	if err != nil {
		return err
	}
	defer func() { _ = closing() }()
	if err = j.Beside(ctx); err == nil {
		err = j.Mark(ctx, verifiedMark, at.UTC().Format(time.RFC3339)+" "+why)
	}
	return err
}

// senders send over the real network.
func (w *work) senders() *notify.Senders {
	network, idle := w.network()
	w.closes = append(w.closes, idle)
	return &notify.Senders{Transport: network, Now: w.now, Text: w.finder.Text, Source: cmp.Or(w.config.Notify.Console, w.config.Evidence.Origin, "rekey"),
		Resolve: func(ctx context.Context, r sop.Refs) (secret.Value, error) {
			v, _, err := w.finder.Secret(ctx, r)
			return v, err
		}}
}

// TestNotices sends a notice that says that it is one to a channel, or to all.
func (e *Estate) TestNotices(ctx context.Context, channel string) ([]Tried, error) {
	switch {
	case e.config.Notify == nil:
		return nil, &Error{Code: Misfit, Err: errors.New("rekey.yaml names no channel (notify.channels)"), Advice: []string{"add one: notify: {channels: {team: {slack: env:SLACK_WEBHOOK}}}"}}
	case e.simulated():
		return nil, &Error{Code: Misfit, Err: errors.New("a simulation sends no notices: delete the line simulate to try a channel")}
	}
	names := slices.Sorted(maps.Keys(e.config.Notify.Channels))
	if channel != "" {
		if !slices.Contains(names, channel) {
			return nil, &Error{Code: Misfit, Err: fmt.Errorf("rekey.yaml names no channel %s, but these: %s", channel, joined(names))}
		}
		names = []string{channel}
	}
	w, err := e.surround(sop.Spec{})
	if err != nil {
		return nil, err
	}
	defer w.close()
	senders := w.senders()
	var out []Tried
	for _, name := range names {
		t := Tried{Channel: name, OK: true}
		if err := senders.Test(ctx, e.config.Notify, name); err != nil {
			t.OK, t.Why = false, err.Error()
		}
		out = append(out, t)
	}
	return out, nil
}

func joined(names []string) (out string) {
	for i, n := range names {
		if i > 0 {
			out += ", "
		}
		out += n
	}
	return out
}

// channels are what notices need on this machine.
func channels(config *sop.Config, finder *refs.Finder) (out []Finding) {
	if config.Notify == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(config.Notify.Channels)) {
		for _, need := range notify.Needs(config.Notify.Channels[name]) {
			f := Finding{"variables", "channel " + name + ": " + fmt.Sprint(need), true, ""}
			if !slices.ContainsFunc(need, finder.IsSet) {
				f = Finding{"variables", "channel " + name + ": " + fmt.Sprint(need) + " is not set", false, "set it, then: rekey notify test " + name}
			}
			out = append(out, f)
		}
	}
	return out
}
