package rotation

import (
	"testing"
	"time"

	"rekey/internal/sop"
)

// TestADigestIsOfWhatIsDone: what the schedule goes by is none of it, and what an earlier
// version has written down, who took it in, is known again.
func TestADigestIsOfWhatIsDone(t *testing.T) {
	t.Parallel()
	plan := func(change func(*sop.Spec)) *Plan {
		p := &Plan{Run: "abcdef", Spec: sop.Spec{Name: "A", Owner: "team", Cadence: 90 * 24 * time.Hour, Issuer: sop.Issuer{Vendor: "cloudflare", Name: "a"}}, NewName: "a abcdef"}
		change(&p.Spec)
		return p
	}
	p := plan(func(*sop.Spec) {})
	for what, change := range map[string]func(*sop.Spec){
		"owner": func(s *sop.Spec) { s.Owner = "other" }, "cadence": func(s *sop.Spec) { s.Cadence = 1 }, "jitter": func(s *sop.Spec) { s.Jitter = 1 }, "before expiry": func(s *sop.Spec) { s.BeforeExpiry = 1 },
		"windows": func(s *sop.Spec) { s.Windows = []sop.Window{{}} }, "run": func(s *sop.Spec) { s.Run = sop.Automatically }, "canary": func(s *sop.Spec) { s.Canary = true }, "document": func(s *sop.Spec) { s.Document = "x" },
		"rehearse": func(s *sop.Spec) { s.Rehearse = &sop.Rehearsed{} },
	} {
		if other := plan(change); other.Digest() != p.Digest() || len(Differences(p, other)) != 0 {
			t.Errorf("another %s is another plan: %v", what, Differences(p, other))
		}
	}
	for what, change := range map[string]func(*sop.Spec){
		"role": func(s *sop.Spec) { s.Role = "x" }, "approvals": func(s *sop.Spec) { s.Approvals = &sop.Approval{HowMany: 2} }, "timing": func(s *sop.Spec) { s.Timing.Soak = 1 }, "discover": func(s *sop.Spec) { s.Discover = "off" },
		"issuer": func(s *sop.Spec) { s.Issuer.Kind = "x" }, "rehearsal": func(s *sop.Spec) { s.Purpose = sop.ToRehearse },
	} {
		if other := plan(change); other.Digest() == p.Digest() || len(Differences(p, other)) == 0 || p.Is(other.Digest()) {
			t.Errorf("another %s is the same plan", what)
		}
	}
	const before = "2bfc06fc41d56ab9837cc3f67cbc38c9bdac5ad3b8e6cd3e7f0284812c022a1c"
	if !p.Is(before) || !p.Is(p.Digest()) || p.Digest() == before || plan(func(s *sop.Spec) { s.Cadence = 1 }).Is(before) {
		t.Errorf("it is %s", p.Digest())
	}
}
