package infisical_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/provider/infisical"
	"rekey/internal/secret"
	"rekey/internal/sim"
)

// call is one that Infisical is asked for something by.
type call struct {
	name string
	at   string // method and end of the path of the request that is answered badly
	do   func(context.Context, provider.Vendor, provider.Issuer, provider.Store) error
}

var calls = []call{
	{"log in", "POST /login", readSlots},
	{"read secrets", "GET /secrets", readSlots},
	{"read one secret", "GET /secrets/" + console, func(ctx context.Context, _ provider.Vendor, _ provider.Issuer, s provider.Store) error {
		_, err := s.ReadVersion(ctx, console, "1")
		return err
	}},
	{"write secrets", "PATCH /batch", func(ctx context.Context, _ provider.Vendor, _ provider.Issuer, s provider.Store) error {
		_, err := s.Write(ctx, []provider.SlotValue{{Slot: console, Value: secret.New("a-new-value")}})
		return err
	}},
	{"remove secrets", "DELETE /batch", func(ctx context.Context, _ provider.Vendor, _ provider.Issuer, s provider.Store) error {
		return s.Remove(ctx, []string{console})
	}},
	{"read the rules about values", "GET /secret-validation-rules", func(ctx context.Context, _ provider.Vendor, _ provider.Issuer, s provider.Store) error {
		_, err := s.(provider.Foresight).Foresee(ctx, nil)
		return err
	}},
	{"read the secret syncs", "GET /secret-syncs", adviseStore},
	{"read the project", "GET /workspace", adviseStore},
	{"read all folders of dev", "GET /secrets", func(ctx context.Context, v provider.Vendor, _ provider.Issuer, _ provider.Store) error {
		places, err := v.(provider.Surveys).Survey(ctx, false)
		if err != nil {
			return err
		}
		_, err = places[0].Read(ctx)
		return err
	}},
	{"list client secrets", "GET /client-secrets", func(ctx context.Context, _ provider.Vendor, i provider.Issuer, _ provider.Store) error {
		_, err := i.List(ctx)
		return err
	}},
	{"read how the identity logs in", "GET /identities/", func(ctx context.Context, _ provider.Vendor, i provider.Issuer, _ provider.Store) error {
		_, err := i.(provider.Adviser).Advise(ctx, cred.Handle{})
		return err
	}},
	{"create client secret", "POST /client-secrets", func(ctx context.Context, _ provider.Vendor, i provider.Issuer, _ provider.Store) error {
		_, _, err := i.Create(ctx, "raxx-app-new")
		return err
	}},
	{"look at the client secret", "GET /client-secrets/", revoke},
	{"revoke client secret", "POST /revoke", revoke},
	{"log in to see whether it works", "POST /login", func(ctx context.Context, v provider.Vendor, i provider.Issuer, _ provider.Store) error {
		_, detail, err := i.(provider.Prober).Probe(ctx, itself, secret.Bundle{infisical.FieldClientID: secret.New("nobody"), infisical.FieldClientSecret: secret.New("a-made-up-secret")})
		if err == nil {
			err = errors.New("infisical: log in to see whether it works: " + detail)
		}
		return err
	}},
}

func readSlots(ctx context.Context, _ provider.Vendor, _ provider.Issuer, s provider.Store) error {
	_, err := s.Read(ctx, []string{console})
	return err
}

func adviseStore(ctx context.Context, _ provider.Vendor, _ provider.Issuer, s provider.Store) error {
	_, err := s.(provider.Adviser).Advise(ctx, cred.Handle{})
	return err
}

func revoke(ctx context.Context, _ provider.Vendor, i provider.Issuer, _ provider.Store) error {
	listed, err := i.List(ctx)
	if err != nil {
		return err
	}
	return i.Revoke(ctx, listed[0])
}

// classes of answers, each with what has to be read of it: one of these.
var classes = []struct {
	name string
	says func(*http.Request) (*http.Response, error)
	want []string
}{
	{"400", own(400, "BadRequest", "The folder is frozen"), []string{`the server says: "The folder is frozen"`, "400, which is neither"}},
	{"401 bad login", own(401, "UnauthorizedError", "Invalid credentials"), []string{"client id or client secret is wrong", "the session had ended", "401 by Infisical"}},
	{"401 locked", own(401, "UnauthorizedError", "This identity auth method is temporarily locked, please try again later"), []string{"locked"}},
	{"401 revoked", own(401, "UnauthorizedError", "Failed to authorize: client secret has been revoked"), []string{"has been revoked", "401 by Infisical"}},
	{"403", own(403, "PermissionDenied", "You are not allowed to do this on secrets"), []string{`may not do this here; the server says: "You are not allowed`, "403, which is neither"}},
	{"403 token", own(403, "TokenError", "Your token has expired. Please re-authenticate."), []string{"malformed or has expired", "the session had ended", "403, which is neither"}},
	{"403 get-token", own(403, "PermissionBoundaryError", "Permission denied: get-token on identity."), []string{"want the permission get-token", "403, which is neither"}},
	{"404 folder", own(404, "SecretPathNotFound", "Folder with path '/x' in environment 'prod' was not found."), []string{"no such folder", "has no folder", "said to be absent, and the list shows it", "404, which is neither"}},
	{"404 project", own(404, "NotFound", "Project with ID nope not found"), []string{"there is no such project", "said to be absent, and the list shows it", "404, which is neither"}},
	{"404 identity", own(404, "NotFound", "Failed to find identity with ID x"), []string{"there is no machine identity", "there is no such machine identity", "said to be absent, and the list shows it", "404, which is neither"}},
	{"404 of nobody", own(404, "NotFound", "Something went wrong"), []string{"not an answer that Infisical is known to give", "404, which is neither"}},
	{"422", own(422, "ValidationFailure", "Expected string"), []string{`the server finds the request invalid; the server says: "Expected string"`, "422, which is neither"}},
	{"429", own(429, "RateLimitExceeded", "Rate limit exceeded. Please try again in 1 minute"), []string{"the rate limit of this address is used up", "429, which is neither"}},
	{"500", own(500, "InternalServerError", "Something went wrong"), []string{"(500)", "500, which is neither"}},
	{"502 of a proxy", page(502), []string{"something in front of", "502, which is neither", "no JSON", "page"}},
	{"404 of a proxy", page(404), []string{"something in front of", "404, which is neither", "no JSON", "page"}},
	{"200 and a page", page(200), []string{"not JSON", "page", "200, which is neither", "gave no access token"}},
	{"200 and {}", plain(200, `{}`), []string{"lacks", "gave no access token", "does not", "names no environment", "is not of", "200, which is neither"}},
	{"cut", func(*http.Request) (*http.Response, error) { return nil, errors.New("read: connection reset by peer") }, []string{"cut before the answer", "connection", "no answer"}},
}

func own(status int, name, message string) func(*http.Request) (*http.Response, error) {
	b, _ := json.Marshal(map[string]any{"reqId": "r", "statusCode": status, "message": message, "error": name})
	return plain(status, string(b))
}

func plain(status int, body string) func(*http.Request) (*http.Response, error) {
	return func(req *http.Request) (*http.Response, error) { return says(req, status, body), nil }
}

func page(status int) func(*http.Request) (*http.Response, error) {
	return func(req *http.Request) (*http.Response, error) {
		r := says(req, status, "<html><body>nginx</body></html>")
		r.Header.Set("Content-Type", "text/html")
		return r, nil
	}
}

// TestWhatIsPrintedOfEveryAnswer walks through every call and every class of answer
// to it, and reads the message: what was asked, what that means, in whose words; no
// secret, and nothing vaguer than what was known.
func TestWhatIsPrintedOfEveryAnswer(t *testing.T) {
	read := 0
	for _, c := range calls {
		for _, answer := range classes {
			if answer.name == "200 and {}" && c.name == "remove secrets" {
				continue // its answer holds nothing that is needed
			}
			var secrets []string
			b, v := open(t, identity, func(w *sim.State) {
				who := w.GiveClientSecret("raxx-app", "", "APP_LOGIN")
				who.Secrets[0].Uses = 3
				secrets = append(secrets, who.Secrets[0].Value, w.Infisical.ClientSecret)
			})
			s, i := store(t, v), issuer(t, v, ofApp)
			if c.name != "log in" { // the session is open
				if err := readSlots(t.Context(), v, i, s); err != nil {
					t.Fatal(err)
				}
			}
			method, end, _ := strings.Cut(c.at, " ")
			b.before = func(req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
				fits := strings.HasSuffix(req.URL.Path, end) || strings.HasSuffix(end, "/") && strings.Contains(req.URL.Path, end) || end == "/workspace" && strings.Contains(req.URL.Path, end)
				if end == "/identities/" {
					fits = fits && !strings.Contains(req.URL.Path, "/client-secrets")
				}
				if req.Method == method && fits {
					return answer.says(req)
				}
				return send()
			}
			name := c.name + ", " + answer.name
			err := c.do(t.Context(), v, i, s)
			if err == nil {
				t.Errorf("%s: nothing is said", name)
				continue
			}
			text := err.Error()
			read++
			found := false
			for _, w := range answer.want {
				found = found || strings.Contains(text, w)
			}
			if !found || !strings.Contains(text, "infisical: ") || !strings.Contains(text, c.name) {
				t.Errorf("%s: %s", name, text)
			}
			for _, vague := range []string{"the connection failed", "refused (400)\n", "unknown error", "%!"} {
				if strings.Contains(text+"\n", vague) {
					t.Errorf("%s: %q where more was known: %s", name, vague, text)
				}
			}
			for _, v := range secrets {
				if strings.Contains(text, v) {
					t.Errorf("%s: a secret is printed", name)
				}
			}
			if e := new(cred.Error); errors.As(err, &e) && (e.Class == cred.Done || answer.name == "401 locked" && e.Class == cred.Denied) {
				t.Errorf("%s: called %s", name, e.Class)
			}
		}
	}
	if want := len(calls)*len(classes) - 1; read != want {
		t.Errorf("%d messages read, want %d", read, want)
	}
}
