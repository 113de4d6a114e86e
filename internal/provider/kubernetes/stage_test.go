package kubernetes_test

import (
	"encoding/json"
	"flag"
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

var (
	whole = flag.Bool("whole", false, "every fault of every kind at every call")
	from  = flag.Int("from", stage.Turn(), "of a sample, which: so many are left out first")
)

// played plays a rotation of which store and consumer are Secrets, with pods that use
// the credential all the time and whose outages of a moment count. Every other time it
// is a Deployment alone whose pods take longer to end than anything else is waited for.
func played(faults ...stage.Fault) (stage.Verdict, *reference.Triple) {
	turn := 0
	for _, f := range faults {
		turn += f.Call + len(f.Kind)
	}
	shutdown, workloads := 5*time.Second, `"deployment/web","statefulset/db"`
	if turn%2 == 1 {
		shutdown, workloads = 45*time.Second, `"deployment/web"`
	}
	knobs := world.Knobs{BootDelay: world.Duration(900 * time.Millisecond), Shutdown: world.Duration(shutdown), EdgeDelay: world.Duration(3 * time.Second)}
	x := reference.NewWith(1, reference.Can{Beside: true, Disable: true, LastSeen: true, Admits: true, Finds: true}, knobs, reference.Guest{
		Driver:     kubernetes.Descriptor,
		Connection: `{"base_url":"https://` + double.Host + `","token":["env:KUBERNETES_TOKEN"]}`,
		Store:      sop.Place{Key: "kubernetes:vault/kept", Settings: json.RawMessage(`{"namespace":"vault","secret":"kept","keep_secret":"kept-before"}`)},
		Consumer:   sop.Place{Key: "kubernetes:shop/app", Settings: json.RawMessage(`{"namespace":"shop","secret":"app","workloads":[` + workloads + `]}`)},
		Double: func(state *world.State, store, consumer map[string]string) world.Double {
			state.Env["KUBERNETES_TOKEN"] = "token-of-the-cluster"
			d := double.New(state, "token-of-the-cluster")
			store["other"], consumer["other"] = "of others", "of others"
			d.Secret("vault", "kept", store)
			d.Secret("shop", "app", consumer)
			d.Workload("Deployment", "shop", "web", "app", 2, nil)
			if turn%2 == 0 {
				d.Workload("StatefulSet", "shop", "db", "app", 2, nil)
			}
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
	sample := stage.Sample{Singles: 23, Pairs: 56099, Acts: 41, From: *from}
	switch {
	case *whole:
		sample = stage.Sample{Singles: 1, Pairs: 997, Acts: 1, From: *from}
	case testing.Short():
		sample = stage.Sample{Singles: 131, Pairs: 374321, Acts: 499, From: *from}
	}
	y := stage.Tally{T: t, Play: func(faults ...stage.Fault) stage.Verdict { v, _ := played(faults...); return v }}
	single, pairs, others := sample.Each(undisturbed.Calls, x.Acts(), y.Meet)
	t.Logf("of %d single faults every %d., of %d pairs every %d., of %d acts of others every %d. (-args -whole tries more): %d played, %v", single, sample.Singles, pairs, sample.Pairs, others, sample.Acts, y.N, y.Ends)
	if y.Ends[string(rotation.Rotated)] == 0 || y.Ends[string(rotation.RolledBack)] == 0 {
		t.Errorf("it only ever ends in one way: %v", y.Ends)
	}
}
