package clients

import (
	"context"
	"strings"
	"testing"

	"github.com/cloudflare/cloudflare-go/v7/option"
	"github.com/cloudflare/cloudflare-go/v7/zero_trust"
)

const createsToken = "POST /client/v4/accounts/{account}/access/service_tokens"

// lost: so many creations take effect, and their answers do not arrive.
func lost(times string) string {
	return `{"faults":[{"vendor":"cloudflare","endpoint":"` + createsToken + `","cut":true,"applied":true,"times":` + times + `}]}`
}

// TestWhyRekeyHasItsOwnClients: one call of the SDK, as it comes, is three requests
// when answers get lost, and three tokens of one name whose secrets nobody has.
// rekey asks once, looks for what may have happened, and takes it away
// (docs/decisions/0003-own-vendor-clients.md).
func TestWhyRekeyHasItsOwnClients(t *testing.T) {
	t.Parallel()
	w := serve(t)
	w.turn(t, lost("3"))
	var create zero_trust.AccessServiceTokenNewParams
	set(&create.AccountID, w.Env["CF_ACCOUNT_ID"])
	set(&create.Name, "orphan")
	env := w.Clients["cloudflare"]
	asItComes := zero_trust.NewAccessServiceTokenService(option.WithBaseURL(env["CLOUDFLARE_BASE_URL"]), option.WithAPIToken(env["CLOUDFLARE_API_TOKEN"]))
	if made, err := asItComes.New(context.Background(), create); err == nil {
		t.Fatalf("every answer was lost, and yet it has %s", made.ID)
	}
	s := w.look(t)
	if posts, orphans := s.Calls["cloudflare"][createsToken], len(s.tokens("orphan")); posts != 3 || orphans != 3 {
		t.Errorf("the SDK with its defaults: %d requests and %d orphans, not 3 and 3", posts, orphans)
	}
	// Told not to ask again, it leaves one, and does not know of it.
	w.turn(t, lost("1"))
	set(&create.Name, "alone")
	if _, err := zero_trust.NewAccessServiceTokenService(sdk(w)...).New(context.Background(), create); err == nil {
		t.Error("the answer was lost, and the SDK has one")
	}
	if n := len(w.look(t).tokens("alone")); n != 1 {
		t.Errorf("%d orphans without repetition", n)
	}

	w = serve(t)
	dir := w.folder(t)
	before := w.look(t).tokens("")
	w.turn(t, lost("2"))
	const name = "CF_ACCESS_SVC_CONSOLE"
	code, out := rekey(t, dir, "run", name, "--confirm", name)
	wants(t, "a rotation whose first two creations were answered to nobody", code, 0, out, "rotated")
	s = w.look(t)
	if posts := s.Calls["cloudflare"][createsToken]; posts != 3 {
		t.Errorf("%d creations were asked for, two of them lost: want 3", posts)
	}
	if live := s.tokens("raxx-console-svc-"); len(live) != 1 || len(s.tokens("")) != len(before) {
		t.Errorf("%d live tokens bear the name, of %d (before: %d)", len(live), len(s.tokens("")), len(before))
	}
	if len(s.Outages) != 0 {
		t.Errorf("outages: %+v", s.Outages)
	}
}

// TestRekeySeesTheCloudflareSDK: what a person does with the SDK is found by rekey,
// and what rekey does is seen by the SDK.
func TestRekeySeesTheCloudflareSDK(t *testing.T) {
	t.Parallel()
	w := serve(t)
	dir, account, ctx := w.folder(t), w.Env["CF_ACCOUNT_ID"], context.Background()
	tokens := zero_trust.NewAccessServiceTokenService(sdk(w)...)
	const name = "CF_ACCESS_SVC_CONSOLE"
	old := w.look(t).tokens("raxx-console-svc-")[0]

	var change zero_trust.AccessServiceTokenUpdateParams
	set(&change.AccountID, account)
	set(&change.Enabled, false)
	must[*zero_trust.ServiceToken](t)(tokens.Update(ctx, old, change))
	code, out := rekey(t, dir, "drift", name, "--json")
	wants(t, "the token in use switched off", code, 6, out, `"switched-off"`)
	code, out = rekey(t, dir, "check", name)
	wants(t, "the token in use switched off", code, 1, out, "is switched off", "is not true now")
	set(&change.Enabled, true)
	must[*zero_trust.ServiceToken](t)(tokens.Update(ctx, old, change))
	code, out = rekey(t, dir, "drift", name)
	wants(t, "switched on again", code, 0, out, "agree")

	code, out = rekey(t, dir, "run", name, "--confirm", name)
	wants(t, "a rotation", code, 0, out, "rotated")
	var get zero_trust.AccessServiceTokenGetParams
	set(&get.AccountID, account)
	_, err := tokens.Get(ctx, old, get)
	refused(t, "the old one", err, "404")
	live := w.look(t).tokens("raxx-console-svc-")
	if len(live) != 1 {
		t.Fatalf("%d live tokens bear the name", len(live))
	}
	if made := must[*zero_trust.ServiceToken](t)(tokens.Get(ctx, live[0], get)); !made.Enabled || !strings.Contains(out, made.Name) {
		t.Errorf("the new one: %s", made.JSON.RawJSON())
	}

	// Taken away behind rekey's back: out of the rule that names it, then deleted.
	policies := zero_trust.NewAccessPolicyService(sdk(w)...)
	var list zero_trust.AccessPolicyListParams
	set(&list.AccountID, account)
	page, err := policies.List(ctx, list)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range page.Result {
		if p.Name != "console service auth" {
			continue
		}
		var put zero_trust.AccessPolicyUpdateParams
		set(&put.AccountID, account)
		set(&put.Name, p.Name)
		set(&put.Decision, p.Decision)
		raw(&put.Include, []any{map[string]any{"any_valid_service_token": map[string]any{}}})
		must[*zero_trust.AccessPolicyUpdateResponse](t)(policies.Update(ctx, p.ID, put))
	}
	var gone zero_trust.AccessServiceTokenDeleteParams
	set(&gone.AccountID, account)
	must[*zero_trust.ServiceToken](t)(tokens.Delete(ctx, live[0], gone))
	code, out = rekey(t, dir, "drift", name, "--json")
	wants(t, "the token in use deleted", code, 6, out, `"not-issued"`, "rekey run "+name+" --after-revoke")
}
