package file

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// jsonReader walks a JSON text and notes where every value stands.
type jsonReader struct {
	text string
	dec  *json.Decoder
	all  []entry
}

func jsonTree(text string) ([]entry, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	r := &jsonReader{text: text, dec: json.NewDecoder(strings.NewReader(text))}
	r.dec.UseNumber()
	err := r.value("", 0, nil)
	if err == nil {
		if _, more := r.dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one")
		}
	}
	if err != nil { // the library's own words quote the text
		return nil, fmt.Errorf("it is not JSON, from line %d on", lineOf(text, min(int(r.dec.InputOffset()), len(text))))
	}
	return r.all, nil
}

// next returns one token and where it stands.
func (r *jsonReader) next() (token json.Token, from, to int, err error) {
	from = int(r.dec.InputOffset())
	from += len(r.text[from:]) - len(strings.TrimLeft(r.text[from:], " \t\r\n,:"))
	token, err = r.dec.Token()
	return token, from, int(r.dec.InputOffset()), err
}

func (r *jsonReader) value(path string, key int, in *group) error {
	token, from, to, err := r.next()
	if err != nil {
		return err
	}
	e := entry{name: path, key: key, from: from, to: to, inner: in}
	switch v := token.(type) {
	case json.Delim:
		return r.inside(v, path, to)
	case string:
		e.value = v
	case nil:
		e.none = true
	default:
		e.value, e.problem = fmt.Sprint(v), "it is a number, or true or false, and no text"
	}
	r.all = append(r.all, e)
	return nil
}

// inside walks an object or a list.
func (r *jsonReader) inside(opens json.Delim, path string, after int) error {
	g := &group{flow: true, after: after, first: -1}
	if opens == '{' {
		r.all = append(r.all, entry{name: groupName(path), group: g})
	}
	for i := 0; r.dec.More(); i++ {
		if opens == '[' {
			if err := r.value(under(path, strconv.Itoa(i)), 0, nil); err != nil {
				return err
			}
			continue
		}
		key, from, _, err := r.next()
		if err != nil {
			return err
		}
		if i == 0 {
			g.first = from
		}
		if err := r.value(under(path, key.(string)), from, g); err != nil {
			return err
		}
	}
	_, _, _, err := r.next()
	return err
}
