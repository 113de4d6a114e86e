package house

import (
	"strings"
	"testing"

	"rekey/internal/provider/all"
	"rekey/internal/sop"
)

// TestExamplesOfVendorsAreTaken: what a vendor's page shows as a rekey.yaml is one.
func TestExamplesOfVendorsAreTaken(t *testing.T) {
	for _, d := range all.Vendors() {
		found := 0
		for part := range strings.SplitSeq(d.Doc, "```yaml\n") {
			example, _, _ := strings.Cut(part, "```")
			if !strings.HasPrefix(example, "rekey: ") {
				continue
			}
			found++
			if _, err := sop.Parse("rekey.yaml", []byte(example)); err != nil {
				t.Errorf("the example on the page of %s: %v", d.Name, err)
			}
		}
		if found == 0 {
			t.Errorf("the page of %s shows no rekey.yaml", d.Name)
		}
	}
}
