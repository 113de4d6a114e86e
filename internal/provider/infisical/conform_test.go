package infisical_test

import (
	"testing"

	"rekey/internal/provider/infisical"
	"rekey/internal/providertest"
	"rekey/internal/providertest/simulated"
	"rekey/internal/sim"
)

func harness(world func(*sim.State)) providertest.Harness {
	return providertest.Harness{
		Vendor:     infisical.Descriptor,
		Connection: `{"client_id":["env:INFISICAL_CLIENT_ID"],"client_secret":["env:INFISICAL_CLIENT_SECRET"],"project":["env:INFISICAL_PROJECT_ID"]}`,
		Login:      "/universal-auth/login",
		Issuers:    map[string]string{infisical.KindClientSecret: `{"identity":["env:APP_IDENTITY_ID"]}`},
		Store:      `{"path":"/MooseQuest/cloudflare/","environment":"prod"}`,
		Slots:      []string{"CF_ACCESS_SVC_CONSOLE", "CF_ACCESS_SVC_CONSOLE__CLIENT_ID"},
		Refer:      "prod/MooseQuest/cloudflare/CF_ACCESS_SVC_CONSOLE",
		Double: simulated.World(func(s *sim.State) {
			s.GiveClientSecret("raxx-app", "")
			if world != nil {
				world(s)
			}
		}),
	}
}

func TestConform(t *testing.T) { providertest.Run(t, harness(nil)) }

// TestOlderServerConforms: the same on a server that has v3 alone.
func TestOlderServerConforms(t *testing.T) {
	h := harness(func(s *sim.State) { s.Infisical.Server = sim.Server2025 })
	h.Lacks = []string{"store: foresee", "store: advise"}
	providertest.Run(t, h)
}
