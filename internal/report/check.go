package report

import (
	"fmt"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Check tells what a look at everything found.
func Check(spec sop.Spec, seen rotation.Observation, refusals []rotation.Refusal, problems, used []string, s Style, now time.Time) string {
	spec, seen, refusals, problems, used = legible(spec), legible(seen), legible(refusals), legible(problems), legible(used)
	out := []string{s.Bold(spec.Name), ""}
	good := func(format string, args ...any) {
		out = append(out, "  "+s.Good("✓")+" "+fmt.Sprintf(format, args...))
	}
	if len(problems) == 0 {
		found(spec, seen, good, now)
	} else {
		foundAllTheSame(spec, seen, good)
	}
	for _, p := range problems {
		out = append(out, "  "+s.Bad("✗")+" "+p)
	}
	out = append(out, reasons(refusals, s)...)
	for _, b := range seen.Blind {
		out = append(out, "  "+s.Mind("?")+" whether "+b.Key+" holds it could not be seen: "+b.Why)
	}
	for _, h := range seen.Strangers {
		out = append(out, "  "+s.Mind("?")+" "+rotation.Stranger(spec, h), s.Dim("    → ")+"see who holds it: rekey discover")
	}
	if len(seen.Advice) > 0 {
		out = append(out, "", "  "+s.Dim("worth knowing"))
		for _, a := range seen.Advice {
			out = append(out, "    "+a)
		}
	}
	if len(used) > 0 {
		out = append(out, "", "  "+s.Dim("credentials for the vendors came from"))
		for _, u := range used {
			out = append(out, "    "+u)
		}
	}
	out = append(out, "")
	switch n := len(problems) + len(refusals); n {
	case 0:
		out = append(out, "Everything that a run needs can be seen and is in order. That the vendors also accept writes shows at the first one, which can be undone.")
	case 1:
		out = append(out, "1 problem prevents a run; nothing was touched.")
	default:
		out = append(out, fmt.Sprintf("%d problems prevent a run; nothing was touched.", n))
	}
	return strings.Join(out, "\n") + "\n"
}

// foundAllTheSame is what was seen although something else was not.
func foundAllTheSame(spec sop.Spec, seen rotation.Observation, good func(string, ...any)) {
	if n := len(seen.Issuer.Live); n > 0 {
		good("%s lists %s; which is in use was not looked at", spec.Issuer.Vendor, countOf(n, "live credential"))
	}
	storesSeen(spec, seen, good)
	for _, c := range seen.Consumers {
		if c.Slots != nil && len(c.Problems) == 0 {
			consumerSeen(c, good)
		}
	}
	placesSeen(seen, good)
}

// storesSeen says of each store that was looked at how many of its slots it holds.
func storesSeen(spec sop.Spec, seen rotation.Observation, good func(string, ...any)) {
	for _, p := range spec.Stores() {
		slots, present := seen.SlotsOf(spec, p.Key), 0
		for _, x := range slots {
			if x.Present {
				present++
			}
		}
		if len(slots) > 0 {
			good("%s holds %d of %d slots", p.Key, present, len(slots))
		}
	}
}

func consumerSeen(c rotation.ConsumerSeen, good func(string, ...any)) {
	if c.Mark == "" {
		good("%s can be read; nothing runs there", c.Key)
		return
	}
	if c.Units == 0 {
		good("%s can be read; which processes read it is not known", c.Key)
		return
	}
	good("%s runs %s on write %s; old ones may live on for %s", c.Key, processWord(c.Units), c.Mark, Span(c.Grace))
}

func found(spec sop.Spec, seen rotation.Observation, good func(string, ...any), now time.Time) {
	for _, h := range seen.Issuer.Live {
		if h.ID == seen.Issuer.Owner {
			good("%s lists the credential in use: %s, %s, %s", spec.Issuer.Vendor, h.Name, born(h, now), lastUse(h, now))
			if len(seen.Users) > 0 {
				good("it is in use now by %s", rotation.Named(seen.Users))
			}
			for _, p := range seen.Admission.Places {
				if p.NamesAny(h) {
					good("%s %q names it", p.Kind, p.Name)
				}
			}
		}
	}
	if len(seen.Admission.Everyone) > 0 {
		good("%q accepts any valid token", seen.Admission.Everyone[0].Name)
	}
	storesSeen(spec, seen, good)
	if seen.Store.History == "" {
		good("%s gives earlier values back", spec.Store.Key)
	}
	for _, c := range seen.Consumers {
		if len(c.Problems) == 0 {
			consumerSeen(c, good)
		}
	}
	placesSeen(seen, good)
}

func placesSeen(seen rotation.Observation, good func(string, ...any)) {
	for _, g := range seen.Gates {
		if g.Without == cred.Rejected && g.Wrong == cred.Rejected {
			good("%s denies a request without a credential, and one with a made-up credential", g.Title())
			if g.InUse == cred.Accepted {
				good("%s accepts the credential in use", g.Title())
			}
		}
	}
	for _, c := range seen.Checks {
		if c.Class == cred.Done {
			good("%s is true", c.URL)
		}
	}
}

func processWord(n int) string {
	if n == 1 {
		return "1 process"
	}
	return fmt.Sprintf("%d processes", n)
}

// Refusals tells why a plan cannot be made.
func Refusals(name string, refusals []rotation.Refusal, s Style) string {
	name, refusals = legible(name), legible(refusals)
	out := []string{fmt.Sprintf("%s  no plan for %s; nothing was touched", s.Bad("refused"), s.Bold(name))}
	out = append(out, "")
	return strings.Join(append(out, reasons(refusals, s)...), "\n") + "\n"
}

// reasons lists refusals; what is to be done about several is said once, after them.
func reasons(refusals []rotation.Refusal, s Style) (out []string) {
	for i, r := range refusals {
		out = append(out, "  "+s.Bad("✗")+" "+r.What)
		if i+1 < len(refusals) && refusals[i+1].Then == r.Then && refusals[i+1].Code == r.Code {
			continue
		}
		out = append(out, s.Dim("    → ")+r.Then, s.Dim("      rekey explain "+r.Code))
	}
	return out
}
