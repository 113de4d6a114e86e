package rotation

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// User is somebody who is seen to use a credential. It holds nothing secret.
type User struct {
	Name  string    `json:"name,omitempty"` // as it names itself
	From  string    `json:"from,omitempty"` // address
	Count int       `json:"count"`          // of sessions like this
	Since time.Time `json:"since,omitzero"` // of the oldest
	Last  time.Time `json:"last,omitzero"`  // when it was last active
}

// String names it as far as it can be told.
func (u User) String() string {
	out := u.Name
	if out == "" {
		out = "somebody without a name"
	}
	if u.From != "" {
		out += " at " + u.From
	}
	if u.Count > 1 {
		out += fmt.Sprintf(" (%d sessions)", u.Count)
	}
	return out
}

// mostNamed bounds how many users are named in one sentence.
const mostNamed = 8

// Named lists users by name, the busiest first.
func Named(users []User) string {
	users = slices.Clone(users)
	slices.SortStableFunc(users, func(a, b User) int { return b.Count - a.Count })
	var out []string
	for i, u := range users {
		if i == mostNamed {
			out = append(out, fmt.Sprintf("%d more", len(users)-i))
			break
		}
		out = append(out, u.String())
	}
	return strings.Join(out, ", ")
}
