package server_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"

	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/server"
)

// changing is an engine whose lists change while somebody reads them page by page.
type changing struct {
	server.Engine
	names []string
}

func (c *changing) Status(context.Context, estate.StatusAsked) (estate.Status, error) {
	var out estate.Status
	for _, name := range c.names {
		out.Rows = append(out.Rows, report.Row{Credential: name})
	}
	return out, nil
}

func (c *changing) OpenRuns(context.Context) ([]estate.OpenRun, error) {
	var out []estate.OpenRun
	for _, name := range c.names {
		var o estate.OpenRun
		o.Run = name
		out = append(out, o)
	}
	slices.Reverse(out) // oldest first
	return out, nil
}

// TestWhatStaysInAListIsTold, on one of its pages at least, whatever else is added to the
// list or leaves it while they are read; and a cursor that is none begins no list anew.
func TestWhatStaysInAListIsTold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := &changing{Engine: b.engine()}
	at := b.live(b.options(c)).URL
	page := func(path string) (names []string, next string, status int) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at+"/api/v1"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := new(http.Transport).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, _ := io.ReadAll(resp.Body)
		var out struct {
			Rows []struct{ Credential string } `json:"credentials"`
			Runs []struct{ Run string }        `json:"runs"`
			Next string                        `json:"next"`
		}
		if err := json.Unmarshal(text, &out); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for _, r := range out.Rows {
			names = append(names, r.Credential)
		}
		for _, r := range out.Runs {
			names = append(names, r.Run)
		}
		return names, out.Next, resp.StatusCode
	}
	for _, list := range []string{"/status?limit=2", "/runs?open=true&limit=2"} {
		for name, change := range map[string]func([]string) []string{
			"nothing changes": func(l []string) []string { return l },
			"where a page ended is gone": func(l []string) []string {
				return slices.DeleteFunc(l, func(n string) bool { return n == "b2" || n == "d4" })
			},
			"the page before is gone": func(l []string) []string {
				return slices.DeleteFunc(l, func(n string) bool { return n == "a1" || n == "b2" })
			},
			"something is added before": func(l []string) []string { return append([]string{"z" + l[0]}, l...) },
			"gone, and something is added": func(l []string) []string {
				return append([]string{"z" + l[0]}, slices.DeleteFunc(l, func(n string) bool { return n == "b2" })...)
			},
			"something is gone that is new": func(l []string) []string { return slices.DeleteFunc(l, func(n string) bool { return n == "c3" }) },
		} {
			c.names = []string{"a1", "b2", "c3", "d4", "e5", "f6", "g7"}
			var told []string
			next := ""
			for range 20 {
				query := list
				if next != "" {
					query += "&cursor=" + next
				}
				names, to, status := page(query)
				if status != http.StatusOK {
					t.Fatalf("%s, %s: %d", list, name, status)
				}
				told = append(told, names...)
				if next = to; next == "" {
					break
				}
				c.names = change(slices.Clone(c.names))
			}
			if next != "" {
				t.Errorf("%s, %s: it has no end", list, name)
			}
			for _, n := range c.names {
				if len(n) == 2 && !slices.Contains(told, n) {
					t.Errorf("%s, %s: %s was there all the time, and is on no page: %v", list, name, n, told)
				}
			}
		}
		for _, cursor := range []string{"", "x", "a1", "-1 a1", "1 ", "99999999999999999999 a1", "1"} {
			if _, _, status := page(list + "&cursor=" + base64.RawURLEncoding.EncodeToString([]byte(cursor))); status != http.StatusBadRequest {
				t.Errorf("%s: the cursor %q is answered with %d", list, cursor, status)
			}
		}
	}
}
