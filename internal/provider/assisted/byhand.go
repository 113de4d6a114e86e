package assisted

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rekey/internal/byhand"
	"rekey/internal/cred"
)

//go:embed byhand.sh
var portalByHand string

// byHand is the recipe of an issuer that is a person: the instructions of the
// configuration, and hidden prompts.
func byHand(q byhand.Question) (byhand.Recipe, error) {
	var c Connection
	if err := json.Unmarshal(q.Connection, &c); err != nil {
		return byhand.Recipe{}, err
	}
	var s Settings
	if err := json.Unmarshal(q.Settings, &s); err != nil {
		return byhand.Recipe{}, err
	}
	fields := []string{FieldValue}
	if q.Kind == KindClient {
		fields = []string{FieldClientID, FieldClientSecret}
	}
	var wrong, take []string
	for _, f := range fields {
		wrong = append(wrong, "random 20 > wrong/"+f)
		take = append(take, "read -rsp "+byhand.Quote(f+" (not shown): ")+" value; echo",
			`[ -n "$value" ] || stop "nothing was entered: if the portal lists it, end it there and take another name"`,
			`printf %s "$value" > new/`+f, "unset value")
	}
	headers, err := headersByHand(s.Headers)
	if err != nil {
		return byhand.Recipe{}, err
	}
	title := c.Title
	if title == "" {
		title = "the portal"
	}
	r := byhand.Recipe{Title: title, Tool: q.Tool, ByPerson: true, Doc: doc, Sections: []string{""}}
	r.Steps = byhand.Read(portalByHand, q.Filled(map[string]string{
		"headers": headers, "wrong": strings.Join(wrong, "\n"), "take": strings.Join(take, "\n"),
	}))
	r.Desk = r.Steps["desk"].Shell
	link := strings.Join(c.Link, ", or ")
	portal := func(verb string, lines []string) {
		st := r.Steps[verb]
		st.Portal = &byhand.Portal{Link: link, Lines: lines}
		r.Steps[verb] = st
	}
	portal("create", s.Create)
	portal("delete", s.Revoke)
	portal("discard", s.Revoke)
	if len(c.Link) == 1 {
		r.Links = []byhand.Link{{Label: title, URL: link}}
	}
	return r, nil
}

// headersByHand writes the headers that show a credential into gate.header.
func headersByHand(headers map[string]string) (string, error) {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		t, err := cred.ParseTemplate(headers[name])
		if err != nil {
			return "", fmt.Errorf("headers: %s: %w", name, err)
		}
		words := []string{byhand.Quote(name + ": ")}
		for _, p := range t.Parts() {
			if len(p.Filters) > 0 {
				words = append(words, `"$(jq -Rrs `+byhand.Quote(byhand.Filtered(".", p.Filters))+` "$1/`+p.Field+`")"`)
			} else if p.Field != "" {
				words = append(words, `"$(<"$1/`+p.Field+`")"`)
			} else {
				words = append(words, byhand.Quote(p.Text))
			}
		}
		lines = append(lines, `printf '%s' `+strings.Join(words, " ")+` >> gate.header; echo >> gate.header`)
	}
	return strings.Join(lines, "\n    "), nil
}
