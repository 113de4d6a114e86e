package clients

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/openbao/openbao/api/v2"

	"rekey/internal/provider/vault/double"
)

// bao is OpenBao's own client on the double of Vault.
func bao(t *testing.T) (*api.Client, *double.Server) {
	t.Helper()
	d := double.New(time.Now)
	s := httptest.NewServer(d)
	t.Cleanup(s.Close)
	conf := api.DefaultConfig()
	if conf.Error != nil {
		t.Fatal(conf.Error)
	}
	conf.Address, conf.MaxRetries = s.URL, 0
	c, err := api.NewClient(conf)
	if err != nil {
		t.Fatal(err)
	}
	c.SetToken(d.Root)
	return c, d
}

// TestOpenBaoKV: what the client makes of the double's answers is what it makes of a
// server's: versions, check-and-set, deleted ones, notes.
func TestOpenBaoKV(t *testing.T) {
	c, _ := bao(t)
	kv := c.KVv2("secret")
	ctx := t.Context()
	if _, err := kv.Get(ctx, "team/console"); err == nil || !strings.Contains(err.Error(), "secret not found") {
		t.Errorf("of one that is not there: %v", err)
	}
	for n, value := range []string{"one", "two", "three"} {
		put, err := kv.Put(ctx, "team/console", map[string]any{"KEY": value}, api.WithCheckAndSet(n))
		if err != nil || put.VersionMetadata.Version != n+1 || put.VersionMetadata.CreatedTime.IsZero() {
			t.Fatalf("%+v %v", put, err)
		}
	}
	if _, err := kv.Put(ctx, "team/console", map[string]any{"KEY": "late"}, api.WithCheckAndSet(1)); err == nil || !strings.Contains(err.Error(), "check-and-set parameter did not match") {
		t.Errorf("a stale write: %v", err)
	}
	got, err := kv.GetVersion(ctx, "team/console", 1)
	if err != nil || got.Data["KEY"] != "one" || got.VersionMetadata.Version != 1 {
		t.Errorf("%+v %v", got, err)
	}
	if err := kv.PatchMetadata(ctx, "team/console", api.KVMetadataPatchInput{CustomMetadata: map[string]any{"rekey_run": "k7f3q2"}}); err != nil {
		t.Error(err)
	}
	if err := kv.DeleteVersions(ctx, "team/console", []int{3}); err != nil {
		t.Fatal(err)
	}
	about, err := kv.GetMetadata(ctx, "team/console")
	if err != nil || about.CurrentVersion != 3 || about.CustomMetadata["rekey_run"] != "k7f3q2" || about.Versions["3"].DeletionTime.IsZero() || len(about.Versions) != 3 {
		t.Errorf("%+v %v", about, err)
	}
	if got, err := kv.Get(ctx, "team/console"); err != nil || got.Data != nil || got.VersionMetadata.Version != 3 || got.VersionMetadata.DeletionTime.IsZero() {
		t.Errorf("a deleted one: %+v %v", got, err)
	}
	if err := kv.Undelete(ctx, "team/console", []int{3}); err != nil {
		t.Fatal(err)
	}
	if back, err := kv.Rollback(ctx, "team/console", 2); err != nil || back.VersionMetadata.Version != 4 {
		t.Errorf("%+v %v", back, err)
	}
	if err := kv.Destroy(ctx, "team/console", []int{1}); err != nil {
		t.Fatal(err)
	}
	if got, err := kv.GetVersion(ctx, "team/console", 1); err != nil || got.Data != nil || !got.VersionMetadata.Destroyed {
		t.Errorf("a destroyed one: %+v %v", got, err)
	}
}

// TestOpenBaoAppRole: two secret ids live, one is destroyed, and the login says so.
func TestOpenBaoAppRole(t *testing.T) {
	c, d := bao(t)
	if err := c.Sys().EnableAuthWithOptions("approle", &api.EnableAuthOptions{Type: "approle"}); err != nil {
		t.Fatal(err)
	}
	l := c.Logical()
	if _, err := l.Write("auth/approle/role/app", map[string]any{"token_policies": []string{"default"}}); err != nil {
		t.Fatal(err)
	}
	if none, err := l.List("auth/approle/role/app/secret-id"); err != nil || none != nil {
		t.Errorf("%v %v", none, err)
	}
	role, err := l.Read("auth/approle/role/app/role-id")
	if err != nil {
		t.Fatal(err)
	}
	var ids, accessors []string
	for range 2 {
		made, err := l.Write("auth/approle/role/app/secret-id", map[string]any{"metadata": `{"team":"platform"}`})
		if err != nil {
			t.Fatal(err)
		}
		ids, accessors = append(ids, made.Data["secret_id"].(string)), append(accessors, made.Data["secret_id_accessor"].(string))
	}
	login := func(id string) (*api.Secret, error) {
		return l.Write("auth/approle/login", map[string]any{"role_id": role.Data["role_id"], "secret_id": id})
	}
	for _, id := range ids {
		in, err := login(id)
		if err != nil || in.Auth == nil || in.Auth.ClientToken == "" || in.Auth.LeaseDuration == 0 {
			t.Errorf("%+v %v", in, err)
		}
	}
	listed, err := l.List("auth/approle/role/app/secret-id")
	if err != nil || len(listed.Data["keys"].([]any)) != 2 {
		t.Errorf("%+v %v", listed, err)
	}
	shown, err := l.Write("auth/approle/role/app/secret-id-accessor/lookup", map[string]any{"secret_id_accessor": accessors[0]})
	if err != nil || shown.Data["metadata"].(map[string]any)["team"] != "platform" {
		t.Errorf("%+v %v", shown, err)
	}
	if _, err := l.Write("auth/approle/role/app/secret-id-accessor/destroy", map[string]any{"secret_id_accessor": accessors[0]}); err != nil {
		t.Fatal(err)
	}
	status := func(err error) int {
		if e, ok := err.(*api.ResponseError); ok {
			return e.StatusCode
		}
		return 0
	}
	if _, err := login(ids[0]); status(err) != http.StatusBadRequest {
		t.Errorf("a login with the destroyed one: %v", err)
	}
	if _, err := l.Write("auth/approle/role/app/secret-id-accessor/lookup", map[string]any{"secret_id_accessor": accessors[0]}); status(err) != http.StatusNotFound {
		t.Errorf("a look at the destroyed one: %v", err)
	}
	// A token without a policy may ask what it may do, and little else.
	made, err := c.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"none"}})
	if err != nil {
		t.Fatal(err)
	}
	c.SetToken(made.Auth.ClientToken)
	if can, err := c.Sys().CapabilitiesSelf("secret/data/x"); err != nil || len(can) != 1 || can[0] != "deny" {
		t.Errorf("%v %v", can, err)
	}
	if _, err := c.KVv2("secret").Get(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Error(err)
	}
	d.Sealed = true
	if _, err := l.Read("secret/data/x"); status(err) != http.StatusServiceUnavailable {
		t.Errorf("%v", err)
	}
	if _, err := json.Marshal(made); err != nil {
		t.Error(err)
	}
}
