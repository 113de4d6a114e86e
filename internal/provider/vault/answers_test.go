package vault_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/provider/vault/double"
)

// asked is what both servers are asked, in this order. $A is the accessor of the first
// secret id, $S its value, $R the role id.
var asked = []string{
	"GET secret/data/x", "GET secret/data/x?version=3", "GET secret/metadata/x", "GET secret/config", "GET secret/nonsense/x", "GET nowhere/data/x",
	`POST secret/data/x {"options":{"cas":0},"data":{"K":"1","n":2}}`, `POST secret/data/x {"options":{"cas":0},"data":{"K":"2"}}`, `POST secret/data/x {"options":{"cas":7},"data":{}}`,
	`POST secret/data/x {"options":{"cas":1}}`, `POST secret/data/x {"data":{"K":"2"}}`, "GET secret/data/x", "GET secret/data/x?version=1", "GET secret/data/x?version=9", "GET secret/metadata/x",
	`PATCH secret/metadata/x {"custom_metadata":{"a":"b"}}`, `PATCH secret/metadata/x {"custom_metadata":{"c":"d"}}`, `PATCH secret/metadata/none {"custom_metadata":{"a":"b"}}`, "GET secret/data/x",
	"DELETE secret/data/x", "GET secret/data/x", `POST secret/data/x {"options":{"cas":1},"data":{}}`, `POST secret/data/x {"options":{"cas":2},"data":{}}`, "GET secret/data/x",
	`POST secret/destroy/x {"versions":[3]}`, "GET secret/data/x", "GET secret/data/x?version=3", `POST secret/undelete/x {"versions":[2]}`, "GET secret/data/x?version=2",
	`POST secret/metadata/x {"max_versions":2}`, `POST secret/data/x {"data":{"K":"4"}}`, "GET secret/data/x?version=1", "GET secret/data/x?version=2", "GET secret/metadata/x",
	`POST secret/metadata/x {"cas_required":true}`, `POST secret/data/x {"data":{"K":"5"}}`,
	"GET sys/internal/ui/mounts/secret/x", "GET sys/internal/ui/mounts/nowhere/x",
	`POST sys/capabilities-self {"paths":["secret/data/x","other"]}`, `POST sys/capabilities-self {"path":"secret/data/x"}`,
	`POST sys/mounts/plain {"type":"kv","options":{"version":"1"}}`, "GET plain/x", `POST plain/x {"K":"1"}`, "GET plain/x", "GET plain/data/x", "GET sys/internal/ui/mounts/plain/x",
	"GET auth/approle/role/app", `POST sys/auth/approle {"type":"approle"}`, "GET auth/approle/role/app", "GET auth/approle/role/app/secret-id?list=true",
	`POST auth/approle/role/none/secret-id {}`, `POST auth/approle/role/none/secret-id/lookup {"secret_id":"x"}`, `POST auth/approle/role/none/secret-id-accessor/lookup {"secret_id_accessor":"x"}`,
	`POST auth/approle/role/none/secret-id-accessor/destroy {"secret_id_accessor":"x"}`, "GET auth/approle/role/none/role-id",
	`POST auth/approle/role/app {"token_policies":["default"],"secret_id_ttl":"24h"}`, "GET auth/approle/role/app/role-id", "GET auth/approle/role/app/secret-id?list=true",
	`POST auth/approle/role/app/secret-id {"metadata":"{\"rekey_name\":\"a\"}"}`, `POST auth/approle/role/app/secret-id {"ttl":172800}`, "GET auth/approle/role/app/secret-id?list=true",
	`POST auth/approle/role/app/secret-id/lookup {"secret_id":"$S"}`, `POST auth/approle/role/app/secret-id/lookup {"secret_id":"x"}`,
	`POST auth/approle/role/app/secret-id-accessor/lookup {"secret_id_accessor":"$A"}`, `POST auth/approle/role/app/secret-id-accessor/lookup {"secret_id_accessor":"x"}`,
	`POST auth/approle/login {"role_id":"$R","secret_id":"$S"}`, `POST auth/approle/login {"role_id":"x","secret_id":"$S"}`, `POST auth/approle/login {"role_id":"$R"}`, `POST auth/approle/login {"secret_id":"$S"}`,
	`POST auth/approle/role/app/secret-id-accessor/destroy {"secret_id_accessor":"$A"}`, `POST auth/approle/role/app/secret-id-accessor/destroy {"secret_id_accessor":"$A"}`,
	`POST auth/approle/login {"role_id":"$R","secret_id":"$S"}`, `POST auth/approle/login {"role_id":"$R","secret_id":"$S"}`, `POST auth/approle/login {"role_id":"$R","secret_id":"$S"}`,
	`POST auth/approle/login {"role_id":"$R","secret_id":"$S"}`, `POST auth/approle/login {"role_id":"$R","secret_id":"$S"}`, `POST auth/approle/login {"role_id":"$R","secret_id":"$S"}`,
	`POST auth/approle/role/app {"bind_secret_id":false,"token_bound_cidrs":["127.0.0.1"]}`, `POST auth/approle/role/app/secret-id {}`,
	"GET secret/data/x WITHOUT A TOKEN", "POST auth/token/revoke-self WITHOUT A TOKEN",
}

// TestTheDoubleAnswersAsTheRealCore, to the same requests: status, sentences, and what
// is in the data, values that no two servers have alike aside.
func TestTheDoubleAnswersAsTheRealCore(t *testing.T) {
	t.Parallel()
	real, _ := core(t, "")
	real.admin(t, "POST", "sys/mounts/secret", `{"type":"kv","options":{"version":"2"}}`)
	wait(t, "the engine has been set up", func() bool { status, _ := real.ask(t, "GET", "secret/config", ""); return status == 200 })
	d := double.New(time.Now)
	h := httptest.NewServer(d)
	t.Cleanup(h.Close)
	want, got := real.play(t), (&server{base: h.URL, token: d.Root}).play(t)
	for i, line := range asked {
		if want[i] != got[i] {
			t.Errorf("%s\n  Vault  %s\n  double %s", line, want[i], got[i])
		}
	}
}

// play asks everything and returns the answers, comparable.
func (s *server) play(t *testing.T) []string {
	t.Helper()
	known := map[string]string{"$A": "$A", "$S": "$S", "$R": "$R"}
	var out []string
	for _, line := range asked {
		for name, value := range known {
			line = strings.ReplaceAll(line, name, value)
		}
		who := *s
		if short, without := strings.CutSuffix(line, " WITHOUT A TOKEN"); without {
			line, who.token = short, ""
		}
		method, rest, _ := strings.Cut(line, " ")
		at, body, _ := strings.Cut(rest, " ")
		status, said := who.ask(t, method, at, body)
		var a struct {
			Data   map[string]any `json:"data"`
			Auth   map[string]any `json:"auth"`
			Errors []string       `json:"errors"`
		}
		_ = json.Unmarshal([]byte(said), &a)
		for field, name := range map[string]string{"secret_id": "$S", "secret_id_accessor": "$A", "role_id": "$R"} {
			if v, is := a.Data[field].(string); is && known[name] == name {
				known[name] = v
			}
		}
		text := fmt.Sprint(status, " ", shape(a.Data), " ", a.Auth["client_token"] != nil, " ", a.Errors)
		for name, value := range known {
			if value != name {
				text = strings.ReplaceAll(text, value, name)
			}
		}
		out = append(out, opaque.ReplaceAllString(text, "…"))
	}
	return out
}

// opaque are identifiers and times.
var opaque = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|(secret-id|accessor|role)-[0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z`)

// unasked are fields that the driver does not read, and the double need not have.
var unasked = []string{"accessor", "config", "deprecation_status", "description", "external_entropy_access", "local", "plugin_version", "running_plugin_version", "running_sha256", "seal_wrap", "uuid",
	"local_secret_ids", "period", "policies", "secret_id_bound_cidrs", "token_bound_cidrs", "token_explicit_max_ttl", "token_no_default_policy", "token_num_uses", "token_period", "token_ttl", "token_type", "secret_id_ttl"}

// shape is the data of an answer in one order.
func shape(v any) string {
	switch x := v.(type) {
	case map[string]any:
		var out []string
		for _, k := range slices.Sorted(maps.Keys(x)) {
			if !slices.Contains(unasked, k) {
				out = append(out, k+"="+shape(x[k]))
			}
		}
		return "{" + strings.Join(out, " ") + "}"
	case []any:
		var out []string
		for _, e := range x {
			out = append(out, shape(e))
		}
		slices.Sort(out)
		return fmt.Sprint(out)
	}
	return fmt.Sprint(v)
}
