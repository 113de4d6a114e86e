package contract

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func (h *hyperSchema) checkLink(l *link, x Exchange, tell func(part, format string, args ...any)) {
	for i, part := range strings.Split(x.URL.EscapedPath(), "/") {
		if value, err := url.PathUnescape(part); strings.HasPrefix(l.parts[i], "#/") && (err != nil || !h.identifies(l.parts[i], value)) {
			tell("path", "%q is not %s", value, l.parts[i])
		}
	}
	for name := range x.URL.Query() {
		tell("query", "%s is not declared", name)
	}
	if !strings.HasPrefix(x.Header.Get("Accept"), "application/vnd.heroku+json; version=3") {
		tell("request header", "Accept does not ask for version 3")
	}
	switch {
	case len(x.Body) > 0 && l.schema == "":
		tell("request body", "is not declared")
	case l.schema != "":
		h.body(l.schema, "request body", x.Body, false, tell)
	}
	switch {
	case x.Status == 0, x.Status >= 500:
		// Nothing came, or something is broken: no contract speaks of it.
	case x.Status >= 400:
		h.failure(x, tell)
	case !slices.Contains(statuses(l.rel), x.Status):
		tell("status", "%d, want one of %v", x.Status, statuses(l.rel))
	default:
		h.body(l.target, "answer", x.Answer, true, tell)
	}
}

// identifies: an identity is an id, a name or a number, in a path always a text.
func (h *hyperSchema) identifies(pointer, value string) bool {
	if value == "" {
		return false
	}
	if n, err := strconv.Atoi(value); err == nil && h.valid(pointer, float64(n)) == nil {
		return true
	}
	return h.valid(pointer, value) == nil
}

// statuses of a relation, as the reference prints them, which is made from the
// schema (interagent/prmd, templates/schemata/link.md.erb); of a list also 206
// (Platform API Reference, Ranges).
func statuses(rel string) []int {
	switch rel {
	case "create":
		return []int{http.StatusCreated}
	case "empty":
		return []int{http.StatusAccepted}
	case "instances":
		return []int{http.StatusOK, http.StatusPartialContent}
	}
	return []int{http.StatusOK}
}

// failure: the id is one of those that the reference lists for the status.
func (h *hyperSchema) failure(x Exchange, tell func(part, format string, args ...any)) {
	const schema = "#/definitions/error"
	if !h.body(schema, "answer", x.Answer, false, tell) {
		return
	}
	v, _ := decode(x.Answer, func(string, ...any) {})
	id := v.(map[string]any)["id"]
	known, _ := h.raw.at(fmt.Sprintf("%s/properties/id/enum_known/%d", schema, x.Status)).([]any)
	if !slices.Contains(known, id) {
		tell("answer", "%d with id %q, want one of %v", x.Status, id, known)
	}
}

// body holds JSON against a schema. With whole every declared property has to be
// there: the reference's examples of answers show all of them, null where there
// is nothing.
func (h *hyperSchema) body(pointer, part string, b []byte, whole bool, tell func(part, format string, args ...any)) bool {
	say := func(format string, args ...any) { tell(part, format, args...) }
	v, ok := decode(bytes.TrimSpace(b), say)
	if !ok {
		return false
	}
	err := h.valid(pointer, v)
	for _, what := range leaves(err) {
		say("%s", what)
	}
	h.raw.shape([]any{h.raw.at(pointer)}, v, "", whole, say)
	return err == nil
}

// leaves are the single faults that a validation has found.
func leaves(err error) []string {
	if err == nil {
		return nil
	}
	e, ok := err.(*jsonschema.ValidationError)
	if !ok {
		return []string{err.Error()}
	}
	var out []string
	for _, u := range e.BasicOutput().Errors {
		if u.Error != nil {
			out = append(out, u.InstanceLocation+": "+u.Error.String())
		}
	}
	if len(out) == 0 {
		out = append(out, strings.ReplaceAll(e.Error(), "\n", " "))
	}
	return out
}
