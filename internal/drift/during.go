package drift

import "strings"

// During leads what was found beside an open run to that run: it changes these very
// places, and a repair is refused beside it. run: "", where none is open.
func During(found []Finding, run string) []Finding {
	if run == "" {
		return found
	}
	out := append([]Finding{}, found...)
	for i, f := range out {
		if strings.HasPrefix(f.Repair, "rekey repair ") || strings.HasPrefix(f.Repair, "rekey run ") {
			out[i].Repair = "rekey resume " + run + "   (a run of it is open)"
		}
	}
	return out
}
