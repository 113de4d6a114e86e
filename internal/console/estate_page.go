package console

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/rotation"
)

// rowsPerPage keeps a page of 10,000 credentials as light as one of 100.
const rowsPerPage = 100

// need is what a credential needs, in a word, with its colour and its drawing.
type need struct {
	Word string // "Stuck"
	Says string // what that means, for whoever hovers over it or cannot see it
	Tone string // bad, mind, good, info
	Icon string
}

// needs of report.Row.Attention, in the order in which they are shown.
var needs = []struct {
	attention string
	need
}{
	{"stuck", need{"Stuck", "Its run cannot go on by itself", "bad", "alert"}},
	{"revoked", need{"Revoked", "It was taken away, and has no successor yet", "bad", "off"}},
	{"lost", need{"Lost", "The issuer says something against it", "bad", "alert"}},
	{"asks", need{"Waits for you", "Its run goes on when somebody confirms it or agrees", "bad", "person"}},
	{"open", need{"Run open", "A run of it is not over", "info", "half"}},
	{"drift", need{"Drifted", "Issuer, store and consumers do not agree", "bad", "drift"}},
	{"overdue", need{"Overdue", "It should have been rotated by now", "bad", "clock"}},
	{"unready", need{"Not ready", "The last check found what a run would be refused for", "mind", "cross"}},
	{"unknown", need{"Not known", "Nobody has looked at it yet", "mind", "question"}},
	{"undated", need{"Undated", "The issuer does not tell when it was made", "mind", "question"}},
	{"due", need{"Due soon", "It is due within a week", "mind", "clock"}},
	{"", need{"In order", "Nothing needs to be done", "good", "check"}},
}

func needOf(attention string) need {
	for _, n := range needs {
		if n.attention == attention {
			return n.need
		}
	}
	return need{attention, "", "mind", "question"}
}

// Listed is a credential as a line of the estate. It is exported for visible.Copy, which
// spells out what is embedded under an exported name only.
type Listed struct {
	report.Row
	Need  need
	Share float64 // of its time that has passed; below 0: not known
	Doing string  // the next thing, as a link
	To    string
}

func rowOf(r report.Row, now time.Time) Listed {
	out := Listed{Row: r, Need: needOf(r.Attention), Share: share(r.Made, r.Due.At, now)}
	switch at := credentialAt(r.Credential); r.Attention {
	case "stuck", "asks", "open":
		out.Doing, out.To = "Open the run", runAt(r.Open.Run)
	case "revoked":
		out.Doing, out.To = "Plan a new one", at+"/plan?purpose="+queryEscape("after revoke")
	case "overdue", "due", "undated":
		out.Doing, out.To = "Plan", at+"/plan"
	case "drift", "lost", "unready", "unknown":
		out.Doing, out.To = "Look", at
	}
	return out
}

// share of the time between two moments that has passed; below 0 where one is not known.
func share(from, to, now time.Time) float64 {
	if from.IsZero() || !to.After(from) {
		return -1
	}
	return float64(now.Sub(from)) / float64(to.Sub(from))
}

// filter is one that can be chosen, with how many it leaves.
type filter struct {
	Text, To, Tone, Icon string
	N                    int
	On                   bool
}

type estateBody struct {
	All      int
	Rows     []Listed
	Found    int
	Filters  []filter
	Query    string
	Needs    string
	Owner    string
	Owners   []string
	Issuer   string
	Issuers  []string
	Filtered bool
	From, To int
	Earlier  string // address of the page before; "": there is none
	Later    string
	Owned    bool

	Urgent    int // credentials that need a person
	Approvals int // requests for which somebody is wanted
	Guide     []Hint
}

// urgent needs are those for which somebody is called.
func urgent(attention string) bool {
	return slices.Contains([]string{"stuck", "revoked", "lost", "asks", "drift", "overdue"}, attention)
}

// estatePage lists all credentials, those that need a person first.
func (c *Console) estatePage(w http.ResponseWriter, r *http.Request) error {
	status, err := c.o.Ops.Status(r.Context(), estate.StatusAsked{})
	if err != nil && estate.CodeOf(err) != estate.NoCredentials {
		return err
	}
	b := estateOf(status.Rows, r.URL.Query(), c.o.Now())
	all, err := c.o.Ops.Approvals(r.Context())
	if err = withoutRole(err); err != nil {
		return err
	}
	for _, s := range all {
		if s.Missing > 0 {
			b.Approvals++
		}
	}
	if c.o.Guide != nil && !b.Filtered {
		b.Guide = c.o.Guide()
	}
	return show(c, w, http.StatusOK, "estate", frame(c, r, "Estate", "/", b))
}

func estateOf(rows []report.Row, asked url.Values, now time.Time) estateBody {
	b := estateBody{All: len(rows), Query: strings.TrimSpace(asked.Get("q")), Needs: asked.Get("needs"), Owner: asked.Get("owner"), Issuer: asked.Get("issuer")}
	counts := map[string]int{}
	owners, issuers := map[string]bool{}, map[string]bool{}
	for _, r := range rows {
		counts[r.Attention]++
		if r.Owner != "" {
			owners[r.Owner] = true
		}
		issuers[r.Issuer] = true
	}
	b.Owners, b.Issuers, b.Owned = slices.Sorted(maps.Keys(owners)), slices.Sorted(maps.Keys(issuers)), len(owners) > 0
	b.Filters = b.filters(counts)
	b.Filtered = b.Query != "" || b.Needs != "" || b.Owner != "" || b.Issuer != ""
	found := slices.DeleteFunc(slices.Clone(rows), func(r report.Row) bool { return !b.matches(r) })
	b.Found = len(found)
	n, _ := strconv.Atoi(asked.Get("page"))
	n = min(max(n, 1), max(1, (len(found)+rowsPerPage-1)/rowsPerPage))
	from := (n - 1) * rowsPerPage
	shown := found[from:min(from+rowsPerPage, len(found))]
	b.From, b.To = from+1, from+len(shown)
	if n > 1 {
		b.Earlier = b.address(n - 1)
	}
	if from+rowsPerPage < len(found) {
		b.Later = b.address(n + 1)
	}
	for _, r := range shown {
		b.Rows = append(b.Rows, rowOf(r, now))
	}
	return b
}

func (b *estateBody) filters(counts map[string]int) []filter {
	out := []filter{{Text: "All", To: b.with(""), N: b.All, On: b.Needs == ""}}
	person := 0
	for a, n := range counts {
		if urgent(a) {
			person += n
		}
	}
	b.Urgent = person
	if person > 0 {
		out = append(out, filter{Text: "Needs you", To: b.with("you"), N: person, On: b.Needs == "you", Tone: "bad", Icon: "person"})
	}
	for _, n := range needs {
		key := cmp.Or(n.attention, "nothing")
		if counts[n.attention] > 0 || b.Needs == key {
			out = append(out, filter{Text: n.Word, To: b.with(key), N: counts[n.attention], On: b.Needs == key, Tone: n.Tone, Icon: n.Icon})
		}
	}
	return out
}

func (b estateBody) matches(r report.Row) bool {
	switch b.Needs {
	case "":
	case "you":
		if !urgent(r.Attention) {
			return false
		}
	default:
		if cmp.Or(r.Attention, "nothing") != b.Needs {
			return false
		}
	}
	if b.Owner != "" && r.Owner != b.Owner || b.Issuer != "" && r.Issuer != b.Issuer {
		return false
	}
	for _, word := range strings.Fields(strings.ToLower(b.Query)) {
		if !strings.Contains(strings.ToLower(r.Credential+" "+r.Owner+" "+r.Issuer+" "+r.Token), word) {
			return false
		}
	}
	return true
}

// with is the address of the same list with another filter, from its first page.
func (b estateBody) with(needs string) string {
	b.Needs = needs
	return b.address(1)
}

func (b estateBody) address(page int) string {
	return listAddress("/", page, map[string]string{"q": b.Query, "needs": b.Needs, "owner": b.Owner, "issuer": b.Issuer})
}

// listAddress is the address of a page of a list, with the filters that are set.
func listAddress(list string, page int, filters map[string]string) string {
	v := url.Values{}
	for name, x := range filters {
		if x != "" {
			v.Set(name, x)
		}
	}
	if page > 1 {
		v.Set("page", strconv.Itoa(page))
	}
	if len(v) == 0 {
		return list
	}
	return list + "?" + v.Encode()
}

// ending is how a run stands, in a word.
func ending(s estate.Summary) need {
	switch {
	case s.Stuck != "":
		return need{"Stuck", s.Stuck, "bad", "alert"}
	case s.Open():
		return need{"Open", "It is not over", "info", "half"}
	}
	return endingOf(s.Ending)
}

func endingOf(e rotation.Ending) need {
	switch e {
	case rotation.Rotated:
		return need{"Rotated", "The new one is in use, the old one is gone", "good", "check"}
	case rotation.RolledBack:
		return need{"Rolled back", "Everybody has the old one again", "mind", "back"}
	case rotation.RefusedRun:
		return need{"Refused", "Nothing was touched", "mind", "cross"}
	case rotation.Revoked:
		return need{"Revoked", "It was taken away in an emergency", "mind", "off"}
	case rotation.Rehearsed:
		return need{"Rehearsed", "Practised on a throwaway credential", "good", "check"}
	case rotation.Repaired:
		return need{"Repaired", "Every place holds the same again", "good", "check"}
	case rotation.NameGone:
		return need{"Name retired", "A former name was taken out everywhere", "good", "check"}
	}
	return need{string(e), "", "mind", "question"}
}
