package rotation

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"time"

	"rekey/internal/cred"
)

// PlanChanged is the code of a reviewed plan that no longer holds.
const PlanChanged = "plan-changed"

// essence is the plan without what changes by itself: the time, the run's id,
// when things were last used. Two plans with the same essence do the same.
func (p *Plan) essence() map[string]any {
	q := *p
	q.Seen.At, q.Seen.Issuer.Ahead, q.Run = time.Time{}, 0, ""
	q.NewName = strings.ReplaceAll(q.Spec.Issuer.Name, p.Run, "")
	q.Old.LastSeen = time.Time{}
	q.Seen.Issuer.Live = make([]cred.Handle, len(p.Seen.Issuer.Live))
	for i, h := range p.Seen.Issuer.Live {
		h.LastSeen = time.Time{}
		q.Seen.Issuer.Live[i] = h
	}
	q.Seen.Gates, q.Seen.Checks = nil, nil // their refusals stop a run by themselves
	q.Notes, q.Seen.Sources, q.Seen.Advice, q.Seen.Strangers, q.Seen.Users = nil, nil, nil, nil, nil
	q.Steps = make([]Step, len(p.Steps))
	for i, s := range p.Steps {
		if s.Verb == Create {
			s.Change = ""
		}
		q.Steps[i] = s
	}
	b, _ := json.Marshal(q)
	var out map[string]any
	_ = json.Unmarshal(b, &out)
	return out
}

// Digest identifies what the plan does, in hex.
func (p *Plan) Digest() string {
	b, _ := json.Marshal(p.essence())
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Differences says in which places two plans do not do the same.
func Differences(a, b *Plan) []string {
	fa, fb := map[string]string{}, map[string]string{}
	flatten("", a.essence(), fa)
	flatten("", b.essence(), fb)
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
			out = append(out, fmt.Sprintf("%s was %s and is %s", p, orNone(fa[p]), orNone(fb[p])))
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
