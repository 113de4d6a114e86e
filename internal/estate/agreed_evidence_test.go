package estate_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"rekey/internal/approvals"
	"rekey/internal/dossier"
	"rekey/internal/estate"
	"rekey/internal/evidence"
	"rekey/internal/report"
)

// TestEvidenceTellsWhoAgreedToWhat, by what proof, and verifies; an export that tells it
// otherwise does not, and neither does one that keeps silent of it.
func TestEvidenceTellsWhoAgreedToWhat(t *testing.T) {
	t.Parallel()
	b := agreeing(t, "    approvals: {before: both, how_many: 1, role: release, expire: 1d}\n")
	_, err := b.open(estate.Opening{Reason: "quarterly"})
	start := b.refused(err, estate.AwaitsApproval).Approval.Request
	b.as("carol", "release")
	b.approve(console)
	b.as("bob", "superadmin")
	ended, err := b.open(estate.Opening{})
	if err != nil || ended.Waiting == "" {
		t.Fatalf("%+v %v", ended, err)
	}
	b.as("dave", "release")
	b.approve(console)
	b.as("bob", "superadmin")
	if ended, err = b.operations().Advance(t.Context(), estate.Advancing{}, &told{}); err != nil || ended.State.Closed == nil {
		t.Fatalf("%+v %v", ended, err)
	}
	_, err = b.open(estate.Opening{}) // of this there is no run
	b.refused(err, estate.AwaitsApproval)
	b.as("carol", "release")
	if _, err := b.operations().Refuse(t.Context(), estate.Answering{About: console, Reason: "not in the freeze"}); err != nil {
		t.Fatal(err)
	}

	var lines bytes.Buffer
	found, err := b.operations().Evidence(t.Context(), estate.Period{From: time.Unix(0, 0), To: time.Unix(1<<33, 0)}, func(p []byte) error { lines.Write(p); return nil })
	if err != nil {
		t.Fatal(err)
	}
	run := found.Dossier.Runs[0]
	if len(run.Approvals) != 2 || len(found.Dossier.Approvals) != 1 {
		t.Fatalf("%+v %+v", run.Approvals, found.Dossier.Approvals)
	}
	first, second, third := run.Approvals[0], run.Approvals[1], found.Dossier.Approvals[0]
	if first.Gate != approvals.Start || first.Digest != start.Digest || first.Digest != run.Reviewed || first.By.Name != "bob" || first.Run != run.Run || first.Answers[0].By.Claims["sub"] != "carol" || first.Answers[0].SignedIn.IsZero() {
		t.Errorf("%+v", first)
	}
	if second.Gate != approvals.Retiring || second.Answers[0].By.Name != "dave" || second.Answers[0].Said != "agreed" || len(second.Final) == 0 {
		t.Errorf("%+v", second)
	}
	if third.Run != "" || third.Answers[0].Said != "refused" || third.Answers[0].Reason != "not in the freeze" {
		t.Errorf("%+v", third)
	}
	text := dossier.Text(found.Dossier, report.Style{})
	var page bytes.Buffer
	if err := dossier.Page(&page, found.Dossier); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"plan " + start.Digest[:12], "carol (proven by https://id.example.com)", "signed in at", "dave (proven by", "not in the freeze"} {
		if !strings.Contains(text, want) || !strings.Contains(page.String(), want) {
			t.Errorf("text or page does not say %q:\n%s", want, text)
		}
	}

	keys, err := evidence.ParseKeys(found.Evidence.Key)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, export []byte, want string) {
		t.Helper()
		c, err := dossier.Check(export, keys, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range c.Faults {
			if want != "" && strings.Contains(f.What, want) {
				return
			}
		}
		if want != "" || !c.OK() {
			t.Errorf("%s: %+v", what, c.Faults)
		}
	}
	check("as it is", lines.Bytes(), "")
	said := func(line, old, new string) []byte { // in what is told, and not in the entries
		out := bytes.SplitAfter(lines.Bytes(), []byte("\n"))
		for i, l := range out {
			if bytes.HasPrefix(l, []byte(`{"type":"`+line+`"`)) {
				out[i] = bytes.ReplaceAll(l, []byte(old), []byte(new))
			}
		}
		return bytes.Join(out, nil)
	}
	check("another person", said("run", `"dave"`, `"mallory"`), "what it says of the agreement")
	check("agreed to what was refused", said("approval", `"said":"refused"`, `"said":"agreed"`), "what it says of the agreement")
	check("nothing of a run's", said("run", `"approvals":`, `"approved":`), "that no line reports")
	check("nothing of a refusal", said("approval", `"type":"approval"`, `"type":"nothing"`), "that no line reports")
}
