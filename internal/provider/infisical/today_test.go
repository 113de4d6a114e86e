package infisical_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/provider/infisical"
	"rekey/internal/secret"
	"rekey/internal/sim"
)

const console = "CF_ACCESS_SVC_CONSOLE"

// TestAnAnswerWithoutTheSecretsIsNoEmptyFolder: 200 without the list, or with a
// secret that lacks what each has, is no answer; nobody takes it for "nothing there".
func TestAnAnswerWithoutTheSecretsIsNoEmptyFolder(t *testing.T) {
	for _, body := range []string{
		`{}`, `null`, `[]`, `{"secrets":null}`, `{"secret":[]}`, `{"data":{"secrets":[]}}`, `{"secrets":[{}]}`, `{"secrets":{}}`,
		`{"secrets":[{"secretKey":"CF_ACCESS_SVC_CONSOLE","version":3}]}`, `{"secrets":[{"secretKey":"CF_ACCESS_SVC_CONSOLE","secretValue":"x"}]}`,
		`{"secrets":[{"secretValue":"x","version":3}]}`, `{"secrets":[{"secretKey":"CF_ACCESS_SVC_CONSOLE","secretValue":null,"version":3}]}`,
	} {
		b, v := open(t, identity, nil)
		s := store(t, v)
		if _, err := s.Read(t.Context(), []string{console}); err != nil {
			t.Fatal(err)
		}
		b.before = func(req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/secrets") {
				return says(req, 200, body), nil
			}
			return send()
		}
		if held, err := s.Read(t.Context(), []string{console}); cred.ClassOf(err) != cred.Unknown || held != nil {
			t.Errorf("%s: %v %v", body, held, err)
		}
		if err := s.Remove(t.Context(), []string{console}); cred.ClassOf(err) != cred.Unknown {
			t.Errorf("%s: removing says %v", body, err)
		}
		surveyed, err := v.(provider.Surveys).Survey(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := surveyed[0].Read(t.Context()); cred.ClassOf(err) != cred.Unknown {
			t.Errorf("%s: reading everything says %v", body, err)
		}
	}
}

// TestReadingCostsOneCall: the store is looked at often.
func TestReadingCostsOneCall(t *testing.T) {
	b, v := open(t, identity, nil)
	s := store(t, v)
	for range 3 {
		if _, err := s.Read(t.Context(), []string{console, "NOT_THERE_YET"}); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.sent) != 4 { // the login, and three
		t.Errorf("%v", b.sent)
	}
}

// TestOnlyItsOwn404SaysThatNothingIsThere: one of a proxy, of a gateway that speaks
// JSON, or in words that nobody knows of Infisical is no answer.
func TestOnlyItsOwn404SaysThatNothingIsThere(t *testing.T) {
	for body, want := range map[string]cred.Class{
		`{"reqId":"r","statusCode":404,"message":"Folder with path '/x' in environment 'prod' was not found. Please ensure the environment slug and secret path is correct.","error":"SecretPathNotFound"}`: cred.Absent,
		`{"reqId":"r","statusCode":404,"message":"Project with ID nope not found","error":"NotFound"}`:                                                                                                      cred.Absent,
		`{"statusCode":404,"message":"Something went wrong","error":"NotFound"}`:                                                                                                                            cred.Unknown,
		`{"message":"no Route matched with those values"}`:                                                                                                                                                  cred.Unknown,
		`{"statusCode":200,"message":"Folder with path '/x'","error":"NotFound"}`:                                                                                                                           cred.Unknown,
		`{"statusCode":404,"message":"Folder with path '/x'"}`:                                                                                                                                              cred.Unknown,
		`<html>404</html>`: cred.Unknown,
		``:                 cred.Unknown,
	} {
		b, v := open(t, identity, nil)
		s := store(t, v)
		b.before = func(req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if strings.HasSuffix(req.URL.Path, "/secrets") {
				return says(req, 404, body), nil
			}
			return send()
		}
		if _, err := s.Read(t.Context(), []string{console}); cred.ClassOf(err) != want {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// TestEvery400IsShownWithTheServersReason, in one printable line, and never with a
// value of the request in it.
func TestEvery400IsShownWithTheServersReason(t *testing.T) {
	const value = "f0e1d2c3b4a5968778695a4b3c2d1e0ff0e1d2c3b4a5968778695a4b3c2d1e0f"
	for message, want := range map[string]string{
		`"Folder is frozen until the audit is over"`:                                             `the server says: "Folder is frozen until the audit is over"`,
		`"Secret validation failed:\nSecret \"A\": too short\n\nSecret \"B\": too short"`:        `Secret "A": too short; Secret "B": too short`,
		`"bold \u001b[1m and \u202e turned"`:                                                     `bold \x1b[1m and \u202e turned`,
		`"value '` + value + `' is not allowed"`:                                                 "so it is not shown",
		`"value starting with ` + value[:20] + `… is not allowed"`:                               "so it is not shown",
		`"value ` + strings.ToUpper(value) + ` is not allowed"`:                                  "so it is not shown",
		`[{"path":["secrets",0,"secretKey"],"message":"Secret name cannot contain colon"}]`:      `the server says: "secrets.0.secretKey: Secret name cannot contain colon"`,
		`[{"path":["secrets",0],"message":"Invalid","received":"` + value + `"}]`:                `the server says: "secrets.0: Invalid"`,
		`[{"path":["secrets",0],"message":"Invalid: ` + value[3:40] + `"}]`:                      "so it is not shown",
		`"` + strings.Repeat("very long ", 200) + `"`:                                            " …",
		`"value ZjBlMWQyYzNiNGE1OTY4Nzc4Njk1YTRiM2MyZDFlMGZmMGUxZDJjM2I0YTU5Njg3Nzg2OTVh fails"`: "so it is not shown", // in base64
	} {
		for _, status := range []int{400, 422} {
			b, v := open(t, identity, nil)
			s := store(t, v)
			name := map[int]string{400: "BadRequest", 422: "ValidationFailure"}[status]
			b.before = func(req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
				if req.Method == http.MethodPatch {
					code, _ := json.Marshal(status)
					return says(req, status, `{"reqId":"r","statusCode":`+string(code)+`,"message":`+message+`,"error":"`+name+`"}`), nil
				}
				return send()
			}
			_, err := s.Write(t.Context(), []provider.SlotValue{{Slot: console, Value: secret.New(value)}})
			if cred.ClassOf(err) != cred.Refused || !strings.Contains(err.Error(), want) || strings.Contains(strings.ToLower(err.Error()), value[:16]) || strings.ContainsAny(err.Error(), "\x1b\n\u202e") {
				t.Errorf("%d %s: %v", status, message, err)
			}
		}
	}
}

// bodies of every request of a kind.
func bodies(t *testing.T, b *bench, method string) *[]string {
	t.Helper()
	out := &[]string{}
	b.before = func(req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if req.Method == method && req.Body != nil {
			raw, err := io.ReadAll(req.Body)
			if err != nil {
				t.Error(err)
			}
			*out = append(*out, string(raw))
			req.Body = io.NopCloser(strings.NewReader(string(raw)))
		}
		return send()
	}
	return out
}

func stamped(v string) []provider.SlotValue {
	return []provider.SlotValue{{Slot: console, Value: secret.New(v), Stamp: map[string]string{"run": "r1"}}}
}

// noted is what stands beside the newest version of a secret.
func noted(b *bench, key string) (out []sim.Metadatum) {
	b.Look(func(w *sim.State) {
		for _, x := range w.Infisical.Secrets {
			if x.Key == key {
				out = slices.Clone(x.Versions[len(x.Versions)-1].Metadata)
			}
		}
	})
	return out
}

func note(key string, m ...sim.Metadatum) func(*sim.State) {
	return func(w *sim.State) {
		for _, x := range w.Infisical.Secrets {
			if x.Key == key {
				x.Versions[len(x.Versions)-1].Metadata = m
			}
		}
	}
}

// TestNotesOfOthersGoBackByteForByte: encrypted ones encrypted, and with whatever a
// server of tomorrow adds to them.
func TestNotesOfOthersGoBackByteForByte(t *testing.T) {
	theirs := []sim.Metadatum{{Key: "pin", Value: "0000 <&> \u2028", Encrypted: true}, {Key: "owner", Value: "team-a"}}
	b, v := open(t, identity, note(console, theirs...))
	if _, err := store(t, v).Write(t.Context(), stamped("a-new-value")); err != nil {
		t.Fatal(err)
	}
	if got := noted(b, console); len(got) != 3 || got[0] != theirs[0] || got[1] != theirs[1] || got[2] != (sim.Metadatum{Key: "rekey_run", Value: "r1"}) {
		t.Errorf("%+v", got)
	}

	b, v = open(t, identity, nil)
	sent := bodies(t, b, http.MethodPatch)
	before := b.before
	const raw = `{"id":"1","key":"pin","value":"x","isEncrypted":true,"rank":[1,2.50]}`
	b.before = func(req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/secrets") {
			return says(req, 200, `{"secrets":[{"id":"i","secretKey":"`+console+`","secretValue":"v","version":2,"secretMetadata":[`+raw+`]}],"imports":[]}`), nil
		}
		return before(req, send)
	}
	if _, err := store(t, v).Write(t.Context(), stamped("a-new-value")); err != nil || len(*sent) != 1 || !strings.Contains((*sent)[0], raw) {
		t.Errorf("%v %v", *sent, err)
	}
}

// TestWhereMetadataIsEncryptedOursIsToo: learned from the refusal, which changed
// nothing; said by check; and what others left in clear is not touched.
func TestWhereMetadataIsEncryptedOursIsToo(t *testing.T) {
	b, v := open(t, identity, func(w *sim.State) {
		w.Infisical.Encrypted = true
		note(console, sim.Metadatum{Key: "pin", Value: "0000", Encrypted: true})(w)
	})
	s := store(t, v)
	sent := bodies(t, b, http.MethodPatch)
	for _, value := range []string{"a-new-value", "another-value"} {
		if _, err := s.Write(t.Context(), stamped(value)); err != nil {
			t.Fatal(err)
		}
		got := noted(b, console)
		if len(got) != 2 || got[0].Key != "pin" || !got[0].Encrypted || got[1].Key != "rekey_run" || !got[1].Encrypted {
			t.Errorf("%+v", got)
		}
	}
	if len(*sent) != 3 { // refused, written, and the second time at once as it has to be
		t.Errorf("%d writes", len(*sent))
	}

	_, v = open(t, identity, func(w *sim.State) {
		w.Infisical.Encrypted = true
		note(console, sim.Metadatum{Key: "owner", Value: "team-a"})(w)
	})
	s = store(t, v)
	if _, err := s.Read(t.Context(), []string{console}); err != nil {
		t.Fatal(err)
	}
	advice, err := s.(provider.Adviser).Advise(t.Context(), cred.Handle{})
	all := strings.Join(advice, "\n")
	if err != nil || !strings.Contains(all, "takes metadata beside secrets only encrypted") || !strings.Contains(all, "in clear beside "+console) {
		t.Errorf("%s %v", all, err)
	}
	if _, err := s.Write(t.Context(), stamped("a-new-value")); err != nil {
		t.Error(err)
	}
}

// TestHistoryOfANameThatWasMadeAgain: its numbers answer with the earlier life, so
// what it holds now could not be had back. That is found before a run, and no
// version of another secret is ever taken for one of this.
func TestHistoryOfANameThatWasMadeAgain(t *testing.T) {
	slots := []string{console, console + "__CLIENT_ID"}
	for name, c := range map[string]struct {
		change func(w *sim.State)
		want   string // "": the history holds
	}{
		"one name of two": {func(w *sim.State) { remake(w, console, true) }, "of an earlier secret of this name"},
		"all names":       {func(w *sim.State) { remake(w, console, true); remake(w, console+"__CLIENT_ID", true) }, "of an earlier secret of this name"},
		"under one id":    {func(w *sim.State) { remake(w, console, false) }, "another value than it holds now"},
		"none":            {func(*sim.State) {}, ""},
	} {
		b, v := open(t, identity, c.change)
		s := store(t, v)
		held, err := s.Read(t.Context(), slots)
		if err != nil {
			t.Fatal(err)
		}
		b.sent = nil
		err = s.History(t.Context(), held)
		if (c.want == "") != (err == nil) || err != nil && (cred.ClassOf(err) != cred.Refused || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
		if c.want == "" && len(b.sent) != 1 {
			t.Errorf("it costs %d calls", len(b.sent))
		}
	}

	// Under a second name, which was not made again, the value can be had.
	_, v := open(t, identity, func(w *sim.State) { remake(w, console, true) })
	s := store(t, v)
	held, err := s.Read(t.Context(), []string{console, "CF_ACCESS_SERVICE_TOKEN_CONSOLE"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.History(t.Context(), held); err != nil {
		t.Errorf("%v", err)
	}
}

// remake deletes a secret and makes it again with the value that it held.
func remake(w *sim.State, key string, otherID bool) {
	for i, x := range w.Infisical.Secrets {
		if x.Key != key {
			continue
		}
		again := &sim.StoredSecret{ID: x.ID, Environment: x.Environment, Path: x.Path, Key: key, Created: x.Created.Add(time.Hour),
			Versions: []sim.Version{{Value: "between"}, x.Versions[len(x.Versions)-1]}}
		if otherID {
			again.ID += "-again"
		}
		x.Versions = append([]sim.Version{{Value: "long ago"}}, x.Versions[0], sim.Version{Value: "later"})
		w.Infisical.Deleted = append(w.Infisical.Deleted, x)
		w.Infisical.Secrets[i] = again
	}
}

// TestWhatAFolderImportsIsNotItsOwn: neither as a value nor as a version.
func TestWhatAFolderImportsIsNotItsOwn(t *testing.T) {
	_, v := open(t, identity, func(w *sim.State) {
		i := &w.Infisical
		i.Folders = append(i.Folders, "/base")
		for _, key := range []string{console, "ONLY_IMPORTED"} {
			i.Secrets = append(i.Secrets, &sim.StoredSecret{ID: "base" + key, Environment: "prod", Path: "/base", Key: key, Versions: []sim.Version{{Value: "of-the-base"}}})
		}
		i.Imports = []sim.Import{{Environment: "prod", Path: "/MooseQuest/cloudflare", From: "/base"}}
	})
	s := store(t, v)
	held, err := s.Read(t.Context(), []string{console, "ONLY_IMPORTED"})
	if err != nil || held["ONLY_IMPORTED"].Present || held[console].Value.Equal(secret.New("of-the-base")) {
		t.Errorf("%v %v", held, err)
	}
	if held, err = s.Read(t.Context(), []string{"ONLY_IMPORTED"}); err != nil || held["ONLY_IMPORTED"].Present {
		t.Errorf("%v %v", held, err)
	}
	for _, version := range []string{"7", "9"} {
		if _, err := s.ReadVersion(t.Context(), console, version); cred.ClassOf(err) != cred.Absent {
			t.Errorf("version %s: %v", version, err)
		}
	}
}

// TestAHoneyTokenIsNotWritten: the server drops what is written to it, as for one
// that its own rotation manages.
func TestAHoneyTokenIsNotWritten(t *testing.T) {
	_, v := open(t, identity, func(w *sim.State) {
		for _, x := range w.Infisical.Secrets {
			x.Honey = x.Key == console
		}
	})
	held, err := store(t, v).Read(t.Context(), []string{console})
	if err != nil || !strings.Contains(held[console].Problem, "silently ignored") {
		t.Errorf("%q %v", held[console].Problem, err)
	}
}

// TestALockIsLater: the lock that somebody else's failed logins have set opens by
// itself; it is not a denial, and no login of ours is counted as refused.
func TestALockIsLater(t *testing.T) {
	b, v := open(t, identity, func(w *sim.State) { w.Infisical.Identities[0].Locked = w.At.Add(2 * time.Minute) })
	s := store(t, v)
	tries := 0
	for b.now.Before(start.Add(5 * time.Minute)) {
		tries++
		_, err := s.Read(t.Context(), []string{console})
		if err == nil {
			break
		}
		if cred.ClassOf(err) != cred.Limited || !strings.Contains(err.Error(), "locked for everybody") || cred.RetryAfter(err) < 10*time.Second {
			t.Fatalf("%v", err)
		}
		b.now = b.now.Add(cred.RetryAfter(err))
	}
	if tries < 3 || tries > 8 {
		t.Errorf("%d tries", tries)
	}
}

// TestARevokedClientSecretIsNotLoggedInWithAgain: its access tokens end with it, and
// a login with it would be a failed one.
func TestARevokedClientSecretIsNotLoggedInWithAgain(t *testing.T) {
	b, v := open(t, identity, nil)
	s := store(t, v)
	if _, err := s.Read(t.Context(), []string{console}); err != nil {
		t.Fatal(err)
	}
	b.Look(func(w *sim.State) { w.Infisical.Identities[0].Secrets[0].Revoked = true })
	for range 4 {
		if _, err := s.Read(t.Context(), []string{console}); cred.ClassOf(err) != cred.Denied || !strings.Contains(err.Error(), "has been revoked") {
			t.Errorf("%v", err)
		}
	}
	if n := logins(b); n != 1 {
		t.Errorf("%d logins", n)
	}
}

// TestStoreReachedByWhatIsReplaced: by whichever vendor the client secret is
// replaced, the one by which the store is reached is not revoked.
func TestStoreReachedByWhatIsReplaced(t *testing.T) {
	own := `{"client_id":["env:RAXX_APP_CLIENT_ID"],"client_secret":["env:RAXX_APP_CLIENT_SECRET"],"project":["env:INFISICAL_PROJECT_ID"]}`
	for name, c := range map[string]struct {
		connection string
		store      bool
		want       string
	}{
		"the store":                 {own, true, "vendors.infisical.client_secret"},
		"another identity's store":  {identity, true, ""},
		"no store, another vendor":  {own, false, ""},
		"a ready token that it had": {`{"token":["env:READY"],"project":["env:INFISICAL_PROJECT_ID"]}`, true, "vendors.infisical.token"},
	} {
		var who *sim.Identity
		b, i, bundle := app(t, identity, func(_ *sim.State, x *sim.Identity) { who = x })
		_, peer := open(t, c.connection, nil)
		if c.connection != identity {
			other, v := open(t, c.connection, func(s *sim.State) { s.GiveClientSecret("raxx-app", "", "APP_LOGIN") })
			other.World, peer = b.World, v
			other.env["READY"] = "x." + claimsFor(who.ID, who.Secrets[0].ID) + ".x"
		}
		if c.store {
			store(t, peer)
		}
		i.(provider.Peers).Peers(map[string]provider.Vendor{"infisical": peer})
		bundle[infisical.FieldID] = secret.New(who.Secrets[0].ID)
		listed, err := i.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = i.Owner(t.Context(), bundle, listed)
		if (c.want == "") != (err == nil) || err != nil && (cred.ClassOf(err) != cred.Refused || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func claimsFor(identity, clientSecret string) string {
	b, _ := json.Marshal(map[string]string{"identityId": identity, "clientSecretId": clientSecret})
	return base64.RawURLEncoding.EncodeToString(b)
}

// TestTwoValuesForOneSlotAreNotWritten: the server takes the last without a word.
func TestTwoValuesForOneSlotAreNotWritten(t *testing.T) {
	b, v := open(t, identity, nil)
	_, err := store(t, v).Write(t.Context(), []provider.SlotValue{{Slot: console, Value: secret.New("one-value")}, {Slot: console, Value: secret.New("another-value")}})
	if cred.ClassOf(err) != cred.Refused || slices.ContainsFunc(b.sent, func(x string) bool { return strings.HasPrefix(x, "PATCH") }) {
		t.Errorf("%v after %v", err, b.sent)
	}
}

// TestAShortSessionIsUsed: a token that lives for seconds, or does not say for how
// long, is not replaced before every request.
func TestAShortSessionIsUsed(t *testing.T) {
	for _, body := range []string{`{"accessToken":"x.y.z","expiresIn":20}`, `{"accessToken":"x.y.z"}`} {
		b, v := open(t, identity, nil)
		b.before = func(req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if strings.HasSuffix(req.URL.Path, "/login") {
				return says(req, 200, body), nil
			}
			return says(req, 200, `{"secrets":[{"id":"i","secretKey":"`+console+`","secretValue":"v","version":2}]}`), nil
		}
		s := store(t, v)
		for range 4 {
			if _, err := s.Read(t.Context(), []string{console}); err != nil {
				t.Error(err)
			}
			b.now = b.now.Add(time.Second)
		}
		if n := logins(b); n != 1 {
			t.Errorf("%s: %d logins", body, n)
		}
	}
}
