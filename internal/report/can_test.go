package report

import (
	"fmt"
	"strings"
	"testing"

	"rekey/internal/sop"
)

// TestTheTableOfWhatSomebodyMayFits at every width, and names some of many.
func TestTheTableOfWhatSomebodyMayFits(t *testing.T) {
	var names []string
	for i := range 40 {
		names = append(names, fmt.Sprintf("CF_ACCESS_SVC_%02d", i))
	}
	may := []sop.Ability{
		{Right: "look", Op: sop.OpStatus, All: true}, {Right: "look", Op: sop.OpLog, All: true},
		{Right: "change", Op: sop.OpRotate, On: names}, {Right: "change", Op: sop.OpResume, On: names}, {Right: "change", Op: sop.OpRevoke},
		{Right: "keys", Op: sop.OpNewKey},
	}
	for _, width := range []int{60, 80, 120} {
		got := Can(may, 5000, Style{Width: width})
		for _, line := range strings.Split(got, "\n") {
			if len(line) > width {
				t.Errorf("%d: %q", width, line)
			}
		}
		for _, want := range []string{"look       yes          status, log\n", "change     40 of 5000   rotate, resume\n", "CF_ACCESS_SVC_11", "more", "change     no           revoke\n", "keys       no           new-key\n"} {
			if !strings.Contains(got, want) {
				t.Errorf("%d: %q is missing in\n%s", width, want, got)
			}
		}
		if strings.Contains(got, "CF_ACCESS_SVC_12") {
			t.Errorf("%d: all are named", width)
		}
	}
}
