package report

import (
	"fmt"
	"sort"
	"strings"

	"rekey/internal/rotation"
)

// Whoami says who runs this, how that is known, and what it allows. refused maps
// credentials to the role that they want and who has not.
func Whoami(who rotation.Who, enforced bool, all int, refused map[string]string, s Style) string {
	who, refused = legible(who), legible(refused)
	rows := [][]string{{s.Dim("who"), s.Bold(who.Name)}}
	switch {
	case who.Verified:
		rows = append(rows, []string{s.Dim("how"), s.Good("proven") + " by a token of " + who.How})
	default:
		rows = append(rows, []string{s.Dim("how"), s.Mind("self-declared") + ": " + who.How})
	}
	claims := make([]string, 0, len(who.Claims))
	for k := range who.Claims {
		claims = append(claims, k)
	}
	sort.Strings(claims)
	for _, k := range claims {
		rows = append(rows, []string{"", s.Dim(k) + "  " + who.Claims[k]})
	}
	roles := strings.Join(who.Roles, ", ")
	if roles == "" {
		roles = s.Dim("none")
	}
	rows = append(rows, []string{s.Dim("roles"), roles})
	may := fmt.Sprintf("change %d of %s", all-len(refused), countOf(all, "credential"))
	if !enforced {
		may += s.Dim("  (rekey.yaml has no identity: whoever runs Rekey is believed)")
	}
	rows = append(rows, []string{s.Dim("may"), may})
	names := make([]string, 0, len(refused))
	for n := range refused {
		names = append(names, n)
	}
	sort.Strings(names)
	for i, n := range names {
		head := ""
		if i == 0 {
			head = s.Dim("not")
		}
		rows = append(rows, []string{head, n + s.Dim("  wants the role "+refused[n])})
	}
	return strings.Join(table(rows, 2), "\n") + "\n"
}
