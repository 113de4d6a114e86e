package report

import (
	"fmt"
	"strings"
	"time"

	"rekey/internal/history"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Former is one former name, and who still has it.
type Former struct {
	Name       string    `json:"name"`
	Credential string    `json:"credential"`
	Line       int       `json:"line"` // of rekey.yaml
	Holders    []Holder  `json:"holders"`
	Unseen     []string  `json:"unseen,omitempty"` // what could not be looked at
	Retired    time.Time `json:"retired,omitzero"` // when a run last took it away
	Run        string    `json:"run,omitempty"`    // that run
}

// Holder is one slot that is there under a former name.
type Holder struct {
	Place  string   `json:"place"`
	Slot   string   `json:"slot"`
	Same   bool     `json:"same"` // it holds what the credential's own name holds
	ReadBy []string `json:"read_by,omitempty"`
}

// FormerNames reads from a comparison who still has the former names of a credential.
func FormerNames(spec sop.Spec, line func(string) int, seen rotation.Observation, runs []history.Summary) []Former {
	out := make([]Former, 0, len(spec.Former))
	for _, name := range spec.Former {
		f := Former{Name: name, Credential: spec.Name, Line: line(name), Holders: []Holder{}, Unseen: seen.Unseen}
		look := func(p sop.Place, slots []rotation.SlotSeen) {
			for i, s := range slots {
				if p.Slots[i].For == name && s.Present {
					f.Holders = append(f.Holders, Holder{Place: p.Key, Slot: s.Slot, Same: s.Fingerprint == s.Expected, ReadBy: s.ReadBy})
				}
			}
		}
		for _, p := range spec.Stores() {
			look(p, seen.SlotsOf(spec, p.Key))
		}
		for i, c := range spec.Consumers {
			look(c, seen.Consumers[i].Slots)
		}
		for _, r := range runs {
			if r.Credential == spec.Name && r.Ending == rotation.NameGone && r.Why == name {
				f.Retired, f.Run = r.Closed, r.Run
			}
		}
		out = append(out, f)
	}
	return out
}

// Names shows former names, each with who still has it and the command that
// retires it.
func Names(all []Former, file string, s Style, now time.Time) string {
	all = legible(all)
	if len(all) == 0 {
		return "No credential has a former name.\n"
	}
	var out []string
	last := ""
	for _, f := range all {
		if f.Credential != last {
			if last != "" {
				out = append(out, "")
			}
			out, last = append(out, s.Bold(f.Credential)), f.Credential
		}
		head := "  was " + s.Name(f.Name)
		if !f.Retired.IsZero() {
			head += s.Dim("  retired " + Ago(f.Retired, now) + " by run " + f.Run)
		}
		out = append(out, head)
		var rows [][]string
		var readers []string
		for _, h := range f.Holders {
			state := "as the name"
			if !h.Same {
				state = s.Bad("something else")
			}
			if len(h.ReadBy) > 0 {
				state += s.Mind("  read by " + strings.Join(h.ReadBy, ", "))
				readers = append(readers, h.ReadBy...)
			}
			rows = append(rows, []string{s.Dim(h.Place), h.Slot, state})
		}
		out = append(out, fit(rows, s, "      ")...)
		for _, u := range f.Unseen {
			out = append(out, "    "+s.Mind("?")+" not seen: "+u)
		}
		out = append(out, "      "+s.Dim("next  ")+f.next(file, readers))
	}
	return strings.Join(out, "\n") + "\n"
}

func (f Former) next(file string, readers []string) string {
	switch {
	case len(f.Unseen) > 0:
		return "rekey check " + f.Credential
	case len(f.Holders) == 0:
		return fmt.Sprintf("no place has it: take it out of former (%s:%d)", file, f.Line)
	case len(readers) > 0:
		return fmt.Sprintf("make %s read %s instead", strings.Join(readers, ", "), f.Credential)
	}
	for _, h := range f.Holders {
		if !h.Same {
			return "rekey drift " + f.Credential
		}
	}
	return "once no program reads it any more: rekey names retire " + f.Name
}
