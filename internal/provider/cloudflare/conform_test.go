package cloudflare_test

import (
	"testing"

	"rekey/internal/contract"
	"rekey/internal/provider/cloudflare"
	"rekey/internal/providertest"
	"rekey/internal/providertest/simulated"
)

func TestConform(t *testing.T) {
	providertest.Run(t, providertest.Harness{
		Vendor:     cloudflare.Descriptor,
		Double:     simulated.World(nil),
		Judge:      contract.New(),
		Least:      15,
		Connection: `{"token":["env:CF_ACCESS_MGMT"],"account":["env:CF_ACCOUNT_ID"]}`,
		Issuers: map[string]string{
			cloudflare.KindServiceToken: `{"duration":"8760h"}`,
			cloudflare.KindUserToken:    `{}`,
			cloudflare.KindAccountToken: `{"duration":"8760h"}`,
		},
	})
}
