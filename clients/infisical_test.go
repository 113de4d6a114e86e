package clients

import (
	"slices"
	"strings"
	"testing"

	infisical "github.com/infisical/go-sdk"
	"github.com/infisical/go-sdk/packages/models"
)

const infisicalFolder = "/MooseQuest/cloudflare"

// infisicalSDK is a client that is logged in as rekey's machine identity.
func infisicalSDK(t *testing.T, w *world) infisical.InfisicalClientInterface {
	t.Helper()
	env, no := w.Clients["infisical"], false
	client := infisical.NewInfisicalClient(t.Context(), infisical.Config{
		SiteUrl: env["INFISICAL_API_URL"], AutoTokenRefresh: &no, SilentMode: true,
	})
	login, err := client.Auth().UniversalAuthLogin(env["INFISICAL_UNIVERSAL_AUTH_CLIENT_ID"], env["INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET"])
	if err != nil || login.AccessToken == "" || login.ExpiresIn <= 0 || login.TokenType != "Bearer" {
		t.Fatalf("log in: %v", err)
	}
	return client
}

// TestInfisicalSDK: go-sdk v0.8.0 speaks the v3 routes, which servers of today keep
// (docs/vendors/infisical.md).
func TestInfisicalSDK(t *testing.T) {
	t.Parallel()
	w := serve(t)
	client, project := infisicalSDK(t, w), w.Env["INFISICAL_PROJECT_ID"]
	secrets := client.Secrets()

	listed, err := secrets.ListSecrets(infisical.ListSecretsOptions{ProjectID: project, Environment: "prod", SecretPath: infisicalFolder})
	if err != nil {
		t.Fatal(err)
	}
	value := map[string]string{}
	for _, s := range listed.Secrets {
		value[s.SecretKey] = s.SecretValue
	}
	if held := w.look(t).Heroku.Apps[0].Releases[0].Vars["CF_ACCESS_SVC_CONSOLE"]; value["CF_ACCESS_SVC_CONSOLE__CLIENT_ID"]+":"+value["CF_ACCESS_SVC_CONSOLE"] != held {
		t.Errorf("the SDK lists %d secrets, which are not what the app holds", len(value))
	}
	first, err := secrets.Retrieve(infisical.RetrieveSecretOptions{ProjectID: project, Environment: "prod", SecretPath: infisicalFolder, SecretKey: "CF_ACCESS_SVC_CONSOLE", Version: 1})
	if err != nil || first.Version != 1 || first.SecretValue != "retired-long-ago" {
		t.Errorf("version 1: %d, %v", first.Version, err)
	}
	current, err := secrets.Retrieve(infisical.RetrieveSecretOptions{ProjectID: project, Environment: "prod", SecretPath: infisicalFolder, SecretKey: "CF_ACCESS_SVC_CONSOLE"})
	if err != nil || current.Version != 2 || current.SecretValue != value["CF_ACCESS_SVC_CONSOLE"] {
		t.Errorf("the current version: %d, %v", current.Version, err)
	}

	made, err := secrets.Create(infisical.CreateSecretOptions{ProjectID: project, Environment: "dev", SecretPath: infisicalFolder, SecretKey: "SDK_MADE", SecretValue: " one ", SecretComment: "by the SDK"})
	if err != nil || made.Version != 1 || made.SecretValue != "one" {
		t.Fatalf("create (values are trimmed): version %d, %q, %v", made.Version, made.SecretValue, err)
	}
	changed, err := secrets.Update(infisical.UpdateSecretOptions{ProjectID: project, Environment: "dev", SecretPath: infisicalFolder, SecretKey: "SDK_MADE", NewSecretValue: "two"})
	if err != nil || changed.Version != 2 {
		t.Errorf("update: version %d, %v", changed.Version, err)
	}
	if read, err := secrets.Retrieve(infisical.RetrieveSecretOptions{ProjectID: project, Environment: "dev", SecretPath: infisicalFolder, SecretKey: "SDK_MADE"}); err != nil || read.SecretValue != "two" || read.SecretComment != "by the SDK" || read.ID != made.ID {
		t.Errorf("after the update: %q %q, %v", read.SecretValue, read.SecretComment, err)
	}
	if _, err := secrets.Delete(infisical.DeleteSecretOptions{ProjectID: project, Environment: "dev", SecretPath: infisicalFolder, SecretKey: "SDK_MADE"}); err != nil {
		t.Errorf("delete: %v", err)
	}
	_, err = secrets.Retrieve(infisical.RetrieveSecretOptions{ProjectID: project, Environment: "dev", SecretPath: infisicalFolder, SecretKey: "SDK_MADE"})
	refused(t, "a deleted secret", err, "404", "not found")

	batch := func(keys ...string) ([]models.Secret, error) {
		o := infisical.BatchCreateSecretsOptions{ProjectID: project, Environment: "dev", SecretPath: infisicalFolder}
		for _, k := range keys {
			o.Secrets = append(o.Secrets, infisical.BatchCreateSecret{SecretKey: k, SecretValue: "of " + k})
		}
		return secrets.Batch().Create(o)
	}
	if both, err := batch("A", "B"); err != nil || len(both) != 2 {
		t.Errorf("batch create: %d, %v", len(both), err)
	}
	_, err = batch("C", "B")
	refused(t, "a batch of which one is there already", err, "400", "Secret already exist")
	left, err := secrets.ListSecrets(infisical.ListSecretsOptions{ProjectID: project, Environment: "dev", SecretPath: infisicalFolder})
	if names := keys(left.Secrets); err != nil || !slices.Equal(names, []string{"A", "B"}) {
		t.Errorf("after a refused batch there are %q, %v", names, err)
	}

	// The SDK repeats a creation whose answer was lost, and what comes of a success is
	// an error (docs/vendors/infisical.md).
	w.turn(t, `{"faults":[{"vendor":"infisical","endpoint":"POST /api/v3/secrets/raw","cut":true,"applied":true}]}`)
	_, err = secrets.Create(infisical.CreateSecretOptions{ProjectID: project, Environment: "dev", SecretPath: infisicalFolder, SecretKey: "LOST", SecretValue: "x"})
	refused(t, "a creation that was repeated", err, "already exist")
	if read, err := secrets.Retrieve(infisical.RetrieveSecretOptions{ProjectID: project, Environment: "dev", SecretPath: infisicalFolder, SecretKey: "LOST"}); err != nil || read.Version != 1 {
		t.Errorf("what it said was not made: version %d, %v", read.Version, err)
	}

	_, err = client.Auth().UniversalAuthLogin(w.Env["INFISICAL_CLIENT_ID"], "wrong")
	refused(t, "a wrong client secret", err, "401", "Invalid credentials")
}

func keys(list []models.Secret) []string {
	var out []string
	for _, s := range list {
		out = append(out, s.SecretKey)
	}
	slices.Sort(out)
	return out
}

// TestRekeySeesTheInfisicalSDK: what a person does with the SDK is found by rekey,
// and what rekey does is seen by the SDK.
func TestRekeySeesTheInfisicalSDK(t *testing.T) {
	t.Parallel()
	w := serve(t)
	dir, secrets, project := w.folder(t), infisicalSDK(t, w).Secrets(), w.Env["INFISICAL_PROJECT_ID"]
	const name = "CF_ACCESS_SVC_CONSOLE"
	read := func() models.Secret {
		s, err := secrets.Retrieve(infisical.RetrieveSecretOptions{ProjectID: project, Environment: "prod", SecretPath: infisicalFolder, SecretKey: name})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	write := func(value string) {
		if _, err := secrets.Update(infisical.UpdateSecretOptions{ProjectID: project, Environment: "prod", SecretPath: infisicalFolder, SecretKey: name, NewSecretValue: value}); err != nil {
			t.Fatal(err)
		}
	}
	before := read()
	write("by-hand")
	code, out := rekey(t, dir, "drift", name, "--json")
	wants(t, "one of the names changed by hand", code, 6, out, `"names-differ"`, "infisical:"+infisicalFolder)
	if strings.Contains(out, "by-hand") {
		t.Error("rekey drift shows a value")
	}
	write(before.SecretValue)
	code, out = rekey(t, dir, "drift", name)
	wants(t, "set back by hand", code, 0, out, "agree")

	code, out = rekey(t, dir, "run", name, "--confirm", name)
	wants(t, "a rotation", code, 0, out, "rotated")
	after := read()
	if after.Version != before.Version+3 || after.SecretValue == before.SecretValue || after.ID != before.ID {
		t.Errorf("the SDK reads version %d after %d", after.Version, before.Version)
	}
	stamped := map[string]bool{}
	for _, m := range after.SecretMetadata {
		stamped[m.Key] = m.Value != ""
	}
	if !stamped["rekey_run"] || !stamped["rekey_generation"] || !stamped["rekey_fingerprint"] {
		t.Errorf("the SDK reads the metadata %+v", after.SecretMetadata)
	}
}
