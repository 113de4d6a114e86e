// Package packed keeps long texts small in the program: embedded as gzip, unpacked once by who needs them.
package packed

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"sync"
)

// Text unpacks what Pack made, once, when it is first asked for. It panics where that is
// not sound: it is part of the program, and tests read it.
func Text(packed []byte) func() []byte {
	return sync.OnceValue(func() []byte {
		r, err := gzip.NewReader(bytes.NewReader(packed))
		if err == nil {
			var text []byte
			if text, err = io.ReadAll(r); err == nil {
				return text
			}
		}
		panic(fmt.Sprintf("a text that is part of this program cannot be unpacked: %v", err))
	})
}

// Pack makes a text small. The bytes may differ from one version of Go to the next, and
// the text does not.
func Pack(text []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("pack a text: %w", err)
	}
	return out.Bytes(), nil
}
