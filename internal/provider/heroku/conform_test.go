package heroku_test

import (
	"testing"

	"rekey/internal/contract"
	"rekey/internal/provider/heroku"
	"rekey/internal/providertest"
	"rekey/internal/providertest/simulated"
)

func harness() providertest.Harness {
	return providertest.Harness{
		Vendor:     heroku.Descriptor,
		Double:     simulated.World(nil),
		Judge:      contract.New(),
		Least:      8,
		Connection: `{"token":["env:HEROKU_API_KEY"]}`,
		Issuers:    map[string]string{heroku.KindAuthorization: `{"scope":["identity","read-protected","write-protected"],"expires_in":"180d"}`},
		Consumer:   `{"app":"raxx-console-prod"}`,
		Slots:      []string{"CF_ACCESS_SVC_CONSOLE", "CF_ACCESS_SERVICE_TOKEN_CONSOLE"},
	}
}

func TestConform(t *testing.T) { providertest.Run(t, harness()) }

// TestStagesConform is the same for the other kind of consumer.
func TestStagesConform(t *testing.T) {
	h := harness()
	h.Consumer = `{"pipeline":"raxx","stage":"review"}`
	providertest.Run(t, h)
}
