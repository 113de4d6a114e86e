package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"

	"rekey/internal/api"
	"rekey/internal/estate"
)

// lines reads an answer that is made while it is sent, value by value. each returns
// whether that was the last one.
func lines[T any](ctx context.Context, c *Client, a asking, each func(T) (last bool, err error)) error {
	resp, err := c.send(ctx, a)
	if lost, is := errors.AsType[*lost](err); is {
		return &estate.Error{Code: estate.Failed, Err: lost.err}
	}
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	d := json.NewDecoder(bufio.NewReaderSize(resp.Body, 64<<10))
	for {
		var v T
		switch err := d.Decode(&v); {
		case errors.Is(ctx.Err(), context.Canceled):
			return &estate.Error{Code: estate.Interrupted, Err: context.Canceled}
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return &estate.Error{Code: estate.Failed, Err: errors.New("the server's answer was cut off before its end")}
		case err != nil:
			return &estate.Error{Code: estate.Failed, Err: fmt.Errorf("read the server's answer: %w", plain(err))}
		}
		if last, err := each(v); err != nil || last {
			return err
		}
	}
}

// Document has the server render the written procedures.
func (c *Client) Document(ctx context.Context, d estate.Documenting, each func(estate.Page) error) error {
	q := url.Values{"credential": d.Credentials}
	for name, said := range map[string]bool{"html": d.HTML, "stable": d.Stable} {
		if said {
			q.Set(name, strconv.FormatBool(said))
		}
	}
	return lines(ctx, c, asking{id: "document", query: q}, func(w api.Written) (bool, error) {
		switch {
		case w.Problem != nil:
			return true, w.Problem.Err()
		case w.Page != nil:
			return false, each(*w.Page)
		}
		return w.End, nil
	})
}

// Evidence has the server tell what was done, and hands its lines on as they come.
func (c *Client) Evidence(ctx context.Context, p estate.Period, each func([]byte) error) (out estate.Evidence, err error) {
	err = lines(ctx, c, asking{id: "evidence", body: api.Period{Period: p, Lines: each != nil}}, func(x api.Proof) (bool, error) {
		switch {
		case x.Problem != nil:
			return true, x.Problem.Err()
		case x.End != nil:
			out = *x.End
			return true, nil
		case each != nil:
			return false, each([]byte(x.Lines))
		}
		return false, nil
	})
	return out, err
}
