package secret

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"rekey/internal/cred"
)

// TestSearch: what holds a credential is found in every spelling, what only names
// it is told apart, and no template tells what else stands in a value.
func TestSearch(t *testing.T) {
	const id, key = "1f00c0ffee1f00c0ffee.access", `s3cr"t/with+signs and 40 characters.....`
	joined, err := cred.ParseTemplate("{client_id}:{client_secret}")
	if err != nil {
		t.Fatal(err)
	}
	alone, _ := cred.ParseTemplate("{client_id}")
	s := NewSearch(Bundle{"client_id": New(id), "client_secret": New(key)}, func(f string, _ Value) bool { return f == "client_id" }, []cred.Template{joined, alone})
	quoted, _ := json.Marshal(map[string]string{"client_id": id, "client_secret": key})
	for name, c := range map[string]struct {
		value    string
		match    Match
		template string
	}{
		"joined":             {id + ":" + key, Whole, "{client_id}:{client_secret}"},
		"the secret alone":   {key, Whole, "{client_secret}"},
		"the id alone":       {id, Names, "{client_id}"},
		"the id in a list":   {"x," + id + ",y", Names, ""},
		"the other way":      {key + "|" + id, Inside, "{client_secret}|{client_id}"},
		"an assignment":      {"X=" + key, Inside, ""},
		"a header":           {"Bearer " + key, Inside, "Bearer {client_secret}"},
		"JSON":               {string(quoted), Inside, ""},
		"beside a password":  {"postgres://u:hunter2@h/?k=" + key, Inside, ""},
		"in a URL":           {"https://h/?k=" + url.QueryEscape(key), Inside, ""},
		"base64":             {base64.StdEncoding.EncodeToString([]byte(id + ":" + key)), Inside, ""},
		"base64, shifted 1":  {base64.StdEncoding.EncodeToString([]byte("a" + key + "tail")), Inside, ""},
		"base64, shifted 2":  {base64.RawURLEncoding.EncodeToString([]byte("ab" + key + "t")), Inside, ""},
		"another":            {strings.Repeat("x", 60), Apart, ""},
		"a part of it":       {key[:20], Apart, ""},
		"nothing":            {"", Apart, ""},
		"twice":              {key + "," + key, Inside, "{client_secret},{client_secret}"},
		"braces around":      {"{" + key + "}", Inside, "{{{client_secret}}}"},
		"another's password": {"hunter2:" + key, Inside, ""},
	} {
		m, tpl := s.In(New(c.value))
		if m != c.match || tpl != c.template {
			t.Errorf("%s: %d %q, want %d %q", name, m, tpl, c.match, c.template)
		}
		if strings.Contains(tpl, "hunter2") || strings.Contains(tpl, key) {
			t.Errorf("%s: the template tells a value", name)
		}
	}
	short := NewSearch(Bundle{"pin": New("1234")}, func(string, Value) bool { return false }, nil)
	if m, _ := short.In(New("12345")); m != Apart {
		t.Error("what is short is found by chance")
	}
	if m, _ := short.In(New("1234")); m != Whole {
		t.Error("what is short is not compared whole")
	}
}
