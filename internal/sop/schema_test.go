package sop

import (
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestTheSchemaIsOne: what a process takes for valid is, by the schema of schemas; and
// what is not is told by the same means.
func TestTheSchemaIsOne(t *testing.T) {
	for _, simulated := range []bool{false, true} {
		s, err := newSchemas(simulated, false)
		if err != nil {
			t.Fatal(err)
		}
		if s.url != provenURL {
			t.Fatalf("it stands at %s: this test says nothing of it", s.url)
		}
		compile := func() error {
			c := jsonschema.NewCompiler()
			register(c, simulated)
			if err := c.AddResource(schemaURL, s.root); err != nil {
				t.Fatal(err)
			}
			_, err := c.Compile(schemaURL + "#/$defs/File")
			return err
		}
		if err := compile(); err != nil {
			t.Errorf("it is none: %v", err)
		}
		s.root["$defs"].(map[string]any)["NotOne"] = map[string]any{"type": "text"}
		if err := compile(); err == nil || !strings.Contains(err.Error(), "NotOne") {
			t.Errorf("what is no schema passes: %v", err)
		}
	}
}
