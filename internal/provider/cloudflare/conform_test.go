package cloudflare_test

import (
	"testing"

	"rekey/internal/provider/cloudflare"
	"rekey/internal/providertest"
)

func TestConform(t *testing.T) {
	providertest.Run(t, providertest.Harness{
		Vendor:     cloudflare.Descriptor,
		Connection: `{"token":["env:CF_ACCESS_MGMT"],"account":["env:CF_ACCOUNT_ID"]}`,
		Issuers: map[string]string{
			cloudflare.KindServiceToken: `{"duration":"8760h"}`,
			cloudflare.KindUserToken:    `{}`,
			cloudflare.KindAccountToken: `{"duration":"8760h"}`,
		},
	})
}
