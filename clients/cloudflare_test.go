package clients

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cloudflare/cloudflare-go/v7/option"
	"github.com/cloudflare/cloudflare-go/v7/zero_trust"
)

// set fills a field of the SDK's parameters. cloudflare.F does the same, but stands
// in a package that imports all of Cloudflare: 155 s to compile instead of 60.
func set(field, value any) {
	f := reflect.ValueOf(field).Elem()
	f.FieldByName("Value").Set(reflect.ValueOf(value))
	f.FieldByName("Present").SetBool(true)
}

// raw sends a value as it is, whatever the SDK knows of its type (cloudflare.Raw).
func raw(field, value any) {
	f := reflect.ValueOf(field).Elem()
	f.FieldByName("Raw").Set(reflect.ValueOf(value))
	f.FieldByName("Present").SetBool(true)
}

// sdk is what an SDK client of this world is made with. It never asks twice, unless
// a test says so.
func sdk(w *world, more ...option.RequestOption) []option.RequestOption {
	env := w.Clients["cloudflare"]
	return append([]option.RequestOption{
		option.WithBaseURL(env["CLOUDFLARE_BASE_URL"]), option.WithAPIToken(env["CLOUDFLARE_API_TOKEN"]), option.WithMaxRetries(0),
	}, more...)
}

// must fails the test where the SDK does.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// refused fails unless the SDK's error tells this of the vendor's answer.
func refused(t *testing.T, what string, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v, want an error with %q", what, err, part)
		}
	}
}

func TestCloudflareServiceTokens(t *testing.T) {
	t.Parallel()
	w := serve(t)
	account := w.Env["CF_ACCOUNT_ID"]
	tokens, ctx := zero_trust.NewAccessServiceTokenService(sdk(w)...), context.Background()

	var create zero_trust.AccessServiceTokenNewParams
	set(&create.AccountID, account)
	set(&create.Name, "sdk-made")
	set(&create.Duration, "8760h")
	made := must[*zero_trust.AccessServiceTokenNewResponse](t)(tokens.New(ctx, create))
	if made.ID == "" || made.ClientID == "" || made.ClientSecret == "" || made.Name != "sdk-made" || made.Duration != "8760h" {
		t.Fatalf("made: %s", made.JSON.RawJSON())
	}

	var all zero_trust.AccessServiceTokenListParams
	set(&all.AccountID, account)
	seen := 0
	for pager := tokens.ListAutoPaging(ctx, all); ; seen++ {
		if !pager.Next() {
			if pager.Err() != nil {
				t.Fatal(pager.Err())
			}
			break
		}
		if strings.Contains(pager.Current().JSON.RawJSON(), "client_secret\"") {
			t.Error("the list shows a secret")
		}
	}
	if seen != len(w.look(t).Cloudflare.Tokens) || seen < 4 {
		t.Errorf("the SDK lists %d tokens", seen)
	}

	var get zero_trust.AccessServiceTokenGetParams
	set(&get.AccountID, account)
	got := must[*zero_trust.ServiceToken](t)(tokens.Get(ctx, made.ID, get))
	if got.ClientID != made.ClientID || !got.Enabled || time.Until(got.ExpiresAt) < 8750*time.Hour {
		t.Errorf("got: %s", got.JSON.RawJSON())
	}

	var change zero_trust.AccessServiceTokenUpdateParams
	set(&change.AccountID, account)
	set(&change.Name, "sdk-renamed")
	set(&change.Enabled, false)
	changed := must[*zero_trust.ServiceToken](t)(tokens.Update(ctx, made.ID, change))
	if changed.Name != "sdk-renamed" || changed.Enabled || changed.Duration != "8760h" {
		t.Errorf("changed: %s", changed.JSON.RawJSON())
	}

	// In place: id and client id stay, the secret is another one, shown once.
	var rotate zero_trust.AccessServiceTokenRotateParams
	set(&rotate.AccountID, account)
	set(&rotate.PreviousClientSecretExpiresAt, time.Now().Add(time.Hour))
	rotated := must[*zero_trust.AccessServiceTokenRotateResponse](t)(tokens.Rotate(ctx, made.ID, rotate))
	if rotated.ID != made.ID || rotated.ClientID != made.ClientID || rotated.ClientSecret == "" || rotated.ClientSecret == made.ClientSecret {
		t.Errorf("rotated: the same secret, or another token: %q", rotated.ID)
	}

	// Refresh is not a rotation: it moves the end and gives no secret (docs/vendors/cloudflare.md).
	var refresh zero_trust.AccessServiceTokenRefreshParams
	set(&refresh.AccountID, account)
	refreshed := must[*zero_trust.ServiceToken](t)(tokens.Refresh(ctx, made.ID, refresh))
	if refreshed.ExpiresAt.Before(got.ExpiresAt) || strings.Contains(refreshed.JSON.RawJSON(), "client_secret\"") {
		t.Errorf("refreshed: %s", refreshed.JSON.RawJSON())
	}

	var gone zero_trust.AccessServiceTokenDeleteParams
	set(&gone.AccountID, account)
	deleted := must[*zero_trust.ServiceToken](t)(tokens.Delete(ctx, made.ID, gone))
	if deleted.ID != made.ID {
		t.Errorf("deleted: %s", deleted.JSON.RawJSON())
	}
	_, err := tokens.Get(ctx, made.ID, get)
	refused(t, "a deleted token", err, "404", "service_token_not_found")

	// What a rule still names is not deleted: 400 and 12139 (docs/vendors/cloudflare.md).
	used := w.look(t).tokens("raxx-console-svc-")[0]
	_, err = tokens.Delete(ctx, used, gone)
	refused(t, "a token in use", err, "400", "12139", "service_token_in_use")
	if _, err := tokens.Get(ctx, used, get); err != nil {
		t.Errorf("the token that was not deleted: %v", err)
	}
	_, err = zero_trust.NewAccessServiceTokenService(sdk(w, option.WithAPIToken("nobody's"))...).Get(ctx, used, get)
	refused(t, "a token of nobody's", err, "403", "10000")
}

// TestCloudflareRules: policies and groups go out and back through the SDK with
// nothing lost, although a PUT replaces everything (docs/vendors/cloudflare.md).
func TestCloudflareRules(t *testing.T) {
	t.Parallel()
	w := serve(t)
	account, ctx := w.Env["CF_ACCOUNT_ID"], context.Background()
	token := w.look(t).tokens("raxx-vault-svc-")[0]
	another := map[string]any{"service_token": map[string]any{"token_id": token}}

	policies := zero_trust.NewAccessPolicyService(sdk(w)...)
	var listPolicies zero_trust.AccessPolicyListParams
	set(&listPolicies.AccountID, account)
	policyPage, err := policies.List(ctx, listPolicies)
	if err != nil || len(policyPage.Result) < 2 {
		t.Fatalf("policies: %v %v", policyPage, err)
	}
	id := policyPage.Result[0].ID
	var getPolicy zero_trust.AccessPolicyGetParams
	set(&getPolicy.AccountID, account)
	policy := must[*zero_trust.AccessPolicyGetResponse](t)(policies.Get(ctx, id, getPolicy))
	if policy.Name != "console service auth" || policy.Decision != "non_identity" || len(policy.Include) != 2 || policy.SessionDuration != "24h" {
		t.Fatalf("policy: %s", policy.JSON.RawJSON())
	}
	include := []any{another}
	for _, rule := range policy.Include {
		if _, typed := rule.AsUnion().(zero_trust.ServiceTokenRule); !typed {
			t.Errorf("the SDK does not know this for a service token's rule: %s", rule.JSON.RawJSON())
		}
		include = append(include, untyped(t, rule.JSON.RawJSON()))
	}
	var putPolicy zero_trust.AccessPolicyUpdateParams
	set(&putPolicy.AccountID, account)
	set(&putPolicy.Name, policy.Name)
	set(&putPolicy.Decision, policy.Decision)
	set(&putPolicy.SessionDuration, policy.SessionDuration)
	raw(&putPolicy.Include, include)
	put := must[*zero_trust.AccessPolicyUpdateResponse](t)(policies.Update(ctx, id, putPolicy))
	if len(put.Include) != 3 || put.SessionDuration != "24h" || !put.UpdatedAt.After(policy.UpdatedAt) {
		t.Errorf("put: %s", put.JSON.RawJSON())
	}
	// What was not sent is gone.
	for _, p := range w.look(t).Cloudflare.Policies {
		if string(p["id"]) == `"`+id+`"` && p["purpose_justification_required"] != nil {
			t.Error("a PUT kept a field that was not sent")
		}
	}

	groups := zero_trust.NewAccessGroupService(sdk(w)...)
	var listGroups zero_trust.AccessGroupListParams
	set(&listGroups.AccountID, account)
	groupPage, err := groups.List(ctx, listGroups)
	if err != nil || len(groupPage.Result) != 1 {
		t.Fatalf("groups: %v %v", groupPage, err)
	}
	var getGroup zero_trust.AccessGroupGetParams
	set(&getGroup.AccountID, account)
	group := must[*zero_trust.AccessGroupGetResponse](t)(groups.Get(ctx, groupPage.Result[0].ID, getGroup))
	if group.Name != "vault probes" || len(group.Include) != 1 {
		t.Fatalf("group: %s", group.JSON.RawJSON())
	}
	include = nil
	for _, rule := range group.Include {
		include = append(include, untyped(t, rule.JSON.RawJSON()))
	}
	var putGroup zero_trust.AccessGroupUpdateParams
	set(&putGroup.AccountID, account)
	set(&putGroup.Name, group.Name)
	raw(&putGroup.Include, include)
	back := must[*zero_trust.AccessGroupUpdateResponse](t)(groups.Update(ctx, group.ID, putGroup))
	if len(back.Include) != 1 || back.Include[0].JSON.RawJSON() != group.Include[0].JSON.RawJSON() {
		t.Errorf("group after a round trip: %s", back.JSON.RawJSON())
	}
	// A rule cannot name a token that is not there.
	raw(&putGroup.Include, []any{map[string]any{"service_token": map[string]any{"token_id": "00000000-0000-4000-8000-00000000dead"}}})
	_, err = groups.Update(ctx, group.ID, putGroup)
	refused(t, "a rule with nobody's token", err, "400", "service_token_not_found")
}

func untyped(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}
