package assisted_test

import (
	"testing"

	"rekey/internal/provider/assisted"
	"rekey/internal/providertest"
	"rekey/internal/providertest/simulated"
	"rekey/internal/sim"
)

// TestConform: the person is simulated; whatever goes wrong on a page of the
// portal is something that this person could not do.
func TestConform(t *testing.T) {
	key := `{"create":["New key named {name}"],"revoke":["Delete {name}"],"headers":{"Authorization":"Bearer {value}"}}`
	client := `{"create":["New client named {name}"],"revoke":["Delete {name}"],"headers":{"X-Id":"{client_id}","X-Secret":"{client_secret}"}}`
	providertest.Run(t, providertest.Harness{
		Vendor:     assisted.Descriptor,
		ByHand:     true,
		AnyJSON:    true, // what a person sees on a page of the portal
		Double:     simulated.World(func(w *sim.State) { w.GivePortalKey("console-2026-08-23", "PORTAL_KEY") }),
		Connection: `{"link":["https://portal.example.com/keys"]}`,
		Issuers:    map[string]string{assisted.KindKey: key, assisted.KindClient: client},
	})
}
