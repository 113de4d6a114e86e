package house

import (
	"go/ast"
	"go/token"
	"regexp"
	"strings"
	"testing"
)

// What takes something away from an older version that works beside this one.
var (
	takes    = regexp.MustCompile(`(?i)\b(DROP|RENAME|TRUNCATE|DELETE|UPDATE|ADD\s+CONSTRAINT|ALTER\s+COLUMN)\b`)
	column   = regexp.MustCompile(`(?i)\bADD\s+COLUMN\b[^;]*`)
	required = regexp.MustCompile(`(?i)\bNOT\s+NULL\b`)
	given    = regexp.MustCompile(`(?i)\bDEFAULT\b`)
)

// taken is what statements take away; "": they only add.
func taken(statements string) string {
	if what := takes.FindString(statements); what != "" {
		return what
	}
	for _, c := range column.FindAllString(statements, -1) {
		if required.MatchString(c) && !given.MatchString(c) {
			return c + ", which an older version does not fill in"
		}
	}
	return ""
}

// TestTablesOnlyGrow, or say that they break with older versions: processes of the version
// before go on while versions are changed, and it can be started again.
func TestTablesOnlyGrow(t *testing.T) {
	seen := 0
	eachFile(t, func(path string, f *ast.File, fset *token.FileSet) {
		ast.Inspect(f, func(n ast.Node) bool {
			lit, is := n.(*ast.CompositeLit)
			if !is {
				return true
			}
			statements, breaks := "", false
			for _, elt := range lit.Elts {
				kv, is := elt.(*ast.KeyValueExpr)
				if !is {
					continue
				}
				switch key, _ := kv.Key.(*ast.Ident); {
				case key == nil:
				case key.Name == "SQLite" || key.Name == "Postgres":
					ast.Inspect(kv.Value, func(n ast.Node) bool {
						if b, is := n.(*ast.BasicLit); is && b.Kind == token.STRING {
							statements += b.Value + ";"
						}
						return true
					})
				case key.Name == "Breaks":
					breaks = true
				}
			}
			if statements == "" {
				return true
			}
			seen++
			if what := taken(statements); what != "" && !breaks {
				t.Errorf("%s: this migration says %s: add instead, or say that it Breaks", fset.Position(lit.Pos()), strings.TrimSpace(what))
			}
			return true
		})
	})
	if seen < 12 {
		t.Errorf("%d migrations were found: the test proves less than it says", seen)
	}
	for _, bad := range []string{"DROP TABLE x", "ALTER TABLE x RENAME COLUMN a TO b", "ALTER TABLE x ADD COLUMN a TEXT NOT NULL", "UPDATE x SET a = 1"} {
		if taken(bad) == "" {
			t.Errorf("%s passes", bad)
		}
	}
}
