package console

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"rekey/internal/estate"
	"rekey/internal/report"
)

// rowsPerPage keeps a page of 10,000 credentials as light as one of 100.
const rowsPerPage = 100

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
	Self     string // address of this list as it is
	Earlier  string // address of the page before; "": there is none
	Later    string
	Owned    bool

	Urgent    int // credentials that need a person
	Approvals int // requests for which somebody is wanted
	Guide     []Hint
}

// estatePage lists all credentials, those that need a person first.
func (c *Console) estatePage(w http.ResponseWriter, r *http.Request) error {
	status, err := c.o.Ops.Status(r.Context(), estate.StatusAsked{})
	if err != nil && estate.CodeOf(err) != estate.NoCredentials {
		return err
	}
	wanted, err := c.wanted(r.Context())
	if err != nil {
		return err
	}
	b := estateOf(asking(status.Rows, wanted), r.URL.Query(), c.o.Now())
	b.Approvals = len(wanted)
	for i := range b.Rows {
		if s, ok := wanted[b.Rows[i].Credential]; ok && (b.Rows[i].Attention == agrees || b.Rows[i].Attention == "asks") {
			b.Rows[i].wanted(s)
		}
	}
	if c.o.Guide != nil && !b.Filtered {
		b.Guide = c.o.Guide()
	}
	return show(c, w, http.StatusOK, "estate", frame(c, r, "Estate", "/", b))
}

// wanted are the requests for which somebody is wanted still, by credential, as far as
// whoever asks may see them.
func (c *Console) wanted(ctx context.Context) (map[string]estate.Approval, error) {
	all, err := c.o.Ops.Approvals(ctx)
	out := map[string]estate.Approval{}
	for _, s := range all {
		if s.Missing > 0 {
			out[s.Request.Credential] = s
		}
	}
	return out, withoutRole(err)
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
	b.From, b.To, b.Self = from+1, from+len(shown), b.address(n)
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
