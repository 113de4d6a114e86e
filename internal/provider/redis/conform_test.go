//go:build !windows

package redis

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"rekey/internal/outside"
	"rekey/internal/providertest"
)

// TestConform runs the suite on a real server, whose users are set back for each case.
func TestConform(t *testing.T) {
	s := startServer(t, byFile)
	acl := filepath.Join(s.dir, "users.acl")
	users, err := os.ReadFile(acl)
	if err != nil {
		t.Fatal(err)
	}
	providertest.Run(t, providertest.Harness{
		Vendor:     Descriptor,
		Connection: fmt.Sprintf(`{"host":"127.0.0.1","port":%d,"user":"rekey","password":["env:ADMIN"]}`, s.port),
		Issuers:    map[string]string{KindUser: `{"like":"pattern"}`, KindPassword: `{"user":"app"}`},
		Double: func(providertest.T) *providertest.Double {
			if err := os.WriteFile(acl, users, 0o600); err != nil {
				t.Fatal(err)
			}
			s.do("ACL", "LOAD")
			return &providertest.Double{Ways: outside.Real{}, Env: map[string]string{"ADMIN": adminPassword}}
		},
	})
}
