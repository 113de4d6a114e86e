// Package double is GitHub simulated: secrets of repositories, environments and organisations, and the workflow runs of repositories.
//
// Every behaviour is as the published OpenAPI description says (github/rest-api-description,
// version 2022-11-28) or cites a page. It shares nothing with the client that it is asked by.
package double

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"golang.org/x/crypto/nacl/box"

	"rekey/internal/world"
)

// GitHub is what the account sees.
type GitHub struct {
	Token string            `json:"token"`
	Vault map[string]*Vault `json:"vaults"` // by path: /repos/OWNER/NAME/actions
	Runs  []*Run            `json:"runs,omitempty"`
}

// Vault is one set of secrets.
type Vault struct {
	Private []byte             `json:"private"` // key that opens what was sealed for it
	Public  []byte             `json:"public"`
	Secrets map[string]*Secret `json:"secrets"`
}

// Secret is one of them. Value is what GitHub never tells.
type Secret struct {
	Value        string    `json:"value"`
	Created      time.Time `json:"created"`
	Updated      time.Time `json:"updated"`
	Visibility   string    `json:"visibility,omitempty"`
	Repositories []int64   `json:"repositories,omitempty"`
}

// Run is a run of a workflow of a repository.
type Run struct {
	ID      int64     `json:"id"`
	Repo    string    `json:"repo"` // OWNER/NAME
	Name    string    `json:"name"`
	Started time.Time `json:"started"`
	Ends    time.Time `json:"ends"`
}

// Double is the account in the world that it stands in.
type Double struct {
	*world.State
	GitHub *GitHub
}

// Name of the double.
func (*Double) Name() string { return "github" }

// Memory is the account.
func (d *Double) Memory() any { return d.GitHub }

// Hosts are those of the public service.
func (*Double) Hosts() []string { return []string{"api.github.com"} }

// Add makes an empty set of secrets: /repos/OWNER/NAME/actions, …/environments/NAME,
// /orgs/NAME/actions.
func (d *Double) Add(path string) *Vault {
	public, private, err := box.GenerateKey(strings.NewReader(d.Random(32)))
	if err != nil {
		panic(err) // the reader has enough
	}
	v := &Vault{Private: private[:], Public: public[:], Secrets: map[string]*Secret{}}
	if d.GitHub.Vault == nil {
		d.GitHub.Vault = map[string]*Vault{}
	}
	d.GitHub.Vault[path] = v
	return v
}

// documentation is named by every error.
const documentation = "https://docs.github.com/rest"

// Fail answers as GitHub does [components.schemas.basic-error].
func (*Double) Fail(rw http.ResponseWriter, status int, message string) {
	if message == "" {
		message = map[int]string{
			401: "Bad credentials", 403: "Resource not accessible by personal access token", 404: "Not Found",
			409: "Conflict", 422: "Validation Failed", 429: "API rate limit exceeded",
		}[status]
	}
	if message == "" {
		message = "Server Error"
	}
	answer(rw, status, map[string]string{"message": message, "documentation_url": documentation, "status": http.StatusText(status)})
}

func answer(rw http.ResponseWriter, status int, body any) {
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.WriteHeader(status)
	if body != nil {
		_ = json.NewEncoder(rw).Encode(body)
	}
}

// Kept are the secrets.
func (d *Double) Kept(yield func(world.Kept)) {
	for path, v := range d.GitHub.Vault {
		for name, s := range v.Secrets {
			yield(world.Kept{Where: "github:" + path, Slot: name, Value: s.Value})
		}
	}
}

// Secrets besides those of generations.
func (d *Double) Secrets() map[string]string {
	return map[string]string{"the GitHub token": d.GitHub.Token}
}

func (v *Vault) open(sealed string) (string, bool) {
	b, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(v.Public) != 32 || len(v.Private) != 32 {
		return "", false
	}
	out, ok := box.OpenAnonymous(nil, b, (*[32]byte)(v.Public), (*[32]byte)(v.Private))
	return string(out), ok
}

var _ interface {
	world.Double
	world.Hosted
	world.Fails
	world.Keeps
	world.Hides
} = (*Double)(nil)
