package notify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rekey/internal/sop"
)

// To lists the channels that a notice goes to, sorted: those of every rule that it fits,
// or all where there are no rules.
func To(n *sop.Notices, notice Notice) []string {
	var out []string
	if len(n.Rules) == 0 {
		for name := range n.Channels {
			out = append(out, name)
		}
	}
	for _, r := range n.Rules {
		if fits(r, notice) {
			out = append(out, r.To...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func fits(r sop.NotifyRule, n Notice) bool {
	switch {
	case len(r.When) > 0 && !slices.Contains(r.When, string(n.Kind)):
		return false
	case len(r.Credentials) > 0 && !slices.ContainsFunc(r.Credentials, func(p string) bool { return sop.Fits(n.Credential, p) }):
		return false
	}
	return len(r.Owners) == 0 || slices.Contains(r.Owners, n.Owner)
}

// Waits tells whether a notice is kept for when quiet hours are over: not where somebody is
// called, and not where there would be no time left then.
func Waits(n *sop.Notices, notice Notice, now time.Time) bool {
	if notice.Page || len(n.Quiet) == 0 || !sop.Open(n.Quiet, now) {
		return false
	}
	if notice.Until.IsZero() {
		return true
	}
	for at := now; at.Before(notice.Until.Add(-timeLeft)) && at.Sub(now) < 48*time.Hour; at = at.Add(15 * time.Minute) {
		if !sop.Open(n.Quiet, at) {
			return true
		}
	}
	return false
}

// timeLeft is how much time somebody has at least who is told when quiet hours are over.
const timeLeft = 2 * time.Hour

// many is how many notices go to one channel one by one; more are told in a summary.
const many = 5

// shown is how many of them a summary names.
const shown = 20

// Summary is one notice for several, which are told together.
func Summary(list []Notice, now time.Time, console string) Notice {
	ids, lines := make([]string, len(list)), []string{}
	for i, n := range list {
		if ids[i] = n.ID; i < shown {
			lines = append(lines, n.Title)
		}
	}
	if more := len(list) - shown; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	out := Notice{ID: "summary/" + digest(strings.Join(ids, "\n")), Kind: list[0].Kind, At: now, Count: len(list), Title: fmt.Sprintf("%d things to check", len(list)), Text: strings.Join(lines, "\n"), Next: "rekey status"}
	if console != "" {
		out.Link = console + "/"
	}
	return out
}
