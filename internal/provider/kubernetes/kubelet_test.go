package kubernetes

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// kubelet starts a local process for each pod, with the environment that its Secrets
// give it, and tells the API server how it is; it binds pods to its node too.
type kubelet struct {
	*control
	mu      sync.Mutex
	started map[string]*local // by the pod's uid
	stop    chan struct{}
	done    chan struct{}
}

type local struct {
	app    string // label of its pod
	cmd    *exec.Cmd
	exited chan struct{}
	told   bool
}

const podsPath = "/api/v1/namespaces/shop/pods"

func (c *control) kubelet(t *testing.T) *kubelet {
	k := &kubelet{control: c, started: map[string]*local{}, stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(k.done)
		for {
			select {
			case <-k.stop:
				return
			case <-time.After(50 * time.Millisecond):
				k.look()
			}
		}
	}()
	t.Cleanup(func() {
		close(k.stop)
		<-k.done
		for _, p := range k.started {
			_ = p.cmd.Process.Kill()
			<-p.exited
		}
	})
	return k
}

type realPod struct {
	Meta meta `json:"metadata"`
	Spec struct {
		Node       string `json:"nodeName"`
		Containers []struct {
			container
			Command []string `json:"command"`
		} `json:"containers"`
	} `json:"spec"`
}

// look does for every pod what is due; where the server does not answer, next time.
func (k *kubelet) look() {
	_, b, err := k.do("GET", podsPath, "")
	var list struct {
		Items []realPod `json:"items"`
	}
	if err != nil || json.Unmarshal(b, &list) != nil {
		return
	}
	for _, p := range list.Items {
		k.mu.Lock()
		run := k.started[p.Meta.UID]
		k.mu.Unlock()
		path := podsPath + "/" + p.Meta.Name
		switch {
		case p.Spec.Node == "":
			_, _, _ = k.do("POST", path+"/binding", `{"apiVersion":"v1","kind":"Binding","metadata":{"name":"`+p.Meta.Name+`"},"target":{"apiVersion":"v1","kind":"Node","name":"here"}}`)
		case p.Meta.Deleted != nil:
			if run != nil {
				_ = run.cmd.Process.Kill()
				<-run.exited
				k.mu.Lock()
				delete(k.started, p.Meta.UID)
				k.mu.Unlock()
			}
			_, _, _ = k.do("DELETE", path+"?gracePeriodSeconds=0", "")
		case run == nil:
			if run = k.begin(p); run != nil {
				k.mu.Lock()
				k.started[p.Meta.UID] = run
				k.mu.Unlock()
			}
		default:
			k.tell(path, run)
		}
	}
}

// begin resolves the Secrets and starts the process.
func (k *kubelet) begin(p realPod) *local {
	c := p.Spec.Containers[0]
	var env []string
	for _, from := range c.EnvFrom {
		status, b, err := k.do("GET", "/api/v1/namespaces/shop/secrets/"+from.Secret.Name, "")
		var s struct {
			Data map[string]string `json:"data"`
		}
		if err != nil || status != 200 || json.Unmarshal(b, &s) != nil {
			return nil
		}
		for name, v := range s.Data {
			plain, _ := base64.StdEncoding.DecodeString(v)
			env = append(env, name+"="+string(plain))
		}
	}
	run := &local{app: p.Meta.Labels["app"], cmd: exec.Command(c.Command[0], c.Command[1:]...), exited: make(chan struct{})}
	run.cmd.Env = env
	if run.cmd.Start() != nil {
		return nil
	}
	go func() { _ = run.cmd.Wait(); close(run.exited) }()
	return run
}

// tell reports once that it is ready, or that it has crashed.
func (k *kubelet) tell(path string, run *local) {
	ready, state := "True", `{"running":{}}`
	select {
	case <-run.exited:
		ready, state = "False", `{"waiting":{"reason":"CrashLoopBackOff"}}`
	default:
		if run.told {
			return
		}
	}
	status, _, err := k.do("PATCH", path+"/status", fmt.Sprintf(`{"status":{"phase":"Running","conditions":[{"type":"Ready","status":%q}],`+
		`"containerStatuses":[{"name":"main","image":"app","imageID":"","ready":%v,"restartCount":0,"state":%s}]}}`, ready, ready == "True", state))
	run.told = err == nil && status == 200
}

// holding counts the living processes of some apps by what they hold in A, by the
// machine's own word.
func (k *kubelet) holding(apps ...string) map[string]int {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := map[string]int{}
	for _, run := range k.started {
		if !slices.Contains(apps, run.app) {
			continue
		}
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", run.cmd.Process.Pid))
		if err != nil || len(b) == 0 {
			continue
		}
		for v := range strings.SplitSeq(string(b), "\x00") {
			if value, ok := strings.CutPrefix(v, "A="); ok {
				out[value]++
			}
		}
	}
	return out
}
