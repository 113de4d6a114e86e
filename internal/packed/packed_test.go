package packed_test

import (
	"bytes"
	"testing"

	"rekey/internal/packed"
)

func TestATextComesOutAsItWentIn(t *testing.T) {
	for _, text := range [][]byte{nil, []byte("{}\n"), bytes.Repeat([]byte("a rule "), 10_000)} {
		small, err := packed.Pack(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := packed.Text(small)(); !bytes.Equal(got, text) {
			t.Errorf("%d bytes came out as %d", len(text), len(got))
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("what is cut off was unpacked")
		}
	}()
	small, _ := packed.Pack([]byte("whole"))
	packed.Text(small[:len(small)-4])()
}
