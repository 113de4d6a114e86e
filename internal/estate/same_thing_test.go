package estate_test

import (
	"testing"
	"time"

	"rekey/internal/estate"
	"rekey/internal/schedule"
)

// TestOneThingUnderTwoNamesIsOneThing: rekey.yaml names one account of a vendor twice, and
// two credentials reach one app by them. Neither a person nor the schedule restarts it twice
// at once.
func TestOneThingUnderTwoNamesIsOneThing(t *testing.T) {
	t.Parallel()
	b := newBench(t, "  heroku:\n", "  shop:\n    vendor: heroku\n    token: env:HEROKU_API_KEY\n  heroku:\n", "    cadence: 90d", "    cadence: 90d\n    run: automatically",
		"    former: [CF_ACCESS_SERVICE_TOKEN_VAULT_PROBE]\n    consumers:\n      - app:", "    former: [CF_ACCESS_SERVICE_TOKEN_VAULT_PROBE]\n    consumers:\n      - vendor: shop\n        app:")
	for _, name := range []string{console, vault} {
		if checked, err := b.operations().Check(t.Context(), estate.Wish{Credential: name}); err != nil || !checked.OK() {
			t.Fatalf("%+v %v", checked, err)
		}
	}
	b.clock.Pass(91 * 24 * time.Hour)
	d, err := b.operations().Schedule(t.Context())
	if err != nil || len(d.Begin) != 1 {
		t.Fatalf("%v begin (%v)", d.Begin, err)
	}
	for _, c := range d.Credentials {
		if c.Credential != d.Begin[0] && (len(c.Why) != 1 || c.Why[0].Code != schedule.ConsumerBusy || c.Why[0].Of != d.Begin[0]) {
			t.Errorf("%s: %+v", c.Credential, c.Why)
		}
	}
	if _, err := b.operations().Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: console}}, &told{}); err != nil {
		t.Fatal(err)
	}
	_, err = b.operations().Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: vault}, Confirm: vault}, &told{})
	if e := b.refused(err, estate.PlaceBusy); e.Credential != console {
		t.Errorf("busy with %+v", e)
	}
}
