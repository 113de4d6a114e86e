package heroku_test

import (
	"testing"

	"rekey/internal/provider/heroku"
	"rekey/internal/providertest"
)

func TestConform(t *testing.T) {
	providertest.Run(t, providertest.Harness{
		Vendor:     heroku.Descriptor,
		Connection: `{"token":["env:HEROKU_API_KEY"]}`,
		Consumer:   `{"app":"raxx-console-prod"}`,
		Slots:      []string{"CF_ACCESS_SVC_CONSOLE", "CF_ACCESS_SERVICE_TOKEN_CONSOLE"},
	})
}
