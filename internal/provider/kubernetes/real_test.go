package kubernetes

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/provider/kubernetes/double"
	"rekey/internal/world"
)

// TestReal runs the driver against a real control plane.
func TestReal(t *testing.T) {
	c := realCluster(t)
	t.Run("the simulated cluster answers as it does", c.answers)
	t.Run("what the chart renders is taken", c.takesTheChart)
	t.Run("a Secret is a store", c.storesReally)
	t.Run("workloads are rolled out", c.rollsOut)
	t.Run("new pods that do not come up", c.crashes)
}

// answers asks both the same and compares.
func (c *control) answers(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	state := &world.State{Seed: 7, At: now}
	d := double.New(state, "hunter2")
	w := world.Open(state, func() time.Time { return now }, d)
	const secrets = "/api/v1/namespaces/shop/secrets"
	for _, q := range []struct{ method, path, kind, body string }{
		{"GET", "/none", "", ""},
		{"POST", "", "application/json", `{"metadata":{"name":"ask"},"data":{"A":"b25l"}}`},
		{"POST", "", "application/json", `{"metadata":{"name":"ask"},"data":{"A":"b25l"}}`},
		{"POST", "?dryRun=All", "application/json", `{"metadata":{"name":"ask"},"data":{"A":"b25l"}}`},
		{"POST", "?dryRun=All", "application/json", `{"metadata":{"name":"dry","annotations":{"rekey/version":"1 2"}}}`},
		{"GET", "/dry", "", ""},
		{"GET", "/ask", "", ""},
		{"PATCH", "/ask", mergeKey, `{"metadata":{"resourceVersion":"1"},"data":{"A":"dHdv"}}`},
		{"PATCH", "/ask", mergeKey, `{"metadata":{"annotations":{"rekey/write":"1","rekey/stamps":"{}"}},"data":{"A":"dHdv","B":"Yg=="}}`},
		{"PATCH", "/ask", mergeKey, `{"data":{"B":null}}`},
		{"PATCH", "/ask", mergeKey, `{"data":{"A":"!"}}`},
		{"PATCH", "/ask", mergeKey, `{"data":{"a/b":"dHdv"}}`},
		{"PATCH", "/ask", "application/json", `{}`},
		{"PATCH", "/ask", mergeKey, `{`},
		{"PATCH", "/none", mergeKey, `{"data":{"A":"dHdv"}}`},
		{"PATCH", "/ask", mergeKey, `{"immutable":true}`},
		{"PATCH", "/ask", mergeKey, `{"data":{"A":"b25l"}}`},
	} {
		real := shape(c.http.Transport.RoundTrip(request(c.base, q.method, secrets+q.path, q.kind, q.body)))
		ours := shape(w.RoundTrip(request("https://"+double.Host, q.method, secrets+q.path, q.kind, q.body)))
		if real != ours {
			t.Errorf("%s %s %s\nreal   %s\ndouble %s", q.method, q.path, q.body, real, ours)
		}
	}
	one, two := request(c.base, "GET", secrets+"/ask", "", ""), request("https://"+double.Host, "GET", secrets+"/ask", "", "")
	for _, req := range []*http.Request{one, two} {
		req.Header.Set("Authorization", "Bearer wrong")
	}
	if real, ours := shape(c.http.Transport.RoundTrip(one)), shape(w.RoundTrip(two)); real != ours {
		t.Errorf("a token that is wrong\nreal   %s\ndouble %s", real, ours)
	}
}

// storesReally: the whole life of a store, cut off after each effect.
func (c *control) storesReally(t *testing.T) {
	c.must("POST", "/api/v1/namespaces/shop/secrets", `{"metadata":{"name":"app"},"data":{"A":"b25l"}}`)
	s := opened(t, c.cluster(nil).Store, storing).(*store)
	held, err := s.Read(t.Context(), []string{"A"})
	if err == nil {
		err = s.History(t.Context(), held)
	}
	if err != nil || held["A"].Version != "1" {
		t.Fatalf("%v", err)
	}
	version := 1
	for cut := 1; cut <= 3; cut++ { // keep, write, note
		writes := 0
		lost := func(next http.RoundTripper) http.RoundTripper {
			return network(func(req *http.Request) (*http.Response, error) {
				resp, err := next.RoundTrip(req)
				if req.Method != http.MethodGet {
					if writes++; writes == cut {
						_ = resp.Body.Close()
						return nil, errors.New("cut")
					}
				}
				return resp, err
			})
		}
		value := fmt.Sprint("value", cut)
		_, err := opened(t, c.cluster(lost).Store, storing).Write(t.Context(), set("A", value))
		if cut < 3 && !cred.MayHaveHappened(err) {
			t.Errorf("cut after write %d: %v", cut, err)
		}
		after, err := opened(t, c.cluster(nil).Store, storing).Write(t.Context(), set("A", value))
		version++
		if err != nil || after["A"].Version != fmt.Sprint(version) || after["A"].Value.Reveal() != value {
			t.Errorf("written again after cut %d: version %s, want %d: %v", cut, after["A"].Version, version, err)
		}
	}
	if v, err := s.ReadVersion(t.Context(), "A", "3"); err != nil || v.Reveal() != "value2" {
		t.Errorf("version 3 is %q: %v", v.Reveal(), err)
	}
	if err := s.Remove(t.Context(), []string{"B"}); err != nil {
		t.Error(err)
	}
}

func (c *control) workload(kind, name, secret, command string, replicas int) {
	c.t.Helper()
	c.must("POST", "/apis/apps/v1/namespaces/shop/"+kind+"s", fmt.Sprintf(`{"metadata":{"name":%q},"spec":{"replicas":%d,"selector":{"matchLabels":{"app":%q}},`+
		`"template":{"metadata":{"labels":{"app":%q}},"spec":{"terminationGracePeriodSeconds":1,"containers":[{"name":"main","image":"app","command":%s,"envFrom":[{"secretRef":{"name":%q}}]}]}}}}`,
		name, replicas, name, name, command, secret))
}

// until waits for a state that the cluster comes to by itself.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 1200 {
		if is() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("it does not come to: " + what)
}

// rollsOut: a Deployment, a StatefulSet and a DaemonSet with real processes. The answer
// to the write is lost, the API server is killed before anything is applied, and one of
// the answers to applying is lost.
func (c *control) rollsOut(t *testing.T) {
	k := c.kubelet(t)
	c.must("POST", "/api/v1/namespaces/shop/secrets", `{"metadata":{"name":"run"},"data":{"A":"b25l","B":"Mg=="}}`)
	sleep := `["sleep","300"]`
	c.workload("deployment", "web", "run", sleep, 3)
	c.workload("statefulset", "db", "run", sleep, 2)
	c.workload("daemonset", "agent", "run", sleep, 0)
	const settings = `{"namespace":"shop","secret":"run","workloads":["deployment/web","statefulset/db","daemonset/agent"]}`
	consumer := func(around func(http.RoundTripper) http.RoundTripper) *consumer {
		return opened(t, c.cluster(around).Consumer, settings).(*consumer)
	}
	var before provider.Snapshot
	until(t, "everything runs", func() bool {
		var err error
		before, err = consumer(nil).Snapshot(t.Context(), []string{"A"})
		return err == nil && before.Units == 6 && len(before.Problems) == 0 && k.holding("web", "db", "agent")["one"] == 6
	})
	lose := func(n int) func(http.RoundTripper) http.RoundTripper {
		return func(next http.RoundTripper) http.RoundTripper {
			return network(func(req *http.Request) (*http.Response, error) {
				resp, err := next.RoundTrip(req)
				if req.Method == http.MethodPatch && err == nil {
					if n--; n == 0 {
						_ = resp.Body.Close()
						return nil, errors.New("cut")
					}
				}
				return resp, err
			})
		}
	}
	if err := consumer(lose(1)).Write(t.Context(), set("A", "two")); cred.ClassOf(err) != cred.Unknown {
		t.Errorf("its answer was lost: %v", err)
	}
	c.kill("kube-apiserver")
	if err := consumer(nil).Apply(t.Context(), nil); cred.ClassOf(err) != cred.Unknown {
		t.Errorf("nobody is there: %v", err)
	}
	c.start("kube-apiserver")
	c.ready()
	follow := provider.Followed{Since: before.Mark}
	p, err := consumer(nil).Progress(t.Context(), follow, []string{"A"})
	if err != nil || p.Class != cred.Waiting || p.Slots["A"].Value.Reveal() != "two" || k.holding("web", "db", "agent")["one"] != 6 {
		t.Fatalf("written and not applied: %s %s %v %v", p.Class, p.Detail, err, k.holding("web", "db", "agent"))
	}
	if err := consumer(lose(2)).Apply(t.Context(), nil); !cred.MayHaveHappened(err) {
		t.Errorf("an answer was lost: %v", err)
	}
	if err := consumer(nil).Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	until(t, "everything is rolled out", func() bool {
		p, err := consumer(nil).Progress(t.Context(), follow, []string{"A"})
		if err != nil || p.Class == cred.Failed {
			t.Fatalf("%s %s %v", p.Class, p.Detail, err)
		}
		return p.Class == cred.Done
	})
	if got := k.holding("web", "db", "agent"); got["one"] > 0 || got["two"] != 6 {
		t.Errorf("it is rolled out, and processes hold %v", got)
	}
	if held, err := consumer(nil).Held(t.Context(), []string{"B"}); err != nil || held["B"].Value.Reveal() != "2" {
		t.Error("the other key is lost", err)
	}
}

// crashes: a Deployment whose new pods end at once.
func (c *control) crashes(t *testing.T) {
	k := c.kubelet(t)
	c.must("POST", "/api/v1/namespaces/shop/secrets", `{"metadata":{"name":"bad"},"data":{"A":"b25l"}}`)
	c.workload("deployment", "bad", "bad", `["sh","-c","[ $A = one ] && exec sleep 300"]`, 2)
	consumer := opened(t, c.cluster(nil).Consumer, `{"namespace":"shop","secret":"bad","workloads":["deployment/bad"]}`).(*consumer)
	until(t, "everything runs", func() bool {
		s, err := consumer.Snapshot(t.Context(), []string{"A"})
		return err == nil && s.Units == 2 && len(s.Problems) == 0
	})
	write := func(value string) {
		t.Helper()
		if err := errors.Join(consumer.Write(t.Context(), set("A", value)), consumer.Apply(t.Context(), nil)); err != nil {
			t.Fatal(err)
		}
	}
	write("two")
	until(t, "it has failed", func() bool {
		p, err := consumer.Progress(t.Context(), provider.Followed{Since: "0"}, []string{"A"})
		if err == nil && p.Class == cred.Done {
			t.Fatal("it is taken for rolled out")
		}
		return err == nil && p.Class == cred.Failed && p.Unwell && strings.Contains(p.Detail, "CrashLoopBackOff")
	})
	write("one")
	until(t, "it is given back", func() bool {
		p, err := consumer.Progress(t.Context(), provider.Followed{Since: "1"}, []string{"A"})
		return err == nil && p.Class == cred.Done
	})
	if got := k.holding("bad"); got["two"] > 0 {
		t.Errorf("processes hold %v", got)
	}
}
