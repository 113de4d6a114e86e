package identity

import (
	"fmt"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// TestTheTableIsWhatIsDecided: it groups credentials, and says of each what Can says.
func TestTheTableIsWhatIsDecided(t *testing.T) {
	id := &sop.Identity{Roles: map[string][]sop.Who{"a": nil, "b": nil, "c": nil}, Grants: []sop.Grant{
		{Role: "b", May: []string{"look", "rotate"}, Credentials: []string{"X_1*", "X_7"}}, {Role: "b", May: []string{"approve"}}, {Role: "c", May: []string{"admin", "check"}}}}
	var specs []sop.Spec
	for i := range 30 {
		specs = append(specs, sop.Spec{Name: fmt.Sprintf("X_%d", i), Role: []string{"", "a", "b"}[i%3]})
	}
	for _, roles := range [][]string{nil, {"a"}, {"b"}, {"c"}, {"a", "b", "c"}} {
		for _, on := range [][]string{nil, {"X_2*", "X_1"}} {
			for _, i := range []*sop.Identity{nil, id} {
				who := rotation.Who{Name: "w", Roles: roles, On: on}
				got := Table(i, who, specs, false)
				rows := 0
				for _, right := range sop.Rights() {
					rows += len(right.Ops)
				}
				if len(got) != rows {
					t.Fatalf("%d of %d operations", len(got), rows)
				}
				for _, a := range got {
					may := map[string]bool{}
					for _, n := range a.On {
						may[n] = true
					}
					if a.Right == "keys" || a.Right == "admin" {
						if why, _ := Can(i, who, a.Op, nil); (why == "") != a.All {
							t.Errorf("%v on %v: %s: %v, %s", roles, on, a.Op, a.All, why)
						}
						continue
					}
					for _, s := range specs {
						why, _ := Can(i, who, a.Op, &s)
						if said := a.All || may[s.Name]; said && why != "" || !said && why == "" && len(a.On) > 0 {
							t.Errorf("%v on %v: %s %s: %v, %s", roles, on, a.Op, s.Name, said, why)
						}
					}
				}
			}
		}
	}
	// Where the files are, reading wants no role.
	for _, a := range Table(id, rotation.Who{Name: "w"}, specs, true) {
		if (a.Right == "look" || a.Right == "ask" || a.Right == "evidence") != a.All && a.Op != sop.OpCheckpoint {
			t.Errorf("here: %s %v %v", a.Op, a.All, a.On)
		}
	}
}
