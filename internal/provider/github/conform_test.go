package github_test

import (
	"fmt"
	"testing"
	"time"

	"rekey/internal/contract"
	"rekey/internal/provider/github"
	"rekey/internal/provider/github/double"
	"rekey/internal/providertest"
	"rekey/internal/world"
)

func harness() providertest.Harness {
	return providertest.Harness{
		Vendor:     github.Descriptor,
		Double:     fresh,
		Judge:      contract.New(),
		Least:      4,
		Refusal:    refusal,
		Connection: `{"token":["env:GITHUB_TOKEN"]}`,
		Consumer:   `{"repo":"raxx/console"}`,
		Slots:      []string{"A", "B"},
	}
}

// fresh is GitHub with two secrets wherever one can be.
func fresh(providertest.T) *providertest.Double {
	now := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	state := &world.State{Seed: 7, At: now, Calls: map[string]map[string]int{}}
	d := &double.Double{State: state, GitHub: &double.GitHub{Token: token}}
	for _, path := range []string{repoVault, environmentVault, orgVault} {
		v := d.Add(path)
		for _, name := range []string{"A", "B"} {
			v.Secrets[name] = &double.Secret{Value: "held from before", Created: now, Updated: now, Visibility: "selected", Repositories: []int64{1}}
		}
	}
	now = now.Add(time.Hour)
	w := world.Open(state, func() time.Time { return now }, d)
	return &providertest.Double{
		Transport: w, Env: map[string]string{"GITHUB_TOKEN": token},
		Now: func() time.Time { return now }, Wait: func(d time.Duration) { now = now.Add(d) },
	}
}

func refusal(int) string {
	return fmt.Sprintf(`{"message":%q,"documentation_url":"https://docs.github.com/rest","status":%q}`, providertest.Canary, providertest.Canary)
}

func TestConform(t *testing.T) { providertest.Run(t, harness()) }

// TestEnvironmentsAndOrganisationsConform, which have addresses of their own.
func TestEnvironmentsAndOrganisationsConform(t *testing.T) {
	for name, settings := range map[string]string{"environment": places["environment"].settings, "organisation": places["organisation"].settings} {
		t.Run(name, func(t *testing.T) {
			h := harness()
			h.Consumer = settings
			providertest.Run(t, h)
		})
	}
}
