package client

import (
	"bufio"
	"bytes"
	"io"
)

// maxPart bounds one event: a plan of a thousand consumers has some megabytes.
const maxPart = 64 << 20

// parts reads a stream of events [html.spec.whatwg.org/multipage/server-sent-events.html]
// and calls each with the data of every one; alive is called with each line. Comments keep
// the connection alive and say nothing. An error of each is returned as it is; one of
// reading is lost.
func parts(r io.Reader, alive func(), each func(data []byte) error) error {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, 64<<10), maxPart)
	var data []byte
	for in.Scan() {
		alive()
		switch value, is := bytes.CutPrefix(in.Bytes(), []byte("data:")); {
		case is:
			if len(data) > 0 {
				data = append(data, '\n')
			}
			data = append(data, bytes.TrimPrefix(value, []byte(" "))...)
		case len(in.Bytes()) == 0 && len(data) > 0:
			if err := each(data); err != nil {
				return err
			}
			data = data[:0]
		}
	}
	if err := in.Err(); err != nil {
		return unanswered(plain(err))
	}
	return nil // the caller knows whether that was the end
}
