package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/provider/kubernetes/double"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
	"rekey/internal/world"
)

// bench is a simulated cluster in virtual time.
type bench struct {
	t     *testing.T
	now   time.Time
	d     *double.Double
	w     *world.World
	calls []vendorhttp.Call
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	state := &world.State{Seed: 7, At: b.now}
	b.d = double.New(state, "hunter2")
	b.w = world.Open(state, func() time.Time { return b.now }, b.d)
	b.w.Do(func() {
		b.d.Secret("shop", "app", map[string]string{"A": "one", "B": "2"})
		for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet"} {
			b.d.Workload(kind, "shop", strings.ToLower(kind)[:3], "app", 3, nil)
		}
	})
	b.after(time.Minute)
	return b
}

func (b *bench) after(d time.Duration) {
	b.now = b.now.Add(d)
	b.w.Do(func() {})
}

func (b *bench) cluster(network http.RoundTripper) *cluster {
	v, err := Descriptor.Open(provider.Env{
		Transport: network, Now: func() time.Time { return b.now },
		Observe: func(c vendorhttp.Call) { b.calls = append(b.calls, c) },
		Resolve: func(context.Context, sop.Refs) (secret.Value, provider.Source, error) {
			return secret.New("hunter2"), provider.Source{}, nil
		},
	}, "kubernetes", json.RawMessage(`{"base_url":"https://`+double.Host+`","token":"env:X"}`))
	if err != nil {
		b.t.Fatal(err)
	}
	return v.(*cluster)
}

func opened[T any](t *testing.T, open func(json.RawMessage) (T, error), settings string) T {
	t.Helper()
	x, err := open(json.RawMessage(settings))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

const (
	storing = `{"namespace":"shop","secret":"app","keep_secret":"app-before"}`
	three   = `{"namespace":"shop","secret":"app","workloads":["deployment/dep","statefulset/sta","daemonset/dae"]}`
)

func (b *bench) store() *store {
	return opened(b.t, b.cluster(b.w).Store, storing).(*store)
}

func (b *bench) consumer(settings string) *consumer {
	return opened(b.t, b.cluster(b.w).Consumer, settings).(*consumer)
}

func (b *bench) progress(c *consumer, since string) provider.Progress {
	b.t.Helper()
	p, err := c.Progress(b.t.Context(), provider.Followed{Since: since}, []string{"A"})
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// holding counts the living processes by what they hold in A.
func (b *bench) holding() map[string]int {
	out := map[string]int{}
	b.w.See(func(s *world.State) {
		b.d.Processes(func(p world.Process) {
			if p.Alive(s.At) {
				out[p.Env["A"]]++
			}
		})
	})
	return out
}

func set(slot, value string) []provider.SlotValue {
	return []provider.SlotValue{{Slot: slot, Value: secret.New(value), Stamp: map[string]string{"run": "r1"}}}
}

// TestASecretIsAStoreThatRemembers: values, versions that grow by one, earlier ones that
// can be read, notes beside them; and somebody's edit is a version too.
func TestASecretIsAStoreThatRemembers(t *testing.T) {
	b := newBench(t)
	s := b.store()
	held, err := s.Read(t.Context(), []string{"A", "C"})
	if err != nil || held["A"].Value.Reveal() != "one" || held["A"].Version != "1" || held["C"].Present {
		t.Fatalf("%v %v", held["A"].Version, err)
	}
	if err := s.History(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	if err := s.History(t.Context(), held); err != nil { // the trial has left nothing behind
		t.Fatal(err)
	}
	for i, v := range []string{"two", "two", "three", "four", "five", "six"} {
		after, err := s.Write(t.Context(), append(set("A", v), set("C", "c")...))
		want := fmt.Sprint(max(2, i+1))
		if err != nil || after["A"].Value.Reveal() != v || after["A"].Version != want || after["A"].Stamp["run"] != "r1" {
			t.Fatalf("%s: version %s, want %s: %v", v, after["A"].Version, want, err)
		}
	}
	for version, want := range map[string]string{"6": "six", "5": "five", "3": "three", "2": "", "1": "", "7": "", "x": "", "": ""} {
		v, err := s.ReadVersion(t.Context(), "A", version)
		if want == "" && cred.ClassOf(err) != cred.Absent || want != "" && (err != nil || v.Reveal() != want) {
			t.Errorf("version %s: %q, %v", version, v.Reveal(), err)
		}
	}
	if err := s.Remove(t.Context(), []string{"C", "none", "C"}); err != nil {
		t.Error(err)
	}
	b.w.Do(func() { b.d.Secret("shop", "app", map[string]string{"A": "theirs"}) })
	if held, err = s.Read(t.Context(), []string{"A", "B", "C"}); err != nil || held["A"].Version != "8" || held["B"].Present || held["C"].Present {
		t.Errorf("%s %v", held["A"].Version, err)
	}
	none := opened(t, b.cluster(b.w).Store, `{"namespace":"shop","secret":"app"}`)
	if err := none.History(t.Context(), held); cred.ClassOf(err) != cred.Refused || !strings.Contains(err.Error(), "keep_secret") {
		t.Error(err)
	}
	wrong := opened(t, b.cluster(b.w).Store, `{"namespace":"shop","secret":"gone"}`)
	if _, err := wrong.Read(t.Context(), []string{"A"}); cred.ClassOf(err) != cred.Absent {
		t.Error(err)
	}
}

var errCut = errors.New("cut")

// network lets a test stand between the client and the cluster.
type network func(req *http.Request) (*http.Response, error)

func (n network) RoundTrip(req *http.Request) (*http.Response, error) { return n(req) }

// TestKilledAtEveryRequest: wherever a write dies, before or after the request took
// effect, the Secret holds the old or the new values, and who comes after reads the old
// ones under their version and can write again.
func TestKilledAtEveryRequest(t *testing.T) {
	outcomes := map[string]int{}
	for _, after := range []bool{false, true} {
		for at := 1; ; at++ {
			b := newBench(t)
			calls := 0
			cut := network(func(req *http.Request) (*http.Response, error) {
				if calls++; calls > at || calls == at && !after {
					return nil, errCut
				}
				resp, err := b.w.RoundTrip(req)
				if calls == at {
					return nil, errCut
				}
				return resp, err
			})
			s := opened(t, b.cluster(cut).Store, storing)
			_, err := s.Write(t.Context(), set("A", "two"))
			if calls < at {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			next := b.store()
			held, err := next.Read(t.Context(), []string{"A"})
			if err != nil {
				t.Fatal(err)
			}
			got := held["A"].Value.Reveal()
			outcomes[got]++
			if want := map[string]string{"one": "1", "two": "2"}[got]; held["A"].Version != want {
				t.Errorf("cut at %d, after %v: %q is version %s", at, after, got, held["A"].Version)
			}
			if v, err := next.ReadVersion(t.Context(), "A", "1"); err != nil || v.Reveal() != "one" {
				t.Errorf("cut at %d, after %v: version 1 is %q, %v", at, after, v.Reveal(), err)
			}
			if again, err := next.Write(t.Context(), set("A", "two")); err != nil || again["A"].Version != "2" {
				t.Errorf("cut at %d, after %v, and written again: version %s, %v", at, after, again["A"].Version, err)
			}
		}
	}
	if outcomes["one"] < 4 || outcomes["two"] < 3 {
		t.Errorf("%v", outcomes)
	}
}

// TestEditsOfOthersAreNoticed: of the same slot, and of the Secret at the very moment; an
// edit of another key before is kept.
func TestEditsOfOthersAreNoticed(t *testing.T) {
	b := newBench(t)
	c := b.consumer(`{"namespace":"shop","secret":"app"}`)
	look := func() {
		if _, err := c.Snapshot(t.Context(), []string{"A"}); err != nil {
			t.Fatal(err)
		}
	}
	look()
	b.w.Do(func() { b.d.Secret("shop", "app", map[string]string{"A": "one", "B": "theirs"}) })
	if err := c.Write(t.Context(), set("A", "two")); err != nil {
		t.Fatal(err)
	}
	if held, err := c.Held(t.Context(), []string{"A", "B"}); err != nil || held["A"].Value.Reveal() != "two" || held["B"].Value.Reveal() != "theirs" {
		t.Error(err)
	}
	b.w.Do(func() { b.d.Secret("shop", "app", map[string]string{"A": "theirs"}) })
	if err := c.Write(t.Context(), set("A", "three")); cred.ClassOf(err) != cred.Foreign || cred.MayHaveHappened(err) {
		t.Error(err)
	}
	look()
	between := network(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPatch {
			b.w.Do(func() { b.d.Secret("shop", "app", map[string]string{"A": "theirs", "B": "3"}) })
		}
		return b.w.RoundTrip(req)
	})
	k := opened(t, b.cluster(between).Consumer, `{"namespace":"shop","secret":"app"}`)
	if err := k.Write(t.Context(), set("A", "three")); cred.ClassOf(err) != cred.Conflict || !cred.MayHaveHappened(err) {
		t.Error(err)
	}
}

// TestEveryWorkloadIsRolledOut: until it is applied nothing is new, and it says so; then
// it is followed until no pod of before is left, those that terminate included. A
// process that dies between write and apply, or in the middle of applying, leaves what
// the next one finishes; what is rolled out already is left alone.
func TestEveryWorkloadIsRolledOut(t *testing.T) {
	b := newBench(t)
	c := b.consumer(three)
	before, err := c.Snapshot(t.Context(), []string{"A"})
	if err != nil || before.Units != 9 || len(before.Problems) > 0 || before.Mark != "0" || before.Pending {
		t.Fatalf("%+v %v", before, err)
	}
	if p := b.progress(c, ""); p.Class != cred.Done || len(p.Evidence) != 3 || strings.Contains(p.Evidence[0], "began after") {
		t.Errorf("as it is, and it says %s %s %v", p.Class, p.Detail, p.Evidence)
	}
	if err := c.Write(t.Context(), set("A", "two")); err != nil {
		t.Fatal(err)
	}
	b.after(time.Minute)
	if p := b.progress(c, before.Mark); p.Class != cred.Waiting || !strings.Contains(p.Detail, "3 pods began before") || p.Slots["A"].Value.Reveal() != "two" {
		t.Errorf("not applied, and it says %s %s", p.Class, p.Detail)
	}
	// Cut after the first of three.
	patches := 0
	cut := network(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPatch {
			if patches++; patches == 2 {
				return nil, errCut
			}
		}
		return b.w.RoundTrip(req)
	})
	if err := opened(t, b.cluster(cut).Consumer, three).(*consumer).Apply(t.Context(), nil); !cred.MayHaveHappened(err) {
		t.Errorf("cut in the middle: %v", err)
	}
	if err := c.Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 600 {
		p := b.progress(c, before.Mark)
		if p.Class == cred.Done {
			if got := b.holding(); got["one"] > 0 || got["two"] != 9 {
				t.Errorf("it is done, and processes hold %v", got)
			}
			if len(p.Evidence) != 3 || p.Mark != "1" {
				t.Errorf("%v, mark %s", p.Evidence, p.Mark)
			}
			seen["done"] = true
			break
		}
		if p.Class != cred.Waiting || len(p.Evidence) > 0 {
			t.Fatalf("%s %s", p.Class, p.Detail)
		}
		seen[strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return -1
			}
			return r
		}, strings.TrimPrefix(p.Detail, "deployment/dep: "))] = true
		b.after(100 * time.Millisecond)
	}
	for _, want := range []string{"done", "the rollout has not begun", " of  pods are new", " pods began before the Secret was written"} {
		if !seen[want] {
			t.Errorf("never seen: %q in %v", want, seen)
		}
	}
	b.calls = nil
	if err := c.Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for _, call := range b.calls {
		if call.Changes {
			t.Errorf("what runs with it already was restarted: %s", call.Op)
		}
	}
	// Somebody deletes the Secret and makes it anew: what pods are marked with is of another.
	b.w.Do(func() {
		delete(b.d.Cluster.Objects, "/api/v1/namespaces/shop/secrets/app")
		b.d.Secret("shop", "app", map[string]string{"A": "two"})
	})
	if err := c.Write(t.Context(), set("A", "three")); err != nil {
		t.Fatal(err)
	}
	if p := b.progress(c, "0"); p.Class != cred.Waiting {
		t.Errorf("pods hold the old one, and it says %s", p.Class)
	}
}

// TestWithoutItsMarkAPodIsYounger: somebody else's rollout took the annotation away; the
// server's clock proves it still.
func TestWithoutItsMarkAPodIsYounger(t *testing.T) {
	b := newBench(t)
	c := b.consumer(`{"namespace":"shop","secret":"app","workloads":["deployment/dep"]}`)
	if err := c.Write(t.Context(), set("A", "two")); err != nil {
		t.Fatal(err)
	}
	b.after(2 * time.Second)
	b.w.Do(func() {
		b.d.Workload("Deployment", "shop", "dep", "app", 3, map[string]any{"minReadySeconds": 0.0})
		o := b.d.Cluster.Objects["/apis/apps/v1/namespaces/shop/deployments/dep"]
		o.Spec["template"].(map[string]any)["metadata"].(map[string]any)["annotations"] = map[string]any{"helm": "upgrade"}
	})
	if p := b.progress(c, "0"); p.Class != cred.Waiting {
		t.Errorf("%s", p.Class)
	}
	b.after(time.Minute)
	if p := b.progress(c, "0"); p.Class != cred.Done || b.holding()["two"] != 3 {
		t.Errorf("%s %s %v", p.Class, p.Detail, b.holding())
	}
}

// TestNewPodsThatDoNotComeUp: it is told as failed, the old ones still run, and going
// back ends with all of them as they were.
func TestNewPodsThatDoNotComeUp(t *testing.T) {
	b := newBench(t)
	c := b.consumer(`{"namespace":"shop","secret":"app","workloads":["deployment/dep"]}`)
	b.w.Turn(func(k *world.Knobs) { k.Crash = true })
	write := func(value string) {
		t.Helper()
		if err := errors.Join(c.Write(t.Context(), set("A", value)), c.Apply(t.Context(), nil)); err != nil {
			t.Fatal(err)
		}
	}
	write("two")
	b.after(time.Minute)
	if p := b.progress(c, "0"); p.Class != cred.Failed || !p.Unwell || !strings.Contains(p.Detail, "CrashLoopBackOff") {
		t.Errorf("%s %s", p.Class, p.Detail)
	}
	if got := b.holding(); got["one"] < 9 {
		t.Errorf("%v", got)
	}
	b.w.Turn(func(k *world.Knobs) { k.Crash = false })
	write("one")
	b.after(time.Minute)
	if p := b.progress(c, "1"); p.Class != cred.Done || b.holding()["two"] > 0 {
		t.Errorf("%s %s %v", p.Class, p.Detail, b.holding())
	}
}

// TestWhatStandsAgainstARolloutIsForeseen, before anything is written.
func TestWhatStandsAgainstARolloutIsForeseen(t *testing.T) {
	b := newBench(t)
	one := `{"namespace":"shop","secret":"app","workloads":["%s"]}`
	for _, c := range []struct {
		workload, says string
		problem        bool
		change         func()
	}{
		{"deployment/dep", "paused", true, func() {
			b.d.Workload("Deployment", "shop", "dep", "app", 3, map[string]any{"paused": true})
		}},
		{"deployment/dep", "Recreate", false, func() {
			b.d.Workload("Deployment", "shop", "dep", "app", 3, map[string]any{"strategy": map[string]any{"type": "Recreate"}})
		}},
		{"deployment/dep", "would prove nothing", true, func() { b.d.Workload("Deployment", "shop", "dep", "other", 3, nil) }},
		{"daemonset/dae", "OnDelete", true, func() {
			b.d.Workload("DaemonSet", "shop", "dae", "app", 3, map[string]any{"updateStrategy": map[string]any{"type": "OnDelete"}})
		}},
		{"statefulset/sta", "partition", true, func() {
			b.d.Workload("StatefulSet", "shop", "sta", "app", 3, map[string]any{"updateStrategy": map[string]any{"rollingUpdate": map[string]any{"partition": 2}}})
		}},
		{"statefulset/sta", "one pod", false, func() { b.d.Workload("StatefulSet", "shop", "one", "app", 1, nil) }},
	} {
		b.w.Do(c.change)
		b.after(time.Minute)
		w := c.workload
		if strings.Contains(c.says, "one pod") {
			w = "statefulset/one"
		}
		s, err := b.consumer(fmt.Sprintf(one, w)).Snapshot(t.Context(), []string{"A"})
		told := s.Notes
		if c.problem {
			told = s.Problems
		}
		if err != nil || !strings.Contains(strings.Join(told, "\n"), c.says) {
			t.Errorf("%s: want %q: %v, problems %v, notes %v", w, c.says, err, s.Problems, s.Notes)
		}
	}
	missing := b.consumer(fmt.Sprintf(one, "deployment/none"))
	if _, err := missing.Snapshot(t.Context(), []string{"A"}); cred.ClassOf(err) != cred.Absent {
		t.Error(err)
	}
	for says, o := range map[string]double.Object{
		"ExternalSecret":       {Meta: double.Meta{Owners: []double.Owner{{Kind: "ExternalSecret", Name: "x", UID: "u", Controller: true}}}},
		"immutable":            {Immutable: true},
		"Helm":                 {Meta: double.Meta{Labels: map[string]string{"app.kubernetes.io/managed-by": "Helm"}}},
		"kubectl apply":        {Meta: double.Meta{Annotations: map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}"}}},
		"Argo CD":              {Meta: double.Meta{Labels: map[string]string{"argocd.argoproj.io/instance": "x"}}},
		"service account":      {Type: "kubernetes.io/service-account-token"},
		"External Secrets":     {Meta: double.Meta{Labels: map[string]string{"reconcile.external-secrets.io/managed": "true"}}},
		"Flux keeps it as it ": {Meta: double.Meta{Labels: map[string]string{"kustomize.toolkit.fluxcd.io/name": "x"}}},
	} {
		o.Kind, o.APIVersion, o.Meta.Name, o.Meta.Namespace, o.Data = "Secret", "v1", "app", "shop", map[string]string{"A": "b25l"}
		b.w.Do(func() { b.d.Put("/api/v1/namespaces/shop/secrets/app", o) })
		seen, err := b.store().Foresee(t.Context(), []provider.Intended{{Slot: "A"}, {Slot: "no/key"}})
		if err != nil || !strings.Contains(strings.Join(append(seen.Refused, seen.Told...), "\n"), says) || !strings.Contains(strings.Join(seen.Refused, "\n"), "no/key is not a key") {
			t.Errorf("want %q: %v %v", says, seen, err)
		}
		s, err := b.consumer(`{"namespace":"shop","secret":"app"}`).Snapshot(t.Context(), []string{"A"})
		if err != nil || !strings.Contains(strings.Join(append(s.Problems, s.Notes...), "\n"), says) {
			t.Errorf("want %q: %v %v", says, s, err)
		}
	}
	if err := b.consumer(`{"namespace":"shop","secret":"app"}`).Write(t.Context(), set("A", strings.Repeat("x", 1<<20))); cred.ClassOf(err) != cred.Refused || cred.MayHaveHappened(err) {
		t.Error(err)
	}
}

// TestOnlyTheServersOwnAnswersCount: a Status of the code with which it came; what a
// gateway answers is unknown, and a conflict after a write proves nothing.
func TestOnlyTheServersOwnAnswersCount(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		status int
		html   bool
		id     string
		class  cred.Class
		maybe  bool
	}{
		{401, false, "", cred.Denied, false}, {403, false, "", cred.Denied, false}, {404, false, "", cred.Absent, false}, {409, false, "", cred.Conflict, true},
		{422, false, "", cred.Refused, false}, {429, false, "", cred.Limited, false}, {500, false, "", cred.Unknown, true}, {504, false, "", cred.Unknown, true},
		{404, true, "", cred.Unknown, true}, {403, true, "", cred.Unknown, true}, {502, true, "", cred.Unknown, true},
	} {
		b.w.Inject(world.Fault{Endpoint: "PATCH", Status: c.status, HTML: c.html, ID: c.id})
		err := b.consumer(`{"namespace":"shop","secret":"app"}`).Write(t.Context(), set("A", fmt.Sprint("v", c.status, c.html)))
		if cred.ClassOf(err) != c.class || cred.MayHaveHappened(err) != c.maybe || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%d, html %v: %v", c.status, c.html, err)
		}
	}
	for _, f := range []world.Fault{{Empty: true}, {Half: true}, {Cut: true}} {
		b.w.Inject(f)
		if _, err := b.consumer(three).Snapshot(t.Context(), []string{"A"}); cred.ClassOf(err) != cred.Unknown {
			t.Errorf("%+v: %v", f, err)
		}
	}
}
