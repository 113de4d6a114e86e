package vault_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rekey/internal/provider/vault"
	"rekey/internal/provider/vault/double"
	"rekey/internal/providertest"
)

// fresh is a double with a secret and a role that has a secret id, at a virtual time.
func fresh(providertest.T) *providertest.Double {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	d := double.New(clock)
	for _, x := range [][2]string{
		{"secret/data/team/console", `{"data":{"KEY":"old-value-of-the-key","KEY__ACCESSOR":"old-accessor","other":"of others"}}`},
		{"sys/auth/approle", `{"type":"approle"}`},
		{"auth/approle/role/app", `{"token_policies":["default"]}`},
		{"auth/approle/role/app/secret-id", `{}`},
	} {
		r := httptest.NewRequest(http.MethodPost, "/v1/"+x[0], strings.NewReader(x[1]))
		r.Header.Set("X-Vault-Token", d.Root)
		d.ServeHTTP(httptest.NewRecorder(), r)
	}
	return &providertest.Double{HTTP: d, Now: clock, Wait: func(by time.Duration) { now = now.Add(by) }, Env: map[string]string{"VAULT_TOKEN": d.Root}}
}

func TestConform(t *testing.T) {
	providertest.Run(t, providertest.Harness{
		Vendor:     vault.Descriptor,
		Connection: `{"base_url":"https://vault.invalid:8200","token":["env:VAULT_TOKEN"]}`,
		Issuers:    map[string]string{vault.KindSecretID: `{"role":"app"}`},
		Store:      `{"path":"team/console"}`,
		Slots:      []string{"KEY", "KEY__ACCESSOR"},
		Refer:      "secret/team/console#KEY",
		Refusal:    func(int) string { return `{"errors":["` + providertest.Canary + `"]}` },
		Double:     fresh,
	})
}
