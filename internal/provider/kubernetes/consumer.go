package kubernetes

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/vendorhttp"
)

// consumer is a Secret and the workloads whose pods are given it.
type consumer struct {
	*object
	workloads []named
}

// restartedAt is the annotation by which kubectl rollout restart makes new pods.
const restartedAt = "kubectl.kubernetes.io/restartedAt"

// stamp is the annotation of pods that says after which write of the Secret they began.
func (c *consumer) stamp() string { return c.at.Secret + "." + countKey }

// Calls tells the requests that change something.
func (c *consumer) Calls() map[string]string {
	var apply []string
	for _, n := range c.workloads {
		apply = append(apply, "PATCH "+c.apps(n))
	}
	if len(apply) == 0 {
		apply = []string{"nothing: no workload is named"}
	}
	return map[string]string{"write": "PATCH " + c.path(c.at.Secret), "apply": strings.Join(apply, ", ")}
}

// Held returns what the slots hold now.
func (c *consumer) Held(ctx context.Context, slots []string) (map[string]provider.Held, error) {
	const op = "read the Secret"
	s, err := c.get(ctx, op, c.at.Secret)
	if err != nil {
		return nil, err
	}
	return c.held(op, s, slots)
}

// Snapshot reads the Secret and looks at every workload and its pods.
func (c *consumer) Snapshot(ctx context.Context, slots []string) (out provider.Snapshot, err error) {
	const op = "read the Secret"
	s, err := c.get(ctx, op, c.at.Secret)
	if err != nil {
		return out, err
	}
	if out.Slots, err = c.held(op, s, slots); err != nil {
		return out, err
	}
	who, over := s.managed()
	switch {
	case over:
		out.Problems = append(out.Problems, who)
	case who != "":
		out.Notes = append(out.Notes, who)
	}
	if s.Immutable {
		out.Problems = append(out.Problems, "the Secret is immutable: it can only be deleted and recreated")
	}
	if len(c.workloads) == 0 {
		out.Notes = append(out.Notes, "no workload is named: pods that run keep what they began with, and nothing proves what is in use")
		return out, nil
	}
	out.Mark = strconv.Itoa(counted(s))
	for _, n := range c.workloads {
		w, err := c.workload(ctx, n)
		if err != nil {
			return out, err
		}
		pods, err := c.pods(ctx, n, w)
		if err != nil {
			return out, err
		}
		out.Units += len(pods)
		if w.Meta.UID != "" {
			out.Restarts = append(out.Restarts, "kubernetes:"+w.Meta.UID)
		}
		c.tell(&out, n, w, len(pods))
	}
	return out, nil
}

// tell foresees what would keep a rollout from ending, or make it dear.
func (c *consumer) tell(out *provider.Snapshot, n named, w running, pods int) {
	problem := func(says string) { out.Problems = append(out.Problems, n.String()+" "+says) }
	note := func(says string) { out.Notes = append(out.Notes, n.String()+" "+says) }
	if !w.Spec.Template.Spec.uses(c.at.Secret) {
		problem("is not given the Secret " + c.at.Secret + ": a rollout of it would prove nothing")
	}
	if w.Spec.Paused {
		problem("is paused: it would not roll out; resume it first")
	}
	if w.Spec.Update.Type == "OnDelete" {
		problem("replaces pods only when somebody deletes them (OnDelete)")
	}
	if w.Spec.Update.Rolling.Partition > 0 {
		problem("keeps pods below its partition as they are")
	}
	if waits, failed := w.rolled(); waits != "" {
		problem("is not rolled out: " + waits)
		out.Pending = out.Pending || !failed
	}
	switch {
	case pods == 0:
		note("runs no pod: nothing restarts, and nothing can prove that it works")
	case w.Spec.Strategy.Type == "Recreate":
		note("stops all its pods before it starts new ones (Recreate)")
	case pods == 1 && n.kind != "deployment":
		note("has one pod, which is stopped before the new one starts")
	}
}

// Write changes the Secret in one request. Until Apply, pods have the old values.
func (c *consumer) Write(ctx context.Context, values []provider.SlotValue) error {
	_, err := c.write(ctx, "write the Secret", values, func(opaque) error { return nil })
	return err
}

// Apply rolls out every workload whose pods were not begun after the last write: their
// template is given the number of that write, and the annotation of kubectl's.
func (c *consumer) Apply(ctx context.Context, _ []string) error {
	s, err := c.get(ctx, "read the Secret", c.at.Secret)
	if err != nil {
		return err
	}
	begun := false
	for _, n := range c.workloads {
		w, err := c.workload(ctx, n)
		if err == nil && !c.began(w.Spec.Template.Meta, s) {
			err = c.restart(ctx, n, s)
			begun = begun || err == nil || cred.MayHaveHappened(err)
		}
		if err != nil {
			return partly(err, begun)
		}
	}
	return nil
}

// partly is an error after another workload was restarted: then it is not true that
// nothing was applied.
func partly(err error, begun bool) error {
	e, ok := err.(*cred.Error)
	if !ok || !begun {
		return err
	}
	out := *e
	out.Maybe = true
	return &out
}

func (c *consumer) restart(ctx context.Context, n named, s opaque) error {
	op := "roll out " + n.String()
	annotations := map[string]any{restartedAt: c.env.Now().UTC().Format(time.RFC3339), c.stamp(): strconv.Itoa(counted(s)) + " " + s.Meta.UID}
	var w running
	err := c.ask(ctx, vendorhttp.Request{Op: op, Method: http.MethodPatch, Path: c.apps(n), Header: map[string]string{"Content-Type": mergeKey},
		Body: map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": annotations}}}}}, &w)
	return c.really(op, n, w, err)
}

// began reports whether a pod, or the pods of a template, began after the last write of
// this very Secret: one that is made anew under its name counts from the beginning.
func (c *consumer) began(m meta, s opaque) bool {
	count, uid, _ := strings.Cut(m.Annotations[c.stamp()], " ")
	n, err := strconv.Atoi(count)
	return err == nil && counted(s) > 0 && n >= counted(s) && uid == s.Meta.UID
}

// Progress is done when every workload is rolled out and every one of its pods, of
// whatever generation, began after the Secret was last written: its annotation says so,
// or it is younger by the server's clock. Pods that terminate count: they still run.
func (c *consumer) Progress(ctx context.Context, w provider.Followed, slots []string) (p provider.Progress, err error) {
	const op = "read the Secret"
	s, err := c.get(ctx, op, c.at.Secret)
	if err != nil {
		return p, err
	}
	if p.Slots, err = c.held(op, s, slots); err != nil {
		return p, err
	}
	p.Class = cred.Done
	if len(c.workloads) == 0 {
		return p, nil
	}
	p.Mark = strconv.Itoa(counted(s))
	for _, n := range c.workloads {
		says, failed, old, pods, err := c.settled(ctx, n, s, w.Since == "")
		if err != nil {
			return p, err
		}
		if says != "" {
			p.Class, p.Detail, p.Unwell, p.Behind, p.Evidence = cred.Waiting, n.String()+": "+says, failed, old, nil
			if failed {
				p.Class = cred.Failed
			}
			return p, nil
		}
		seen := "%s: all %d pods began after the Secret was written, and none from before is left"
		if w.Since == "" { // nothing was written that they would have to be younger than
			seen = "%s: it is rolled out, and %d pods run"
		}
		p.Evidence = append(p.Evidence, fmt.Sprintf(seen, n, pods))
	}
	return p, nil
}

// settled tells what a workload still waits for; "": nothing. before: the template is of
// before the last write, so that nothing replaces its pods but one more roll-out.
func (c *consumer) settled(ctx context.Context, n named, s opaque, any bool) (says string, failed, before bool, count int, err error) {
	w, err := c.workload(ctx, n)
	if err != nil {
		return "", false, false, 0, err
	}
	pods, err := c.pods(ctx, n, w)
	if err != nil {
		return "", false, false, 0, err
	}
	old := 0
	for _, p := range pods {
		fresh := any || c.began(p.Meta, s) || p.Meta.Created.After(s.changed())
		if why := p.broken(); fresh && why != "" && p.Meta.Deleted == nil {
			return "a new pod does not come up (" + why + ")", true, false, 0, nil
		}
		if !fresh {
			old++
		}
	}
	switch says, failed = w.rolled(); {
	case says != "":
		return says, failed, false, 0, nil
	case old > 0:
		return strconv.Itoa(old) + " pods began before the Secret was written", false, !c.began(w.Spec.Template.Meta, s), 0, nil
	}
	return "", false, false, len(pods), nil
}
