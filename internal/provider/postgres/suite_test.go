//go:build !windows

package postgres

import (
	"fmt"
	"strconv"
	"testing"

	"rekey/internal/outside"
	"rekey/internal/providertest"
)

// TestSuite is the house's conformance suite on a real server, for the kind that the
// others share nearly all of their code with: each of its cases takes a new world, and
// the suite wants room for two more of a kind, which a pair has not. TestConform holds
// every kind against its sheet.
func TestSuite(t *testing.T) {
	vendor := Descriptor
	vendor.Issuers = vendor.Issuers[:1]
	providertest.Run(t, providertest.Harness{
		Vendor:     vendor,
		Connection: `{"host":"127.0.0.1","port":${PORT},"user":"${USER}","password":["env:ADMIN"],"sslmode":"disable"}`,
		Issuers:    map[string]string{KindLogin: `{"group":"${GROUP}"}`},
		Positions:  1,
		Double: func(x providertest.T) *providertest.Double {
			b := setUp(t)
			b.SQL(t, "postgres", `DO $$ DECLARE r name; BEGIN FOR r IN SELECT rolname FROM pg_roles WHERE rolname LIKE 'rekey%' LOOP
 EXECUTE format('DROP OWNED BY %I; DROP ROLE %I', r, r); END LOOP; END $$`)
			b.SQL(t, "postgres", fmt.Sprintf("CREATE ROLE first_%s LOGIN IN ROLE %s", b.id, b.group))
			env := map[string]string{"PORT": strconv.Itoa(b.Port), "USER": b.admin, "ADMIN": adminPassword, "GROUP": b.group}
			return &providertest.Double{Ways: outside.Real{}, Env: env, Printable: []string{"PORT", "USER", "GROUP"}}
		},
	})
}
