package sop_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rekey/internal/sop"
)

const describedKeys = `{"protocol":1,"name":"keyfile","title":"Key file",
 "connection":{"type":"object","required":["file","password"],"properties":{"file":{"type":"string"},"password":{"secret":true}}},
 "issuers":[{"kind":"api-key","settings":{"type":"object","properties":{"path":{"type":"integer"}}},"fields":["id","key"],"public":["id"],"create":true,"label":true,"verifies":true}],
 "store":{"id":"path","settings":{"type":"object","required":["path"],"properties":{"path":{"type":"string","pattern":"^/"}}}}}`

const outsideYAML = `rekey: 1
vendors:
  keys:
    vendor: external
    command: ./rekey-driver-keyfile
    sha256: a000000000000000000000000000000000000000000000000000000000000000
    file: /srv/keys.json
    password: env:KEYFILE_PASSWORD
  app: {vendor: file}
credentials:
  CONSOLE:
    issuer: {vendor: keys, kind: api-key, name: console-<date>, path: 7}
    store: {vendor: keys, path: /srv/store.json, slots: {KEY: "{key}", ID: "{id}"}}
    consumers: [{vendor: app, path: /srv/app.env, slots: {KEY: "{key}"}}]
`

func outsideConfig(t *testing.T, described, src string) (*sop.Config, error) {
	t.Helper()
	dir := t.TempDir()
	if described != "" {
		if err := os.WriteFile(filepath.Join(dir, "rekey-driver-keyfile.json"), []byte(described), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return sop.Parse(filepath.Join(dir, "rekey.yaml"), []byte(src))
}

// TestSettingsOfADriverOutsideAreItsOwn: they are checked by what it says of itself,
// though another driver has a setting of the same name and another form.
func TestSettingsOfADriverOutsideAreItsOwn(t *testing.T) {
	c, err := outsideConfig(t, describedKeys, outsideYAML)
	if err != nil {
		t.Fatal(err)
	}
	v := c.Vendors["keys"]
	var got map[string]any
	if err := json.Unmarshal(v.Settings, &got); err != nil {
		t.Fatal(err)
	}
	command, _ := got["command"].(string)
	if v.Type != "keyfile" || string(v.Described) != describedKeys || !filepath.IsAbs(command) {
		t.Errorf("%s %s %v", v.Type, v.Described, got)
	}
	if s := c.Specs[0]; s.Issuer.Kind != "api-key" || strings.Join(s.Issuer.Fields, ",") != "id,key" || string(s.Issuer.Settings) != `{"path":7}` || s.Store.Key != "keys:/srv/store.json" {
		t.Errorf("%+v", s.Issuer)
	}
}

// TestMistakesOfADriverOutsideAreToldAtTheirLine: each with what to do about it.
func TestMistakesOfADriverOutsideAreToldAtTheirLine(t *testing.T) {
	swap := func(old, new string) string {
		if !strings.Contains(outsideYAML, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(outsideYAML, old, new, 1)
	}
	for says, c := range map[string]struct{ described, src string }{
		"5:14: vendors.keys: there is no ./rekey-driver-keyfile.json": {"", outsideYAML},
		"is not the description of a driver":                          {`{"name":7}`, outsideYAML},
		"there is a vendor of type file already":                      {strings.Replace(describedKeys, `"keyfile"`, `"file"`, 1), outsideYAML},
		"the schema of its settings (connection.keyfile) is not one":  {strings.Replace(describedKeys, `{"type":"string"}`, `{"type":"strong"}`, 1), outsideYAML},
		"3:3: vendors.keys: the key command is missing":               {describedKeys, swap("    command: ./rekey-driver-keyfile\n", "")},
		"6:13: vendors.keys.sha256: want the SHA-256":                 {describedKeys, swap("a000", "x000")},
		"4:5: vendors.keys: the key file is missing":                  {describedKeys, swap("    file: /srv/keys.json\n", "")},
		"this key is unknown here":                                    {describedKeys, swap("path: 7", "pth: 7")},
		"credentials.CONSOLE.issuer.path: want integer":               {describedKeys, swap("path: 7", "path: /x")},
		"8:15: vendors.keys.password: ":                               {describedKeys, swap("env:KEYFILE_PASSWORD", "hunter2")},
		"keyfile issues api-key":                                      {describedKeys, swap("kind: api-key", "kind: token")},
	} {
		_, err := outsideConfig(t, c.described, c.src)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("want %q, got: %v", says, err)
		}
	}
}

// TestAReferenceToADriverOutsideNamesItsInstance: where the driver says that it can be
// asked; of one that cannot, it is told at its line.
func TestAReferenceToADriverOutsideNamesItsInstance(t *testing.T) {
	asks := strings.Replace(outsideYAML, "  app: {vendor: file}\n", "  app: {vendor: file}\n  heroku: {token: \"keyfile[keys]:/srv/x.json#TOKEN\"}\n", 1)
	can := strings.Replace(describedKeys, `"title":"Key file"`, `"title":"Key file","refers":"PATH#SLOT"`, 1)
	if _, err := outsideConfig(t, can, asks); err != nil {
		t.Errorf("it is refused: %v", err)
	}
	for says, c := range map[string][2]string{
		"10:19: vendors.heroku.token: a vendor of type keyfile cannot be asked for a secret": {describedKeys, asks},
		"there is no vendor other of type keyfile under vendors; known are keys":             {can, strings.Replace(asks, "keyfile[keys]", "keyfile[other]", 1)},
		"vendor keys is reached by this, so it cannot be what is asked for it":               {can, strings.Replace(asks, "env:KEYFILE_PASSWORD", "\"keyfile[keys]:/srv/x.json#P\"", 1)},
		"there is no vendor of type nokeyfile under vendors":                                 {can, strings.Replace(asks, "keyfile[keys]", "nokeyfile[keys]", 1)},
	} {
		if _, err := outsideConfig(t, c[0], c[1]); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q: %v", says, err)
		}
	}
}
