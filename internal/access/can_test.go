package access

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rekey/internal/estate"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// TestTheTable is role × operation × credential, whole: every operation there is, for
// every role, on credentials that name a role, and on all of them. What is not here is
// refused.
func TestTheTable(t *testing.T) {
	config := everything()
	config.Identity.Grants = append(config.Identity.Grants, sop.Grant{Role: "oncall", May: []string{"look", "emergency", "resume"}}, sop.Grant{Role: "signer", May: []string{"keys"}},
		sop.Grant{Role: "dba", May: []string{"change", "approve"}, Credentials: []string{"DB_*"}}, sop.Grant{Role: "dba", May: []string{"evidence"}}, sop.Grant{Role: "clerk", May: []string{"change"}})
	for _, role := range []string{"oncall", "signer", "dba", "clerk"} {
		config.Identity.Roles[role] = []sop.Who{{Token: role}}
	}
	const reads = "status log sop due check plan drift discover names doctor evidence verify"
	const changes = "rotate rehearse repair retire-name resume rollback revoke pause acknowledge"
	want := map[string]map[string]string{ // of each role: on CF_A (superadmin), on CF_B (no role), on all
		"":           {},
		"stranger":   {"CF_A": reads, "CF_B": reads, "": reads}, // a role that says nothing may look
		"superadmin": {"CF_A": reads + " " + changes + " approve", "CF_B": reads, "": reads},
		"ops":        {"CF_A": reads, "CF_B": reads, "": reads},
		"viewer":     {"CF_A": "status log sop due", "CF_B": "status log sop due", "": "status log sop due"},
		"bot":        {"CF_A": "status log sop due", "CF_B": "status log sop due rotate"}, // rotates CF_A only with the role that it names
		"admin":      {"CF_A": "status log sop due tokens sessions notify", "CF_B": "status log sop due tokens sessions notify", "": "status log sop due tokens sessions notify"},
		"oncall":     {"CF_A": "status log sop due without-role", "CF_B": "status log sop due resume without-role", "": "status log sop due resume without-role"},
		"signer":     {"CF_A": "checkpoint new-key", "CF_B": "checkpoint new-key", "": "checkpoint new-key"},
		"dba":        {"CF_A": "evidence verify", "CF_B": "evidence verify", "": "evidence verify"},
		"clerk":      {"CF_B": changes, "": changes},
		// Roles add up: the one lets him change everything, the other is the credential's.
		"clerk superadmin": {"CF_A": reads + " " + changes + " approve", "CF_B": reads + " " + changes, "": reads + " " + changes},
	}
	ops := 0
	for roles, of := range want {
		who := rotation.Who{Name: "somebody", Verified: true, Roles: strings.Fields(roles)}
		for i, name := range []string{"CF_A", "CF_B", ""} {
			var spec *sop.Spec
			if name != "" {
				spec = &config.Specs[i]
			}
			for _, right := range sop.Rights() {
				for _, op := range right.Ops {
					ops++
					err := Can(config.Identity, who, op, spec)
					if may := slices.Contains(strings.Fields(of[name]), string(op)); (err == nil) != may {
						t.Errorf("%q may %s %q: %v; want %v", roles, op, name, err, may)
					}
					if err != nil && estate.CodeOf(err) != estate.NoRole {
						t.Errorf("%v", err)
					}
				}
			}
			if Can(config.Identity, who, sop.OpWhoami, spec) != nil {
				t.Errorf("%q may not know who he is", roles)
			}
			if Can(config.Identity, who, "no-such-operation", spec) == nil {
				t.Errorf("%q may what nobody knows", roles)
			}
		}
	}
	if ops != len(want)*3*28 {
		t.Errorf("%d questions: an operation has come or gone; say here who may", ops)
	}
	dba := rotation.Who{Name: "d", Roles: []string{"dba", "superadmin"}}
	if Can(config.Identity, dba, sop.OpRotate, &config.Specs[2]) != nil {
		t.Error("a grant for DB_* does not cover DB_C")
	}
}

// TestATokensLimits narrow what its name may, also where nobody else is limited.
func TestATokensLimits(t *testing.T) {
	config := everything()
	for _, tt := range []struct {
		only, on []string
		id       *sop.Identity
		may      string
	}{
		{nil, nil, config.Identity, "status:CF_A status:CF_B rotate:CF_B"},
		{[]string{"rotate"}, nil, config.Identity, "rotate:CF_B"},
		{[]string{"look"}, []string{"CF_A"}, config.Identity, "status:CF_A"},
		{[]string{"change", "look"}, []string{"CF_B*"}, nil, "status:CF_B rotate:CF_B"},
		{[]string{"look"}, nil, nil, "status:CF_A status:CF_B status:"},
		{[]string{"rotate"}, []string{"CF_*"}, nil, "rotate:CF_A rotate:CF_B"},
		{nil, []string{"XX"}, nil, ""},
		{[]string{"evidence"}, []string{"*"}, nil, ""}, // evidence of all is of more than each
	} {
		who := rotation.Who{Name: "nightly", Verified: true, Roles: []string{"bot"}, Only: tt.only, On: tt.on}
		var got []string
		for _, q := range []string{"status:CF_A", "status:CF_B", "status:", "rotate:CF_A", "rotate:CF_B", "evidence:"} {
			op, name, _ := strings.Cut(q, ":")
			var spec *sop.Spec
			for i := range config.Specs {
				if config.Specs[i].Name == name {
					spec = &config.Specs[i]
				}
			}
			if Can(tt.id, who, Op(op), spec) == nil {
				got = append(got, q)
			}
		}
		if strings.Join(got, " ") != tt.may {
			t.Errorf("only %v on %v: may %v, want %s", tt.only, tt.on, got, tt.may)
		}
	}
}

func TestARefusalSaysWhoMay(t *testing.T) {
	config := everything()
	err := Can(config.Identity, rotation.Who{Name: "carol", Roles: []string{"viewer"}}, sop.OpRotate, &config.Specs[0])
	var refused *estate.Error
	if refused, _ = err.(*estate.Error); refused == nil || refused.Credential != "CF_A" || fmt.Sprint(refused.Known) != "[role bot role superadmin]" || refused.Err.Error() != "rotate CF_A is for another role, and carol has the role viewer" {
		t.Errorf("%+v", refused)
	}
	// Over the network, with the credential's own role: who has that one.
	err = Can(config.Identity, rotation.Who{Name: "nightly", Roles: []string{"bot"}}, sop.OpRotate, &config.Specs[0])
	if err == nil || !strings.Contains(err.Error(), "CF_A is changed by the role superadmin, and nightly has the role bot") {
		t.Errorf("%v", err)
	}
}

func TestWhatIsFinalWantsAFreshSignIn(t *testing.T) {
	for op, final := range map[Op]bool{sop.OpRevoke: true, sop.OpWithoutRole: true, sop.OpApprove: true, sop.OpNewKey: true, sop.OpTokens: true, sop.OpRotate: false, sop.OpStatus: false} {
		if Final(op) != final {
			t.Errorf("%s", op)
		}
	}
	if op := Opening(estate.Opening{Wish: estate.Wish{Purpose: sop.ToDelete}}); op != sop.OpRevoke {
		t.Errorf("%v", op)
	}
	if op := Opening(estate.Opening{Without: true}); op != sop.OpWithoutRole {
		t.Errorf("%v", op)
	}
}
