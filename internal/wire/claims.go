package wire

import (
	"fmt"
	"slices"
	"strings"

	"rekey/internal/provider"
	"rekey/internal/rotation"
)

// claims holds a capability sheet against what plays its role: a plan is made by the
// sheet, and a claim that the code cannot keep would be met in the middle of a run.
func claims(vendor string, sheet provider.Sheet, issuer provider.Issuer) error {
	var wrong []string
	says := func(claimed, can bool, what string) {
		if claimed && !can {
			wrong = append(wrong, what)
		}
	}
	_, rolls := issuer.(provider.Roller)
	_, switches := issuer.(provider.Switcher)
	_, admits := issuer.(provider.Admitter)
	_, proves := issuer.(provider.Prober)
	_, makes := issuer.(provider.Maker)
	_, makesRolls := issuer.(provider.RollMaker)
	says(sheet.Roll != "", rolls, "roll it in place")
	says(sheet.Roll != "", slices.Contains([]string{"", rotation.RollWithGrace, rotation.RollAtOnce}, sheet.Roll), "roll it by way of "+sheet.Roll)
	says(sheet.Disable, switches, "switch it off")
	says(sheet.Admits, admits, "edit the rules that name it")
	says(sheet.Verifies, proves, "tell by itself whether it works")
	says(makes && sheet.Roll != "", makesRolls, "roll it in place to a secret that we make")
	says(true, sheet.Create || sheet.Roll != "", "renew it in any way")
	says(true, len(sheet.Fields) > 0, "say what it consists of")
	for _, f := range append(slices.Clone(sheet.Optional), sheet.Public...) {
		says(true, slices.Contains(append(slices.Clone(sheet.Fields), sheet.Optional...), f), "have a field "+f)
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("vendor %s: a mistake in Rekey: the sheet of a %s says that it can %s, and the code cannot", vendor, sheet.Kind, strings.Join(wrong, ", "))
}
