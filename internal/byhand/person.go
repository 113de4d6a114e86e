package byhand

import (
	_ "embed"
	"maps"
	"strings"
)

//go:embed person.sh
var personShell string

// The verbs that a person is asked to do.
var (
	issuerVerbs = [...]string{"create", "roll", "extend", "prolong", "admit", "dismiss", "readmit", "withdraw", "quiet", "disable", "enable", "delete", "expire", "discard"}
	placeVerbs  = [...]string{"read", "observe", "store", "restore", "propagate", "return", "apply", "reapply", "settle", "resettle"}
)

// Done is what has to be known of a part of which no recipe is written.
type Done struct {
	Title  string   // the vendor, as its makers write it
	Doc    string   // its page
	Place  string   // key of the store or the consumer
	Fields []string // of the issuer's credential
}

// ByPerson is the recipe of a part that no recipe of the vendor tells: a person does it
// with the vendor's own tools, and the shell asks what came of it, reads values hidden,
// and compares. So every procedure can be written down, whatever its vendors are.
func ByPerson(q Question, d Done) Recipe {
	var wrong, take []string
	for _, f := range d.Fields {
		file := Quote(f)
		wrong = append(wrong, "random 20 > wrong/"+file)
		take = append(take, "read -rsp "+Quote(f+" (not shown): ")+" value; echo",
			`[ -n "$value" ] || stop "nothing was entered: if it was made, end it there and take another name"`,
			`printf %s "$value" > new/`+file, "unset value")
	}
	if q.Waits["quiet"] == "" {
		q.Waits = maps.Clone(q.Waits)
		if q.Waits == nil {
			q.Waits = map[string]string{}
		}
		q.Waits["quiet"] = "0"
	}
	all := Read(personShell, q.Filled(map[string]string{"place": Quote(d.Place), "wrong": strings.Join(wrong, "\n"), "take": strings.Join(take, "\n")}))
	r := Recipe{Title: d.Title, Tool: q.Tool, ByPerson: true, Doc: d.Doc, Sections: []string{""}, Steps: map[string]Step{}}
	desk, verbs := "place", placeVerbs[:]
	if q.Role == Issuer {
		desk, verbs = "issuer", issuerVerbs[:]
	}
	for _, verb := range verbs {
		r.Steps[verb] = all[verb]
	}
	if q.Role == Issuer {
		r.Steps["observe"] = all["look"]
	}
	r.Desk = all["common"].Shell + "\n\n" + all[desk].Shell
	return r
}
