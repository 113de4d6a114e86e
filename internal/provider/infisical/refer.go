package infisical

import (
	"regexp"
	"slices"
	"strings"

	"rekey/internal/provider"
)

// reference is ${NAME} or ${environment.folder.NAME} inside a value: readers that
// ask for expansion get the other secret in its place (docs/vendors/infisical.md).
var reference = regexp.MustCompile(`\$\{([^{}]+)\}`)

// refer notes at each slot which other secrets of the folder refer to it. What
// refers to it from elsewhere does not show in this folder.
func (f *folder) refer(held map[string]provider.Held, items []item) {
	here := append([]string{f.at.Environment}, strings.FieldsFunc(f.at.Path, func(r rune) bool { return r == '/' })...)
	for _, it := range items {
		if it.Hidden {
			continue
		}
		for _, m := range reference.FindAllStringSubmatch(it.value().Reveal(), -1) {
			parts := strings.Split(m[1], ".")
			name, at := parts[len(parts)-1], parts[:len(parts)-1]
			h, ours := held[name]
			if !ours || !h.Present || name == it.Key || len(at) > 0 && !slices.Equal(at, here) || slices.Contains(h.ReadBy, it.Key) {
				continue
			}
			h.ReadBy = append(h.ReadBy, it.Key)
			slices.Sort(h.ReadBy)
			held[name] = h
		}
	}
}
