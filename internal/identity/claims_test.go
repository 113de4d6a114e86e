package identity

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// by is an identity that gives one role by claims.
func by(claims map[string]string) *sop.Identity {
	return &sop.Identity{OIDC: believed.OIDC, Roles: map[string][]sop.Who{"superadmin": {{Claims: claims}}}}
}

// TestWhatATokenMustSay: a role is had by what a token says, as it stands there, and
// never by what it does not say.
func TestWhatATokenMustSay(t *testing.T) {
	for name, tt := range map[string]struct {
		token map[string]any
		asked map[string]string
		want  bool
	}{
		"nothing asked, nothing said":        {nil, map[string]string{"environment": ""}, false},
		"nothing asked, something said":      {map[string]any{"environment": "prod"}, map[string]string{"environment": ""}, false},
		"anything asked, nothing said":       {nil, map[string]string{"environment": "*"}, false},
		"anything asked, nothing in it":      {map[string]any{"environment": ""}, map[string]string{"environment": "*"}, false},
		"anything asked, null":               {map[string]any{"environment": nil}, map[string]string{"environment": "*"}, false},
		"one of two is missing":              {nil, map[string]string{"actor": "alice", "environment": "prod"}, false},
		"a claim of the platform's own":      {map[string]any{"team": "sre"}, map[string]string{"team": "sre"}, true},
		"the same, another value":            {map[string]any{"team": "sre2"}, map[string]string{"team": "sre"}, false},
		"a list":                             {map[string]any{"groups": []string{"dev", "sre"}}, map[string]string{"groups": "sre"}, true},
		"a list, and it is not in it":        {map[string]any{"groups": []string{"dev", "sre"}}, map[string]string{"groups": "dev, sre"}, false},
		"a list, and a text that looks so":   {map[string]any{"groups": `["sre"]`}, map[string]string{"groups": "sre"}, false},
		"a number":                           {map[string]any{"project_id": 4711}, map[string]string{"project_id": "4711"}, true},
		"a large number":                     {map[string]any{"run_id": json.Number("12345678901234567890")}, map[string]string{"run_id": "12345678901234567890"}, true},
		"a number with many digits, rounded": {map[string]any{"run_id": json.Number("12345678901234567891")}, map[string]string{"run_id": "12345678901234567890"}, false},
		"a number with a point":              {map[string]any{"x": json.Number("1.50")}, map[string]string{"x": "1.50"}, true},
		"the truth":                          {map[string]any{"email_verified": true}, map[string]string{"email_verified": "true"}, true},
		"an object":                          {map[string]any{"org": map[string]string{"name": "raxx"}}, map[string]string{"org": "*"}, false},
		"the issuer":                         {nil, map[string]string{"iss": issuer, "sub": "repo:*"}, true},
		"another issuer":                     {nil, map[string]string{"iss": "https://gitlab.com", "sub": "repo:*"}, false},
		"more than it says":                  {nil, map[string]string{"actor": "alicea*"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform(t, issuer)
			id := by(tt.asked)
			who, err := Find(t.Context(), id, surroundings(p, map[string]string{"ID_TOKEN": p.token(t, tt.token)}))
			if err != nil || (len(who.Roles) == 1) != tt.want {
				t.Errorf("%+v %v", who, err)
			}
			for claim := range tt.asked {
				if tt.want && who.Claims[claim] == "" {
					t.Errorf("why it has the role is not on record: %v", who.Claims)
				}
			}
		})
	}
}

// TestWhyARoleIsNotHadIsTold: a claim that the token lacks is named.
func TestWhyARoleIsNotHadIsTold(t *testing.T) {
	p := newPlatform(t, issuer)
	id := by(map[string]string{"actor": "alice", "environment": "prod"})
	who, err := Find(t.Context(), id, surroundings(p, map[string]string{"ID_TOKEN": p.token(t, nil)}))
	if err != nil {
		t.Fatal(err)
	}
	why, those := Refusal(id, sop.OpRotate, sop.Spec{Name: "X", Role: "superadmin"}, who)
	if why == "" || len(those) != 1 || those[0] != "actor alice, environment prod (the token says nothing of environment)" {
		t.Errorf("%q %q", why, those)
	}
}

// TestAnActorIsOneLine, and so is every claim, whoever chose it.
func TestAnActorIsOneLine(t *testing.T) {
	const hostile = "eve\n  live  all is well\x1b[2K\u202egnp\u2028"
	p := newPlatform(t, issuer)
	for name, env := range map[string]map[string]string{
		"a token":     {"ID_TOKEN": p.token(t, map[string]any{"sub": hostile, "actor": hostile, "repository": []string{hostile, "b"}})},
		"a name":      {"REKEY_ACTOR": hostile},
		"GitHub's":    {"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": hostile, "GITHUB_REPOSITORY": hostile},
		"the machine": {},
	} {
		s := surroundings(p, env)
		s.User = "alice@" + hostile
		who, err := Find(t.Context(), believed, s)
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(rotation.Opened{By: &who})
		if err != nil {
			t.Fatal(err)
		}
		texts := []string{who.Name, who.String(), string(body)}
		for _, v := range who.Claims {
			texts = append(texts, v)
		}
		for _, text := range texts {
			if strings.ContainsAny(text, "\n\x1b\u202e\u2028") {
				t.Errorf("%s: %q", name, text)
			}
		}
		if !strings.Contains(who.Name, `eve\n  live`) {
			t.Errorf("%s: what was said is not told: %q", name, who.Name)
		}
	}
}

// TestWeakKeysAreRefused: a signature by an RSA key below 2048 bits proves nothing.
func TestWeakKeysAreRefused(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0") // or the test could not make one
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for bits, want := range map[int]string{1024: "the issuer's RSA keys are shorter than 2048 bits", 2048: ""} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		p := newPlatform(t, issuer)
		set, _ := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k1", Algorithm: "RS256", Use: "sig"}}})
		p.answer = func(path string) (int, string, bool) { return 200, string(set), path == "/keys" }
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: "k1"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign([]byte(fmt.Sprintf(`{"iss":%q,"aud":"rekey","sub":"x","exp":%d}`, issuer, now.Unix()+60)))
		if err != nil {
			t.Fatal(err)
		}
		token, _ := signed.CompactSerialize()
		who, err := Find(t.Context(), believed, surroundings(p, map[string]string{"ID_TOKEN": token}))
		if told := fmt.Sprint(err); who.Verified != (want == "") || want != "" && !strings.Contains(told, want) {
			t.Errorf("%d bits: %+v %v", bits, who, err)
		}
		if want == "" {
			continue
		}
		// Beside a key that is long enough, the short one is not tried.
		set, _ = json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k1", Algorithm: "RS256", Use: "sig"}, {Key: &long.PublicKey, KeyID: "k2", Algorithm: "RS256", Use: "sig"}}})
		_, err = Find(t.Context(), believed, surroundings(p, map[string]string{"ID_TOKEN": token}))
		if err == nil || !strings.Contains(err.Error(), "shorter than 2048 bits were not tried") {
			t.Errorf("signed with the short one of two: %v", err)
		}
	}
}

// TestTheRunnersTokenGoesNowhereInClearText: the address comes from a variable.
func TestTheRunnersTokenGoesNowhereInClearText(t *testing.T) {
	for address, ok := range map[string]bool{
		"https://runner.example.com/token": true, "http://127.0.0.1:8080/token": true, "http://localhost/token": true,
		"http://runner.example.com/token": false, "HTTP://runner.example.com/token": false, "ftp://runner.example.com/token": false, "//runner.example.com/token": false,
		"http://127.0.0.1.example.com/token": false, "http://u:p@127.0.0.1/token": false, "runner": false, "": false,
	} {
		p := newPlatform(t, github)
		p.answer = func(path string) (int, string, bool) {
			return 200, `{"value":"` + p.token(t, nil) + `"}`, path == "/token"
		}
		id := &sop.Identity{OIDC: []sop.OIDC{{Issuer: github, Audience: "rekey"}}}
		who, err := Find(t.Context(), id, surroundings(p, map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": address, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "canary"}))
		if who.Verified != ok || (err == nil) != ok || !ok && len(p.asked) > 0 {
			t.Errorf("%q: %+v %v, asked %v", address, who, err, p.asked)
		}
	}
}
