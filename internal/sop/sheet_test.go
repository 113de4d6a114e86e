package sop

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// What a sheet says of names and of a grace is told when the file is read, Rekey's own
// part of the name and a rehearsal's counted.
func TestASheetsBoundsAreToldBeforeAnythingIsMade(t *testing.T) {
	const def = "issuer.cloudflare.access-service-token"
	sch, err := newSchemas(false, false)
	if err != nil {
		t.Fatal(err)
	}
	sch.definition(def)["x-name-chars"], sch.definition(def)["x-grace-max"], sch.definition(def)["x-nameless"] = "a-z0-9-", "48h", true
	at := &yaml.Node{Kind: yaml.ScalarNode, Value: "x", Line: 7, Column: 3}
	told := func(name string, grace Duration, rehearsed bool, do func(*credential)) string {
		var problems Problems
		c := &credential{parser: &parser{schemas: sch, file: "rekey.yaml", problems: &problems, config: &Config{}, places: map[string]string{}}, key: at, path: "credentials.A", node: &yaml.Node{Kind: yaml.MappingNode}}
		c.spec.Name, c.spec.Issuer.Name, c.spec.Issuer.Grace = "A", name, grace.Or(0)
		if rehearsed {
			c.node.Content = []*yaml.Node{{Kind: yaml.ScalarNode, Value: "rehearse"}, {Kind: yaml.MappingNode}}
		}
		do(c)
		return problems.Error()
	}
	fits := func(c *credential) { c.nameFits(def, at) }
	for name, want := range map[string]string{
		"app-<date>": "", "app_<date>": `rekey.yaml:7:3: credentials.A.issuer.name: the vendor takes only a-z0-9- in a name, and this one becomes rekey-rehearsal-app_`, "App": `'A' is none of them`,
	} {
		if got := told(name, "1h", true, fits); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %s", name, got)
		}
	}
	sch.definition(def)["x-name-chars"] = "a-jl-z0-9-" // no k, as in rekey-rehearsal-
	if got := told("app", "1h", false, fits); got != "" {
		t.Error(got)
	}
	if got := told("app", "1h", true, fits); !strings.Contains(got, "rekey-rehearsal-app") {
		t.Errorf("the rehearsal's part is not counted: %s", got)
	}
	grace := func(c *credential) { c.graceFits(def, at) }
	if got := told("app", "2d", false, grace); got != "" {
		t.Error(got)
	}
	if got := told("app", "49h", false, grace); !strings.Contains(got, "issuer.grace: the vendor lets a rolled secret's predecessor live for 48h at most") {
		t.Error(got)
	}
	twice := func(c *credential) {
		c.alone(def, at)
		c.spec.Name = "B"
		c.alone(def, at)
	}
	if got := told("app", "1h", false, twice); !strings.Contains(got, "it is made where A is made") {
		t.Error(got)
	}
}
