package rotation

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"rekey/internal/cred"
)

// PlanChanged is the code of a reviewed plan that no longer holds.
const PlanChanged = "plan-changed"

// essence is what of a plan is agreed to: what it does, and what it touches of this
// credential. It leaves out when it is due and may begin, which is the schedule's and said
// of each beginning anew (approvals.StartDigest), and who is told; what changes by itself (the time, the run's id, when things
// were last used) and what others change beside it: who else a rule names, which release
// an app is at and how many processes run, a number that a store counts writes by. Two
// plans with the same essence do the same.
func (p *Plan) essence() map[string]any {
	q := *p
	q.Spec = p.Spec.Doing()
	q.Seen.At, q.Seen.Issuer.Ahead, q.Run = time.Time{}, 0, ""
	q.NewName = strings.ReplaceAll(q.Spec.Issuer.Name, p.Run, "")
	q.Old.LastSeen = time.Time{}
	q.Seen.Issuer.Live = related(p.Seen.Issuer.Live, p.Spec, p.Old)
	for i := range q.Seen.Issuer.Live {
		q.Seen.Issuer.Live[i].LastSeen = time.Time{}
	}
	q.Seen.Gates, q.Seen.Checks = nil, nil // their refusals stop a run by themselves
	q.Notes, q.Costs, q.Seen.Sources, q.Seen.Advice, q.Seen.Strangers, q.Seen.Users = nil, nil, nil, nil, nil, nil
	q.Seen.Admission = AdmissionSeen{Places: p.ofOurs(p.Seen.Admission.Places), Everyone: p.ofOurs(p.Seen.Admission.Everyone), Lost: p.ofOurs(p.Seen.Admission.Lost)}
	q.Seen.Store.Slots = uncounted(p.Seen.Store.Slots)
	q.Seen.Further = slices.Clone(p.Seen.Further)
	for i := range q.Seen.Further {
		q.Seen.Further[i].Slots = uncounted(q.Seen.Further[i].Slots)
	}
	q.Seen.Consumers = slices.Clone(p.Seen.Consumers)
	for i := range q.Seen.Consumers {
		c := &q.Seen.Consumers[i]
		c.Slots, c.Mark, c.Units, c.Notes = uncounted(c.Slots), "", 0, nil
	}
	q.Steps = make([]Step, len(p.Steps))
	for i, s := range p.Steps {
		if s.Verb == Create {
			s.Change = ""
		}
		q.Steps[i] = s
	}
	return fields(q)
}

// ofOurs are rules without what others change in them: whom else they name, and the mark
// that changes with each edit. A shared rule is edited by every rotation that it concerns.
func (p *Plan) ofOurs(places []cred.Place) []cred.Place {
	out := slices.Clone(places)
	for i := range out {
		pl := &out[i]
		var names []string
		problems := map[string]string{}
		for _, n := range []string{p.Old.ID, p.Old.Public} {
			if n != "" && slices.Contains(pl.Names, n) {
				names = append(names, n)
			}
			if why, there := pl.Problems[n]; there {
				problems[n] = why
			}
		}
		pl.Names, pl.Problems, pl.Revision = names, problems, ""
	}
	return out
}

func uncounted(slots []SlotSeen) []SlotSeen {
	out := slices.Clone(slots)
	for i := range out {
		out[i].Version = ""
	}
	return out
}

func fields(v any) (out map[string]any) {
	b, _ := json.Marshal(v)
	_ = json.Unmarshal(b, &out)
	return out
}

// Digest identifies what the plan does, in hex.
func (p *Plan) Digest() string { return digestOf(p.essence()) }

// Is reports whether a digest is the plan's. Earlier versions took what the schedule says
// into it, and what they have written down stays what it was.
func (p *Plan) Is(digest string) bool {
	if digest == p.Digest() {
		return true
	}
	before := p.essence()
	before["spec"] = fields(p.Spec)
	return digest == digestOf(before)
}

func digestOf(essence map[string]any) string {
	b, _ := json.Marshal(essence)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Differences says in which places two plans do not do the same.
func Differences(a, b *Plan) []string { return differing(a.essence(), b.essence(), "") }

// NoteSince notes in a plan, which is carried out, what else is otherwise than when it was
// made to be agreed to: others have changed it, and what is done is the same.
func (p *Plan) NoteSince(reviewed *Plan) {
	if reviewed == nil {
		return
	}
	for _, d := range beside(reviewed, p) {
		p.Notes = append(p.Notes, "changed by others since this plan was made, and no part of it: "+d)
	}
}

func beside(before, now *Plan) []string {
	seen := func(p *Plan) map[string]any {
		return fields(Observation{Admission: p.Seen.Admission, Store: p.Seen.Store, Further: p.Seen.Further, Consumers: p.Seen.Consumers})
	}
	all := differing(seen(before), seen(now), "seen.")
	matter := Differences(before, now)
	return slices.DeleteFunc(all, func(d string) bool { return slices.Contains(matter, d) })
}

func differing(a, b map[string]any, under string) []string {
	fa, fb := map[string]string{}, map[string]string{}
	flatten("", a, fa)
	flatten("", b, fb)
	paths := map[string]bool{}
	for p := range fa {
		paths[p] = true
	}
	for p := range fb {
		paths[p] = true
	}
	var out []string
	for p := range paths {
		if fa[p] != fb[p] {
			out = append(out, fmt.Sprintf("%s%s was %s and is %s", under, p, orNone(fa[p]), orNone(fb[p])))
		}
	}
	sort.Strings(out)
	return out
}

func orNone(s string) string {
	if s == "" {
		return "absent"
	}
	return s
}

func flatten(path string, v any, out map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			flatten(strings.TrimPrefix(path+"."+k, "."), x, out)
		}
	case []any:
		for i, x := range v {
			flatten(fmt.Sprintf("%s[%d]", path, i), x, out)
		}
	default:
		b, _ := json.Marshal(v)
		out[path] = string(b)
	}
}
