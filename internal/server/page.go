package server

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"rekey/internal/api"
)

// wanted is which page of a list is wanted.
type wanted struct {
	limit int
	last  string // what the page before ended with; "": the first page
	left  int    // how many were left after that
}

const (
	pageSize = 200  // where nothing is said
	pageMost = 5000 // of what may be asked for

	cursorMost = 1 << 40 // entries of a list
)

// pageOf reads limit and cursor.
func pageOf(r *http.Request) (wanted, error) {
	p := wanted{limit: pageSize}
	q := r.URL.Query()
	if q.Has("limit") {
		n, err := strconv.Atoi(q.Get("limit"))
		if err != nil || n < 1 || n > pageMost {
			return p, &wrong{mistakes: []api.Mistake{{At: "limit", What: "want 1 to " + strconv.Itoa(pageMost)}}}
		}
		p.limit = n
	}
	if q.Has("cursor") {
		last, err := base64.RawURLEncoding.DecodeString(q.Get("cursor"))
		left, key, is := strings.Cut(string(last), " ")
		n, bad := strconv.Atoi(left)
		if err != nil || bad != nil || !is || key == "" || len(key) > 300 || n < 0 || n > cursorMost {
			return p, &wrong{mistakes: []api.Mistake{{At: "cursor", What: "this is not a cursor of an earlier page"}}}
		}
		p.last, p.left = key, n
	}
	return p, nil
}

// cursor is where the next page begins: after last, or where that is gone by then, so that
// left of the list remain.
func (wanted) cursor(last string, left int) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(left) + " " + last))
}

// after is the index at which the page begins. What the page before ended with may be
// gone: a run was over, a credential was taken out. Then as much is given as was left, so
// that something is told twice rather than not at all.
func (p wanted) after(n int, key func(int) string) int {
	if p.last == "" {
		return 0
	}
	for i := range n {
		if key(i) == p.last {
			return i + 1
		}
	}
	return max(0, n-p.left)
}

// cut takes a page out of a list; next tells whether there is more. It is never nil.
func cut[T any](list []T, from, limit int) (page []T, next bool) {
	page = []T{}
	to := min(from+limit, len(list))
	return append(page, list[from:to]...), to < len(list)
}
