package dossier_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strconv"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"rekey/internal/dossier"
	"rekey/internal/evidence"
)

// FuzzExport: nothing but what was signed verifies, nothing stops the verifier, and
// neither does what somebody with the key may sign. Its corpus is in testdata/fuzz.
func FuzzExport(f *testing.F) {
	file, err := os.ReadFile("testdata/fuzz/FuzzExport/whole")
	if err != nil {
		f.Fatal(err)
	}
	_, quoted, _ := bytes.Cut(bytes.TrimSuffix(file, []byte(")\n")), []byte("[]byte("))
	text, err := strconv.Unquote(string(quoted))
	if err != nil {
		f.Fatal(err)
	}
	whole := []byte(text)
	signer, key := fixedKey(f, 7)
	keys := evidence.Keys{key}
	if c, err := dossier.Check(whole, keys, nil); err != nil || !c.OK() {
		f.Fatalf("%+v %v", c, err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		others := []evidence.Given{{Where: "noted.txt", Note: string(data)}}
		if c, err := dossier.Check(data, keys, others[:0]); err == nil && c.OK() && !bytes.Equal(data, whole) {
			t.Errorf("something verifies that nobody signed: %q", data)
		}
		at := bytes.LastIndex(data, []byte(`,"signature":`))
		if at < 0 {
			return
		}
		n, err := note.Sign(&note.Note{Text: dossier.SignedText("example.com/rekey", data[:at])}, signer)
		if err != nil {
			t.Fatal(err)
		}
		quoted, _ := json.Marshal(string(n))
		signed := append(append(append(bytes.Clone(data[:at]), `,"signature":`...), quoted...), "}\n"...)
		if c, err := dossier.Check(signed, keys, others); err == nil {
			_ = c.OK() // anything may come out, and something has to
		}
	})
}
