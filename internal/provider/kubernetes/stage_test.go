package kubernetes_test

import (
	"encoding/json"
	"flag"
	"slices"
	"testing"
	"time"

	"rekey/internal/provider/kubernetes"
	"rekey/internal/provider/kubernetes/double"
	"rekey/internal/rotation"
	"rekey/internal/sop"
	"rekey/internal/stage"
	"rekey/internal/stage/reference"
	"rekey/internal/world"
)

var whole = flag.Bool("whole", false, "every fault of every kind at every call")

// played plays a rotation of which store and consumer are Secrets, with pods that use
// the credential all the time and whose outages of a moment count.
func played(faults ...stage.Fault) (stage.Verdict, *reference.Triple) {
	knobs := world.Knobs{BootDelay: world.Duration(900 * time.Millisecond), Shutdown: world.Duration(5 * time.Second), EdgeDelay: world.Duration(3 * time.Second)}
	x := reference.NewWith(1, reference.Can{Beside: true, Disable: true, LastSeen: true, Admits: true, Finds: true}, knobs, reference.Guest{
		Driver:     kubernetes.Descriptor,
		Connection: `{"base_url":"https://` + double.Host + `","token":["env:KUBERNETES_TOKEN"]}`,
		Store:      sop.Place{Key: "kubernetes:vault/kept", Settings: json.RawMessage(`{"namespace":"vault","secret":"kept","keep_secret":"kept-before"}`)},
		Consumer:   sop.Place{Key: "kubernetes:shop/app", Settings: json.RawMessage(`{"namespace":"shop","secret":"app","workloads":["deployment/web","statefulset/db"]}`)},
		Double: func(state *world.State, store, consumer map[string]string) world.Double {
			state.Env["KUBERNETES_TOKEN"] = "token-of-the-cluster"
			d := double.New(state, "token-of-the-cluster")
			store["other"], consumer["other"] = "of others", "of others"
			d.Secret("vault", "kept", store)
			d.Secret("shop", "app", consumer)
			d.Workload("Deployment", "shop", "web", "app", 2, nil)
			d.Workload("StatefulSet", "shop", "db", "app", 2, nil)
			return d
		},
	})
	x.Clock.Pass(time.Minute) // everything runs
	x.World.Do(func() {})
	return x.Stage.Run(reference.Credential, x.Judge, faults...), x
}

// TestPromisesHoldOnTheStage: a rotation with Secrets and rollouts keeps every promise,
// whatever happens at any one call: a process that dies, a lost answer, answers that are
// not true, a journal that was set back, two processes.
func TestPromisesHoldOnTheStage(t *testing.T) {
	undisturbed, x := played()
	if undisturbed.Ending != string(rotation.Rotated) || len(undisturbed.Broken) > 0 || undisturbed.Err != nil {
		log := x.Log.Text()
		t.Fatalf("%q %v %v\n%s", undisturbed.Ending, undisturbed.Broken, undisturbed.Err, log[max(0, len(log)-3000):])
	}
	t.Logf("%d calls, %d of them before the plan", undisturbed.Calls, undisturbed.Looked)
	step, pairs := 17, 19997
	switch {
	case *whole:
		step, pairs = 1, 997
	case testing.Short():
		step, pairs = 97, 199999
	}
	ends := map[string]int{}
	meet := func(faults ...stage.Fault) {
		v, _ := played(faults...)
		ends[v.Ending]++
		if len(v.Broken) > 0 || v.Err != nil || v.Ending == "stuck" && !v.Healed {
			t.Errorf("%s: %q, healed %v\n  %v %v", stage.Words(faults), v.Ending, v.Healed, v.Broken, v.Err)
		}
	}
	n, kinds := 0, slices.Concat(stage.Kinds, stage.Rude)
	for call := 1; call <= undisturbed.Calls; call++ {
		for _, kind := range kinds {
			if n++; n%step == 0 {
				meet(stage.Fault{Call: call, Kind: kind})
			}
		}
	}
	single := n
	for at := range single {
		for then := at + 1; then < single; then++ {
			one, two := stage.Fault{Call: 1 + at/len(kinds), Kind: kinds[at%len(kinds)]}, stage.Fault{Call: 1 + then/len(kinds), Kind: kinds[then%len(kinds)]}
			if n++; one.Call < two.Call && n%pairs == 0 {
				meet(one, two)
			}
		}
	}
	t.Logf("of %d single faults every %d., of %d pairs every %d. (-args -whole tries more): %v", single, step, n-single, pairs, ends)
	if ends[string(rotation.Rotated)] == 0 || ends[string(rotation.RolledBack)] == 0 {
		t.Errorf("it only ever ends in one way: %v", ends)
	}
}
