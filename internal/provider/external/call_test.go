package external

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

const described = `{"protocol":1,"name":"acme","title":"Acme","connection":{"type":"object","properties":{"url":{"type":"string"},"token":{"secret":true}}},
 "issuers":[{"kind":"key","settings":{"type":"object","properties":{}},"fields":["key"],"create":true}],
 "store":{"id":"path","settings":{"type":"object","properties":{"path":{"type":"string"}}}}}`

const program = "the program"

// said are ways on which one program answers what it is told to.
type said struct {
	answer outside.Ended
	err    error
	heard  *outside.Command
}

func (s said) Exec(_ context.Context, c outside.Command) (outside.Ended, error) {
	*s.heard = c
	return s.answer, s.err
}
func (said) Read(path string, _ int64) (outside.File, error) {
	if path != "/acme" {
		return outside.File{}, fs.ErrNotExist
	}
	return outside.File{Content: secret.New(program)}, nil
}

// closed is everything else.
type closed struct {
	outside.Ways
	said
}

func (c closed) Files() outside.Files { return only{outside.Closed{}.Files(), c.said} }
func (c closed) Exec(ctx context.Context, x outside.Command) (outside.Ended, error) {
	return c.said.Exec(ctx, x)
}

type only struct {
	outside.Files
	said
}

func (o only) Read(path string, n int64) (outside.File, error) { return o.said.Read(path, n) }

func opened(t *testing.T, ways outside.Ways, program string) provider.Store {
	t.Helper()
	s, err := vendor(t, described, ways, program).(provider.Stores).Store(json.RawMessage(`{"path":"/x"}`))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func vendor(t *testing.T, described string, ways outside.Ways, program string) provider.Vendor {
	t.Helper()
	d, err := Describe([]byte(described))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("the program"))
	settings, _ := json.Marshal(map[string]any{"command": program, "sha256": hex.EncodeToString(sum[:]), "url": "https://acme", "token": "env:T"})
	v, err := Descriptor(d).Open(provider.Env{
		Now: time.Now, Outside: ways,
		Resolve: func(context.Context, sop.Refs) (secret.Value, provider.Source, error) {
			return secret.New("hunter2-hunter2"), provider.Source{}, nil
		},
	}, "acme", settings)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestARollIsTakenBackByADriverThatSaysThatItCan: with the secret that is to stay; one that
// does not say so is not started.
func TestARollIsTakenBackByADriverThatSaysThatItCan(t *testing.T) {
	rolls := strings.Replace(described, `"create":true`, `"roll":"with grace","lingers":true`, 1)
	for sheet, can := range map[string]bool{strings.Replace(rolls, `"lingers":true`, `"lingers":true,"unrolls":true`, 1): true, rolls: false} {
		var heard outside.Command
		v := vendor(t, sheet, closed{outside.Closed{}, said{answer: outside.Ended{Stdout: secret.New(`{"result":{"handle":{"id":"h"}}}`)}, heard: &heard}}, "/acme")
		i, err := v.(provider.Issues).Issuer("key", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = i.(provider.Unroller).Unroll(t.Context(), cred.Handle{ID: "h"}, secret.Bundle{"key": secret.New("stays")})
		switch in := heard.Stdin.Reveal(); {
		case can && (err != nil || !strings.Contains(in, `"op":"unroll"`) || !strings.Contains(in, `{"key":{"secret":"stays"}}`)):
			t.Errorf("%v: %s", err, in)
		case !can && (cred.ClassOf(err) != cred.Refused || in != ""):
			t.Errorf("%v: %s", err, in)
		}
	}
	if _, err := Describe([]byte(strings.Replace(described, `"create":true`, `"create":true,"unrolls":true`, 1))); err == nil {
		t.Error("it says that it takes back what ends by itself")
	}
}

// TestADriverIsToldWhichOfTwoSecretsEnds, and which stays, where it says that it wants to be:
// whatever else it can do. One that does not say so has no such role, and is asked to keep.
func TestADriverIsToldWhichOfTwoSecretsEnds(t *testing.T) {
	rolls := strings.Replace(described, `"create":true`, `"roll":"with grace","lingers":true`, 1)
	named := strings.Replace(rolls, `"lingers":true`, `"lingers":true,"ends_named":true`, 1)
	for _, more := range []string{"", `,"disable":true`, `,"users":true`, `,"makes":{"key":{"length":40,"alphabet":"hex"}}`, `,"disable":true,"users":true,"makes":{"key":{"length":40,"alphabet":"hex"}}`} {
		var heard outside.Command
		v := vendor(t, strings.Replace(named, `"ends_named":true`, `"ends_named":true`+more, 1), closed{outside.Closed{}, said{answer: outside.Ended{Stdout: secret.New(`{"result":{"handle":{"id":"h"}}}`)}, heard: &heard}}, "/acme")
		i, err := v.(provider.Issues).Issuer("key", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = i.(provider.EndsNamed).EndNamed(t.Context(), cred.Handle{ID: "h"}, secret.Bundle{"key": secret.New("goes")}, secret.Bundle{"key": secret.New("remains")})
		in := heard.Stdin.Reveal()
		for _, want := range []string{`"op":"end_named"`, `"bundle":{"key":{"secret":"goes"}}`, `"stays":{"key":{"secret":"remains"}}`} {
			if err != nil || !strings.Contains(in, want) {
				t.Errorf("%s: %v: %s", more, err, in)
			}
		}
		_, switches := i.(provider.Switcher)
		_, makes := i.(provider.Maker)
		_, tells := i.(provider.Users)
		if switches != strings.Contains(more, "disable") || makes != strings.Contains(more, "makes") || tells != strings.Contains(more, "users") {
			t.Errorf("%s: it can %v %v %v", more, switches, makes, tells)
		}
	}
	plain, err := vendor(t, rolls, closed{}, "/acme").(provider.Issues).Issuer("key", nil)
	if _, is := plain.(provider.EndsNamed); is || err != nil {
		t.Errorf("it is told, and did not say so (%v)", err)
	}
	if _, err := Describe([]byte(strings.Replace(described, `"create":true`, `"create":true,"ends_named":true`, 1))); err == nil {
		t.Error("it says that it ends what ends by itself")
	}
}

// TestWhatAnAnswerMeans: only a whole answer is one; an error is told in the driver's
// words unless a secret stands in them.
func TestWhatAnAnswerMeans(t *testing.T) {
	for answer, want := range map[string]struct {
		class cred.Class
		says  string
	}{
		`{"result":{"slots":{"A":{"present":true,"value":{"secret":"v"}}}}}`: {cred.Done, ""},
		``:                    {cred.Unknown, "ended without an answer"},
		`{"result":{"slots":`: {cred.Unknown, "not follow the protocol"},
		`hello`:               {cred.Unknown, "not follow the protocol"},
		`{}`:                  {cred.Unknown, "not follow the protocol"},
		`{"result":{},"error":{"class":"denied"}}`:                                               {cred.Unknown, "not follow the protocol"},
		`{"result":{"slots":{}}}`:                                                                {cred.Unknown, "does not cover every slot"},
		`{"result":{"slots":{},"debug":"hunter2"}}`:                                              {cred.Unknown, "not follow the protocol"},
		`{"result":{"slots":{"A":{"value":"v"}}}}`:                                               {cred.Unknown, "not follow the protocol"},
		`{"result":{}}{"result":{}}`:                                                             {cred.Unknown, "more than one answer"},
		`{"error":{"class":"denied","why":"no"}}`:                                                {cred.Denied, "acme: read: denied: no"},
		`{"error":{"class":"limited","why":"later","retry_after":7}}`:                            {cred.Limited, "later"},
		`{"error":{"class":"oops","why":"x"}}`:                                                   {cred.Unknown, "an unknown class of errors"},
		`{"error":{"class":"denied","why":"token hunter2-hunter2 is not known"}}`:                {cred.Denied, "it contains a secret"},
		`{"error":{"class":"denied","why":"Authorization: Basic YWRtaW46aHVudGVyMi1odW50ZXIy"}}`: {cred.Denied, "it contains a secret"},
		`{"error":{"class":"denied","why":"68756E746572322D68756E74657232"}}`:                    {cred.Denied, "it contains a secret"},
	} {
		var heard outside.Command
		s := opened(t, closed{outside.Closed{}, said{answer: outside.Ended{Stdout: secret.New(answer)}, heard: &heard}}, "/acme")
		held, err := s.Read(t.Context(), []string{"A"})
		if got := cred.ClassOf(err); got != want.class || err != nil && (!strings.Contains(err.Error(), want.says) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %s: %v", answer, got, err)
		}
		if want.class == cred.Done && !held["A"].Value.Equal(secret.New("v")) {
			t.Error("another value came back")
		}
		if want.class == cred.Limited && cred.RetryAfter(err) != 7*time.Second {
			t.Error(cred.RetryAfter(err))
		}
		if in := heard.Stdin.Reveal(); !strings.Contains(in, `"token":{"secret":"hunter2-hunter2"}`) || strings.Contains(strings.Join(append(heard.Args, heard.Env...), " "), "hunter2") || len(heard.Env) != 2 {
			t.Errorf("started with %v and %v", heard.Args, heard.Env)
		}
	}
}

// TestOnlyThePinnedProgramIsStarted: another one is not, none is not, and in a
// simulation none is.
func TestOnlyThePinnedProgramIsStarted(t *testing.T) {
	for says, c := range map[string]struct {
		ways outside.Ways
		path string
	}{
		"there is no program /other": {closed{outside.Closed{}, said{}}, "/other"},
		"this is a simulation":       {outside.Closed{}, "/acme"},
	} {
		if _, err := opened(t, c.ways, c.path).Read(t.Context(), nil); cred.ClassOf(err) != cred.Unsent || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
	d := &driver{name: "acme", program: "/acme", sum: strings.Repeat("0", 64), env: provider.Env{Now: time.Now, Outside: closed{outside.Closed{}, said{}}}}
	if err := d.itself(); cred.ClassOf(err) != cred.Unsent || !strings.Contains(err.Error(), "is not the one that rekey.yaml names") {
		t.Error(err)
	}
}

// TestDescriptionsThatCannotBe: each mistake is named, all of them at once.
func TestDescriptionsThatCannotBe(t *testing.T) {
	for says, text := range map[string]string{
		"it says 2":                strings.Replace(described, `"protocol":1`, `"protocol":2`, 1),
		"name: want lower-case":    strings.Replace(described, `"acme"`, `"A c"`, 1),
		"unknown field":            strings.Replace(described, `"title"`, `"titel"`, 1),
		"store: id":                strings.Replace(described, `"id":"path"`, `"id":"pfad"`, 1),
		"of Rekey's own":           strings.Replace(described, `"url"`, `"command"`, 1),
		"it has no role":           `{"protocol":1,"name":"a","title":"A","connection":{"type":"object","properties":{}}}`,
		"want the JSON Schema of ": strings.Replace(described, `"settings":{"type":"object","properties":{}}`, `"settings":{}`, 1),
	} {
		if _, err := Describe([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
	if _, err := Describe([]byte(`{"protocol":2,"name":"","title":""}`)); err == nil || strings.Count(err.Error(), "\n") < 3 {
		t.Errorf("not all at once: %v", err)
	}
}

// TestNoWordsOfADriverHoldASecret, those of an answer that is a success neither: they
// are shown and written into the journal. What is not meant for people stays as it is.
func TestNoWordsOfADriverHoldASecret(t *testing.T) {
	sent := `{"op":"verify","bundle":{"id":{"secret":"client-1234"},"key":{"secret":"hunter2/hunter2"}}}`
	for result, want := range map[string]string{
		`{"verdict":"accepted","detail":"all is well"}`:                          `{"verdict":"accepted","detail":"all is well"}`,
		`{"verdict":"accepted","detail":"logged in as client-1234"}`:             `{"verdict":"accepted","detail":"logged in as client-1234"}`,
		`{"verdict":"accepted","detail":"it took hunter2/hunter2"}`:              `{"detail":"` + untold + `","verdict":"accepted"}`,
		`{"verdict":"accepted","detail":"GET /?key=hunter2%2Fhunter2"}`:          `{"detail":"` + untold + `","verdict":"accepted"}`,
		`{"slots":{"A":{"value":{"secret":"of-a-slot"}}},"notes":["of-a-slot"]}`: `{"notes":["` + untold + `"],"slots":{"A":{"value":{"secret":"of-a-slot"}}}}`,
		`{"handle":{"id":"client-1234","created":"2026-01-01T00:00:00Z"}}`:       `{"handle":{"id":"client-1234","created":"2026-01-01T00:00:00Z"}}`,
	} {
		if got, err := tellable(json.RawMessage(result), sent, []string{"id"}); err != nil || string(got) != want {
			t.Errorf("%s is told as %s (%v)", result, got, err)
		}
	}
}
