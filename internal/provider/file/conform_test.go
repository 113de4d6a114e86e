package file

import (
	"os"
	"path/filepath"
	"testing"

	"rekey/internal/outside"
	"rekey/internal/providertest"
)

// TestConform is the suite that every driver passes, on real files.
func TestConform(t *testing.T) {
	for _, c := range []struct{ format, text string }{
		{"dotenv", "# of others\nKEY=old-value-of-the-key\nKEY__ID='old-id'\nOTHER=x\n"},
		{"yaml", "# of others\nKEY: old-value-of-the-key\nKEY__ID: 'old-id'\nother: {x: y}\n"},
		{"json", `{"KEY": "old-value-of-the-key", "KEY__ID": "old-id", "other": [1]}`},
	} {
		t.Run(c.format, func(t *testing.T) {
			providertest.Run(t, providertest.Harness{
				Vendor:     Descriptor,
				Connection: `{}`,
				Store:      `{"path":"${DIR}/store.` + c.format + `","format":"` + c.format + `","keep":"${DIR}/keep"}`,
				Consumer:   `{"path":"${DIR}/read.` + c.format + `","format":"` + c.format + `","command":["touch","${DIR}/applied"],"check":["true"]}`,
				Slots:      []string{"KEY", "KEY__ID"},
				Double: func(st providertest.T) *providertest.Double {
					dir, err := os.MkdirTemp("", "rekey")
					if err == nil {
						err = os.Mkdir(filepath.Join(dir, "keep"), 0o700)
					}
					for _, name := range []string{"store.", "read."} {
						if err == nil {
							err = os.WriteFile(filepath.Join(dir, name+c.format), []byte(c.text), 0o600)
						}
					}
					if err != nil {
						st.Fatalf("%v", err)
					}
					st.Cleanup(func() { _ = os.RemoveAll(dir) })
					return &providertest.Double{Ways: outside.Real{}, Env: map[string]string{"DIR": dir}, Printable: []string{"DIR"}}
				},
			})
		})
	}
}
