package heroku

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/secret"
)

// redaction stands in lists for the middle of a token: what Heroku's own CLI
// looks for to find its own authorization (docs/vendors/heroku.md).
const redaction = "**********"

// enough is how many characters of a token have to agree before it is taken for
// the same without an id: 32 bits of a random one.
const enough = 8

// likeness of a token and what a list shows of one.
type likeness int

const (
	different likeness = iota
	undecided          // nothing contradicts, and too little is shown to tell
	same
)

// Owner finds the authorization of a stored token: by the id that is stored with
// it, or else by what the list shows of tokens. Everything is compared in memory
// and nothing is sent. What fits more than one belongs to none: a guess here is a
// deletion later (T36).
func (a *authorizations) Owner(ctx context.Context, b secret.Bundle, listed []cred.Handle) (string, error) {
	const op = "find whose token is stored"
	token, id := b[FieldToken], b[FieldID]
	if !token.Present() {
		return "", nil
	}
	refuse := func(format string, args ...any) (string, error) {
		return "", &cred.Error{Vendor: a.api.Vendor, Op: op, Class: cred.Refused, Why: fmt.Sprintf(format, args...)}
	}
	own, _, err := a.token(ctx)
	if err != nil {
		return refuse("vendors.%s.token cannot be had to compare it", a.api.Vendor)
	}
	if own.Equal(token) {
		return refuse("it is the token that Rekey itself uses here (vendors.%s.token), and a run cannot revoke what it needs to finish; give Rekey an authorization of its own (heroku authorizations:create), then run again", a.api.Vendor)
	}
	all, err := a.all(ctx)
	if err != nil {
		return "", err
	}
	var fits []string
	vague := false
	for _, x := range all {
		if !slices.ContainsFunc(listed, func(h cred.Handle) bool { return h.ID == x.ID }) || id.Present() && !id.Equal(secret.New(x.ID)) {
			continue
		}
		switch l := x.likeness(token); {
		case l == same, l == undecided && id.Present():
			fits = append(fits, x.ID)
		case l == undecided:
			vague = true
		}
	}
	switch {
	case len(fits) > 1:
		return refuse("%d authorizations could be it by what Heroku shows of their tokens; store the id as well, in a slot with {id}", len(fits))
	case len(fits) == 0 && vague:
		return refuse("Heroku shows too little of tokens to tell; store the id as well, in a slot with {id}")
	case len(fits) == 0:
		return "", nil
	}
	return fits[0], nil
}

func (a authorization) likeness(token secret.Value) likeness {
	if a.AccessToken == nil || !a.AccessToken.Token.Present() {
		return undecided
	}
	shown, whole := a.AccessToken.Token, token.Reveal()
	begin, end, cut := strings.Cut(shown.Reveal(), redaction)
	switch {
	case !cut && shown.Equal(token):
		return same
	case !cut, len(begin)+len(end) > len(whole), !strings.HasPrefix(whole, begin), !strings.HasSuffix(whole, end):
		return different
	case len(strings.TrimPrefix(begin, "HRKU-"))+len(end) < enough:
		return undecided
	}
	return same
}
