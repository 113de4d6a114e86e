package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// wellFormed reports what keeps a body from being one JSON value that every program reads
// alike: two values, a key that is there twice, or more levels than anything has.
func wellFormed(body []byte) *Mistake {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if m := value(d, "", 0); m != nil {
		return m
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return &Mistake{What: "there is something after the JSON value"}
	}
	return nil
}

// maxDepth is more than any body has.
const maxDepth = 64

func value(d *json.Decoder, at string, depth int) *Mistake {
	tok, err := d.Token()
	if err != nil {
		return &Mistake{At: at, What: fmt.Sprintf("this is not JSON, from byte %d on", d.InputOffset())}
	}
	delim, is := tok.(json.Delim)
	if !is {
		return nil
	}
	if depth > maxDepth {
		return &Mistake{At: at, What: "this is nested too deeply"}
	}
	seen := map[string]bool{}
	for n := 0; d.More(); n++ {
		below := fmt.Sprintf("%s/%d", at, n)
		if delim == '{' {
			key, err := d.Token()
			name, is := key.(string)
			if err != nil || !is {
				return &Mistake{At: at, What: fmt.Sprintf("this is not JSON, from byte %d on", d.InputOffset())}
			}
			below = at + "/" + shown(name)
			if seen[name] {
				return &Mistake{At: below, What: "this field is given twice"}
			}
			seen[name] = true
		}
		if m := value(d, below, depth+1); m != nil {
			return m
		}
	}
	if _, err := d.Token(); err != nil {
		return &Mistake{At: at, What: "this JSON is truncated"}
	}
	return nil
}
