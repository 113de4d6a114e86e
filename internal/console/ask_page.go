package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"rekey/internal/estate"
)

// askBody asks somebody to look in a portal, which no program can: a look goes on with
// what he has seen there.
type askBody struct {
	Credential, For string
	Task            *estate.Task
	Method, To      string
	Hidden          []field // what the look was asked for with
}

type field struct{ Name, Value string }

// askPage asks. It is no refusal: nothing is wrong.
func (c *Console) askPage(w http.ResponseWriter, r *http.Request, b askBody) error {
	return show(c, w, http.StatusOK, "ask", frame(c, r, "Look first: "+b.Credential, "/", b))
}

// asksOf is what a look could not see because only a person can; nil: nothing.
func asksOf(err error) *estate.Task {
	if e, ok := errors.AsType[*estate.Error](err); ok {
		return e.Asks
	}
	return nil
}

// looksAsked are the questions that these forms can ask, by the names of their fields.
var looksAsked = []estate.Want{estate.WantLook, estate.WantWhich}

// seenIn is what somebody has seen by hand, as a form brings it. Nothing is an answer too.
func seenIn(q url.Values) map[estate.Want][]string {
	var out map[estate.Want][]string
	for _, want := range looksAsked {
		if !q.Has(string(want)) {
			continue
		}
		if out == nil {
			out = map[estate.Want][]string{}
		}
		out[want] = namesIn(q[string(want)])
	}
	return out
}

// namesIn are names that stand on lines, or between commas.
func namesIn(texts []string) []string {
	out := []string{}
	for _, text := range texts {
		for _, name := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
			if name = strings.TrimSpace(name); name != "" && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// hiddenSeen brings what was seen along with another form.
func hiddenSeen(seen map[estate.Want][]string) (out []field) {
	for _, want := range looksAsked {
		if names, said := seen[want]; said {
			out = append(out, field{string(want), strings.Join(names, ",")})
		}
	}
	return out
}

// hidden brings along with what a look was asked for.
func hidden(q url.Values) (out []field) {
	for _, name := range []string{"purpose", "target", "strategy", "despite", string(estate.WantLook), string(estate.WantWhich)} {
		for _, value := range q[name] {
			out = append(out, field{name, value})
		}
	}
	return out
}
