package sop

import (
	"strings"
	"testing"
)

// TestADatabaseIsNamedWithoutItsPassword: by reference, or by an address that has none.
func TestADatabaseIsNamedWithoutItsPassword(t *testing.T) {
	for text, want := range map[string]string{
		"env:REKEY_DATABASE":                "",
		"file:/run/secrets/db":              "",
		"cmd:pass db":                       "",
		"db://alice@host/journal?x=y":       "",
		"db://?service=journal":             "",
		"db://alice:hunter2@host/journal":   "holds a password",
		"db://alice@host/j?password=hunter": "holds a password",
		"db://alice@host/j?%zz":             "holds a password",
		"db://alice:%zz@host/journal":       "is not an address",
		"hunter2":                           "expected a reference",
		"env:":                              "expected a reference",
		"vault:secret/db#url":               "expected a reference",
	} {
		err := CheckDatabase(text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		_, problems := Parse("rekey.yaml", []byte(strings.Replace(Example(), "rekey: 1\n", "rekey: 1\ndatabase: "+text+"\n", 1)))
		if (want == "") != (problems == nil) {
			t.Errorf("%s: %v", text, problems)
		}
		for _, said := range []string{ShownDatabase(text), errText(err), errText(problems)} {
			if strings.Contains(said, "hunter2") {
				t.Errorf("it is told: %s", said)
			}
		}
	}
	_, err := Parse("rekey.yaml", []byte(strings.Replace(Example(), "rekey: 1\n", "rekey: 1\nfingerprint_key: infisical:prod/KEY\n", 1)))
	if err == nil || !strings.Contains(err.Error(), "before any vendor is asked") {
		t.Error(err)
	}
	c, err := Parse("rekey.yaml", []byte(strings.Replace(Example(), "rekey: 1\n", "rekey: 1\nfingerprint_key: [env:A, file:b]\ndatabase: env:D\n", 1)))
	if err != nil || len(c.FingerprintKey) != 2 || c.Database != "env:D" {
		t.Errorf("%+v %v", c, err)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
