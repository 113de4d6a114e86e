//go:build !windows

package mysql

import (
	"strconv"
	"testing"

	"rekey/internal/outside"
	"rekey/internal/providertest"
)

// TestConform is the house's conformance suite on a real server.
func TestConform(t *testing.T) {
	providertest.Run(t, providertest.Harness{
		Vendor:     Descriptor,
		Connection: `{"host":"127.0.0.1","port":${PORT},"user":"${USER}","password":["env:ADMIN"],"sslmode":"disable"}`,
		Issuers:    map[string]string{KindUser: `{"role":"${ROLE}"}`, KindDual: `{"user":"${ONE}"}`},
		Positions:  1,
		Double: func(providertest.T) *providertest.Double {
			b := setUp(t)
			for _, u := range b.SQL(t, "SELECT User, Host FROM mysql.global_priv WHERE User LIKE 'rekey%'") {
				b.SQL(t, "DROP USER "+account(u[0], u[1]))
			}
			env := map[string]string{"PORT": strconv.Itoa(b.Port), "USER": b.admin, "ADMIN": adminPassword, "ROLE": b.role, "ONE": b.user}
			return &providertest.Double{Ways: outside.Real{}, Env: env, Printable: []string{"PORT", "USER", "ROLE", "ONE"}}
		},
	})
}
