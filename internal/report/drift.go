package report

import (
	"fmt"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/drift"
)

// Compared is what was found about one credential.
type Compared struct {
	Credential string          `json:"credential"`
	At         time.Time       `json:"at"`
	Findings   []drift.Finding `json:"findings"`
	Consumers  int             `json:"consumers"`         // that it was compared with
	Current    *cred.Handle    `json:"current,omitempty"` // the generation in use, as the issuer listed it
	// Strangers are listed under its name, and the journal knows nothing of them. That
	// is no disagreement: nobody is seen to use them.
	Strangers []string `json:"strangers,omitempty"`
	// Names are the vendors' own for the consumers and for what a write of theirs restarts,
	// by key, where they told any.
	Names map[string][]string `json:"names,omitempty"`
}

// Drifted reports whether anything disagrees.
func (c Compared) Drifted() bool {
	for _, f := range c.Findings {
		if f.Serious() {
			return true
		}
	}
	return false
}

// Unseen reports whether something could not be looked at.
func (c Compared) Unseen() bool {
	for _, f := range c.Findings {
		if !f.Serious() {
			return true
		}
	}
	return false
}

// Drift tells what disagrees, and by which command it is fixed.
func Drift(all []Compared, s Style) string {
	all = legible(all)
	var out []string
	drifted, unseen := 0, 0
	for _, c := range all {
		switch {
		case c.Drifted():
			drifted++
		case c.Unseen():
			unseen++
		case len(c.Strangers) == 0:
			continue
		}
		out = append(out, s.Bold(c.Credential))
		repairs := []string{}
		for _, f := range c.Findings {
			mark := s.Bad("✗")
			if !f.Serious() {
				mark = s.Mind("?")
			}
			out = append(out, "  "+mark+" "+f.What, "    "+s.Dim("rekey explain "+string(f.Kind)))
			if len(repairs) == 0 || repairs[len(repairs)-1] != f.Repair {
				repairs = append(repairs, f.Repair)
			}
		}
		for _, t := range c.Strangers {
			out = append(out, "  "+s.Mind("?")+" "+t)
		}
		if len(c.Strangers) > 0 {
			repairs = append(repairs, "rekey discover "+c.Credential)
		}
		for i, r := range repairs {
			word := "next"
			if i > 0 {
				word = "or  "
			}
			out = append(out, "  "+s.Dim(word)+"  "+r)
		}
		out = append(out, "")
	}
	out = append(out, driftSum(len(all), drifted, unseen))
	return strings.Join(out, "\n") + "\n"
}

func driftSum(all, drifted, unseen int) string {
	agree := all - drifted - unseen
	parts := []string{}
	if agree > 0 {
		parts = append(parts, fmt.Sprintf("%s: issuer, store and consumers agree", countOf(agree, "credential")))
	}
	if drifted > 0 {
		parts = append(parts, fmt.Sprintf("%s drifted", countOf(drifted, "credential")))
	}
	if unseen > 0 {
		parts = append(parts, fmt.Sprintf("%s not fully read", countOf(unseen, "credential")))
	}
	return strings.Join(parts, "; ") + "; nothing was touched."
}
