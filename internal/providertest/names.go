package providertest

import (
	"regexp"
	"strings"

	"rekey/internal/provider"
)

// prefix of everything that is made on the real service, so that a later run finds it.
const prefix = "rekey-conformance-"

// named is a name that says what it is for, of the characters that the sheet allows.
func named(sheet provider.Sheet, what string) string {
	name := prefix + strings.ReplaceAll(what, " ", "-")
	if sheet.NameChars != "" {
		allowed := regexp.MustCompile("[" + sheet.NameChars + "]")
		joint := ""
		for _, j := range []string{"-", "_", "."} {
			if allowed.MatchString(j) {
				joint = j
				break
			}
		}
		var b strings.Builder
		for _, r := range name {
			switch c := string(r); {
			case allowed.MatchString(c):
				b.WriteString(c)
			case allowed.MatchString(strings.ToUpper(c)):
				b.WriteString(strings.ToUpper(c))
			default:
				b.WriteString(joint)
			}
		}
		name = b.String()
	}
	if sheet.NameMax > 0 && len(name) > sheet.NameMax {
		name = name[len(name)-sheet.NameMax:]
	}
	return name
}

// longest is a name as long as the sheet allows, and one more.
func longest(sheet provider.Sheet) (fits, exceeds string) {
	base := named(sheet, "longest")
	for len(base) <= sheet.NameMax {
		base += base[len(base)-1:]
	}
	return base[:sheet.NameMax], base[:sheet.NameMax+1]
}
