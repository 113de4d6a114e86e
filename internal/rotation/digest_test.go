package rotation_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/rotation"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
)

// TestWhatOthersChangeBesideAPlanIsNoPartOfIt: a shared rule is edited whenever another
// credential is rotated, and an app is deployed every day. An agreement outlives that, and
// the plan that is carried out says it; what is of this credential is part of it.
func TestWhatOthersChangeBesideAPlanIsNoPartOfIt(t *testing.T) {
	reviewed := planOf(t, played(t, func(*stage.Stage) {}))
	rule := &reviewed.Seen.Admission.Places[0]
	for name, tt := range map[string]struct {
		change func(*rotation.Plan)
		part   bool
		says   string
	}{
		"nothing":                           {func(*rotation.Plan) {}, false, ""},
		"a rule names another one as well":  {func(p *rotation.Plan) { p.Seen.Admission.Places[0].Names = append([]string{"other"}, rule.Names...) }, false, "seen.admission.places[0].names"},
		"a rule was edited":                 {func(p *rotation.Plan) { p.Seen.Admission.Places[0].Revision = "later" }, false, "seen.admission.places[0].revision"},
		"a rule names this one no more":     {func(p *rotation.Plan) { p.Seen.Admission.Places[0].Names = nil }, true, ""},
		"a rule does not accept any more":   {func(p *rotation.Plan) { p.Seen.Admission.Places[0].Admits = false }, true, ""},
		"a rule guards another app":         {func(p *rotation.Plan) { p.Seen.Admission.Places[0].Guards = []string{"x"} }, true, ""},
		"this one cannot be replaced there": {func(p *rotation.Plan) { p.Seen.Admission.Places[0].Problems = map[string]string{p.Old.ID: "no"} }, true, ""},
		"another cannot be replaced there":  {func(p *rotation.Plan) { p.Seen.Admission.Places[0].Problems = map[string]string{"other": "no"} }, false, "seen.admission.places[0].problems"},
		"an app was deployed":               {func(p *rotation.Plan) { p.Seen.Consumers[0].Mark = "77" }, false, `seen.consumers[0].mark was "41" and is "77"`},
		"an app has more processes":         {func(p *rotation.Plan) { p.Seen.Consumers[0].Units, p.Costs = 9, nil }, false, "seen.consumers[0].units"},
		"old processes live on for longer":  {func(p *rotation.Plan) { p.Seen.Consumers[0].Grace += time.Hour }, true, ""},
		"a slot was written again":          {func(p *rotation.Plan) { p.Seen.Store.Slots[0].Version = "77" }, false, "seen.store.slots[0].version"},
		"a slot holds something else":       {func(p *rotation.Plan) { p.Seen.Store.Slots[0].Fingerprint = "other" }, true, ""},
		"the issuer lists another's": {func(p *rotation.Plan) {
			p.Seen.Issuer.Live = append(p.Seen.Issuer.Live, cred.Handle{ID: "x", Name: "somebody's"})
		}, false, ""},
		"the issuer lists one more of ours": {func(p *rotation.Plan) {
			p.Seen.Issuer.Live = append(p.Seen.Issuer.Live, cred.Handle{ID: "x", Name: p.Old.Name})
		}, true, ""},
		"another one is in use":              {func(p *rotation.Plan) { p.Old.ID = "x" }, true, ""},
		"another step":                       {func(p *rotation.Plan) { p.Steps = p.Steps[1:] }, true, ""},
		"rekey.yaml asks for more agreement": {func(p *rotation.Plan) { p.Spec.Approvals = &sop.Approval{HowMany: 2} }, true, ""},
	} {
		now := new(rotation.Plan)
		if b, err := json.Marshal(reviewed); err != nil || json.Unmarshal(b, now) != nil {
			t.Fatal(err)
		}
		notes := len(now.Notes)
		tt.change(now)
		if part := now.Digest() != reviewed.Digest(); part != tt.part || part != (len(rotation.Differences(reviewed, now)) > 0) {
			t.Errorf("%s: part of the plan: %t, %v", name, part, rotation.Differences(reviewed, now))
		}
		now.NoteSince(reviewed)
		if said := strings.Join(now.Notes[notes:], "\n"); !tt.part && (!strings.Contains(said, tt.says) || (said == "") != (tt.says == "")) {
			t.Errorf("%s: noted %q", name, said)
		}
	}
}
