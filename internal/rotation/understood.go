package rotation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"rekey/internal/cred"
	"rekey/internal/sop"
)

// NotUnderstood is something in an entry that this version of Rekey does not know. Whoever
// would pass it over might do something else than what was agreed to.
type NotUnderstood struct {
	Seq  int64  // of the entry
	What string // a kind, a key by its path, or a key and its value
}

func (n *NotUnderstood) Error() string {
	return fmt.Sprintf("journal entry %d says %s, which this version of Rekey does not know: a newer one has written it", n.Seq, n.What)
}

// Understood refuses (*NotUnderstood) an entry of a run that says anything which this version
// does not know: a kind, a key, or a value of those by which the engine decides. To read an
// entry and show it, all of that may be passed over; to act on it, nothing may.
func Understood(e Event, body []byte) error {
	payload := e.payload()
	if payload == nil {
		return &NotUnderstood{e.Seq, fmt.Sprintf("%q", e.Kind)}
	}
	r := &planReader{text: body, at: map[string]int64{}}
	if err := r.walk(json.NewDecoder(bytes.NewReader(body)), reflect.TypeOf(payload), ""); err != nil {
		return fmt.Errorf("read journal entry %d: %w", e.Seq, err)
	}
	if len(r.problems) > 0 {
		return &NotUnderstood{e.Seq, string(e.Kind) + "." + r.problems[0].Path}
	}
	if what := e.unknown(); what != "" {
		return &NotUnderstood{e.Seq, string(e.Kind) + "." + what}
	}
	return nil
}

// unknown is a value by which the engine decides, and that it does not know, with its key.
func (e Event) unknown() string {
	switch {
	case e.Opened != nil:
		return unknownOf("spec.purpose", e.Opened.Spec.Purpose, purposes...)
	case e.Planned != nil:
		return e.Planned.unknown()
	case e.Outcome != nil:
		return unknownOf("class", e.Outcome.Class, cred.Classes()...)
	case e.Turned != nil:
		return unknownOf("mode", e.Turned.Mode, Forward, Back, Again)
	}
	return ""
}

// purposes are those of a run; "": it rotates.
var purposes = []sop.Purpose{"", sop.ToRevoke, sop.ToDelete, sop.ToRehearse, sop.ToRepair, sop.ToForget, sop.AfterRevoke}

func (p *Plan) unknown() string {
	if p.Version != PlanVersion {
		return fmt.Sprintf("version %d", p.Version)
	}
	if what := unknownOf("strategy", p.Strategy, Replace, RollWithGrace, RollAtOnce, Rehearse, Repair, RetireName, Revoke); what != "" {
		return what
	}
	for _, s := range slices.Concat(p.Steps, p.Back) {
		if !s.Verb.known() {
			return fmt.Sprintf("verb %q", s.Verb)
		}
	}
	return unknownOf("spec.purpose", p.Spec.Purpose, purposes...)
}

func unknownOf[T ~string](key string, value T, known ...T) string {
	if slices.Contains(known, value) {
		return ""
	}
	return fmt.Sprintf("%s %q", key, value)
}
