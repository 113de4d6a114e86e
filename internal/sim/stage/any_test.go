package stage_test

import (
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
	play "rekey/internal/stage"
)

// triples are every kind of credential of this world's vendors, each with its store and
// consumer, all of them with their own doubles.
var triples = []struct {
	name     string
	on       func(int64, sim.Knobs) *stage.Stage
	strategy string
}{
	{name: "CF_ACCESS_SVC_CONSOLE", on: stage.New},
	{name: "CF_ACCESS_SVC_VAULT", on: stage.New},
	{name: "CF_ACCESS_SVC_VAULT", on: stage.New, strategy: "roll"},
	{name: "CF_ACCESS_SVC_CONSOLE", on: stage.NewOlder},
	{name: "CF_API_TOKEN_DNS", on: func(seed int64, _ sim.Knobs) *stage.Stage { return stage.For("CF_API_TOKEN_DNS", seed) }},
	{name: "CF_API_TOKEN_CI", on: func(seed int64, _ sim.Knobs) *stage.Stage { return stage.For("CF_API_TOKEN_CI", seed) }},
	{name: stage.DeployToken, on: stage.NewAuthorizations},
	{name: stage.MetricsToken, on: stage.NewAuthorizations},
	{name: stage.AppLogin, on: stage.NewClientSecrets},
	{name: stage.MetricsLogin, on: stage.NewClientSecrets},
	{name: stage.PortalKey, on: stage.NewByHand},
}

// TestEveryVendorIsJudgedByItsDouble: what the judge needs, every double says of
// itself, so that the judge of any triple needs no vendor's name. Each call is hit once,
// by the kinds in turn.
func TestEveryVendorIsJudgedByItsDouble(t *testing.T) {
	kinds := append(append([]stage.Kind{}, stage.Kinds...), stage.Rude...)
	played := 0
	ends := map[string]int{}
	for n, tr := range triples {
		alone := tr.on(1, stage.Rough(0))
		alone.Strategy(tr.strategy)
		v := alone.Stage.Run(tr.name, alone.Stage.Judge)
		if v.Err != nil || v.Ending != string(rotation.Rotated) || len(v.Broken) > 0 {
			t.Errorf("%s: %q %v %v", tr.name, v.Ending, v.Broken, v.Err)
			continue
		}
		for call := 1 + n%3; call <= v.Calls; call += 3 {
			f := stage.Fault{Call: call, Kind: kinds[(call+n)%len(kinds)]}
			s := tr.on(int64(call), stage.Rough(call))
			s.Strategy(tr.strategy)
			got := s.Stage.Run(tr.name, s.Stage.Judge, f)
			played++
			ends[got.Ending]++
			if got.Err != nil || len(got.Broken) > 0 || got.Ending == "stuck" && !got.Healed {
				t.Errorf("%s (%s): %q %v %v", tr.name, play.Words([]stage.Fault{f}), got.Ending, got.Broken, got.Err)
			}
		}
	}
	t.Logf("%d scenarios of %d triples, %v", played, len(triples), ends)
	if played < 100 {
		t.Errorf("only %d were played", played)
	}
}
