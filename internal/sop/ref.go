package sop

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Ref names a secret without holding it: env:NAME, file:PATH, cmd:COMMAND, or a value
// that a vendor keeps, by its type: vault:MOUNT/PATH#KEY, or vault[NAME]:MOUNT/PATH#KEY
// where several under vendors are of that type.
type Ref string

// refsBegin and what follows it are the schema's pattern of references.
const refsBegin = "^(env|file|cmd"

// RefPattern is the pattern of references, env, file and cmd among the kinds and first.
func RefPattern(kinds []string) string {
	return "^(" + strings.Join(kinds, "|") + `|[a-z][a-z0-9-]*\[[A-Za-z0-9_.-]+\]):.+`
}

// named is a type of vendor with the name of one: vault[prod].
var named = regexp.MustCompile(`^[a-z][a-z0-9-]*\[[A-Za-z0-9_.-]+\]$`)

// kinds are the ways in which a secret may be named, as the schema has them.
var kinds = sync.OnceValue(func() []string {
	_, rest, _ := bytes.Cut(Schema(), []byte(`"`+refsBegin))
	list, _, _ := bytes.Cut(rest, []byte("|[a-z]"))
	return append([]string{"env", "file", "cmd"}, strings.FieldsFunc(string(list), func(r rune) bool { return r == '|' })...)
})

// Split returns the scheme and what follows it.
func (r Ref) Split() (scheme, rest string) {
	scheme, rest, _ = strings.Cut(string(r), ":")
	return scheme, rest
}

// Check reports what is wrong with a reference, without quoting it: somebody
// may have written the secret itself.
func (r Ref) Check() error {
	scheme, rest, found := strings.Cut(string(r), ":")
	if found && rest != "" && (slices.Contains(kinds(), scheme) || named.MatchString(scheme)) {
		return nil
	}
	return fmt.Errorf("a secret is named by reference (env:NAME, file:PATH, cmd:COMMAND, or by a vendor that is asked for it: %s:…), never written down; what stands here is none of these and is not shown", strings.Join(kinds()[3:], ":…, "))
}

// Vendor takes a reference to a value of a vendor apart; false for one of another kind.
// Where the name stands before a second colon, as in infisical:NAME:ENV/path/KEY, it is
// in rest: only whoever knows the names can tell.
func (r Ref) Vendor() (kind, name, rest string, ok bool) {
	scheme, rest := r.Split()
	kind, name, _ = strings.Cut(strings.TrimSuffix(scheme, "]"), "[")
	return kind, name, rest, r.Check() == nil && !slices.Contains(kinds()[:3], scheme)
}
