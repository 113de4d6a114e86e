package clients

import (
	"context"
	"slices"
	"testing"

	"github.com/cloudflare/cloudflare-go/v7/accounts"
	"github.com/cloudflare/cloudflare-go/v7/option"
	"github.com/cloudflare/cloudflare-go/v7/shared"
	"github.com/cloudflare/cloudflare-go/v7/user"
)

// TestCloudflareAPITokens: the sibling procedure, a user's tokens and an account's.
func TestCloudflareAPITokens(t *testing.T) {
	t.Parallel()
	w := serve(t)
	account, ctx := w.Env["CF_ACCOUNT_ID"], context.Background()

	mine := user.NewTokenService(sdk(w)...)
	page, err := mine.List(ctx, user.TokenListParams{})
	if err != nil || len(page.Result) != 2 {
		t.Fatalf("a user's tokens: %v %v", page, err)
	}
	self := must[*user.TokenVerifyResponse](t)(mine.Verify(ctx))
	if self.Status != "active" || !slices.ContainsFunc(page.Result, func(x shared.Token) bool { return x.ID == self.ID }) {
		t.Errorf("verify: %s", self.JSON.RawJSON())
	}
	for _, dns := range page.Result {
		if dns.ID == self.ID {
			continue
		}
		if dns.Status != "active" || len(dns.Policies) != 1 || dns.Policies[0].PermissionGroups[0].Name != "DNS Write" || dns.Condition.RequestIP.In[0] != "192.0.2.0/24" {
			t.Errorf("as listed: %s", dns.JSON.RawJSON())
		}
		// The answer is the new value alone, and the one before is dead at once.
		value := *must[*string](t)(mine.Value.Update(ctx, dns.ID, user.TokenValueUpdateParams{Body: map[string]any{}}))
		rolled := must[*user.TokenVerifyResponse](t)(mine.Verify(ctx, option.WithAPIToken(value)))
		if rolled.ID != dns.ID {
			t.Errorf("the rolled value is of %s, not of %s", rolled.ID, dns.ID)
		}
		again := *must[*string](t)(mine.Value.Update(ctx, dns.ID, user.TokenValueUpdateParams{Body: map[string]any{}}))
		_, err := mine.Verify(ctx, option.WithAPIToken(value))
		refused(t, "a value that was rolled away", err, "401", "1000")
		if again == value {
			t.Error("rolled to the same value")
		}
	}

	theirs := accounts.NewTokenService(sdk(w)...)
	var list accounts.TokenListParams
	set(&list.AccountID, account)
	accountPage, err := theirs.List(ctx, list)
	if err != nil || len(accountPage.Result) != 1 {
		t.Fatalf("an account's tokens: %v %v", accountPage, err)
	}
	roll := accounts.TokenValueUpdateParams{Body: map[string]any{}}
	set(&roll.AccountID, account)
	value := *must[*string](t)(theirs.Value.Update(ctx, accountPage.Result[0].ID, roll))
	var verify accounts.TokenVerifyParams
	set(&verify.AccountID, account)
	verified := must[*accounts.TokenVerifyResponse](t)(theirs.Verify(ctx, verify, option.WithAPIToken(value)))
	if verified.ID != accountPage.Result[0].ID || verified.Status != "active" {
		t.Errorf("verify: %s", verified.JSON.RawJSON())
	}
	// One kind is not verified where the other is (docs/vendors/cloudflare.md).
	_, err = mine.Verify(ctx, option.WithAPIToken(value))
	refused(t, "an account's token where a user's are verified", err, "401", "1000")
}
