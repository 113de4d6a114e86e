package approvals

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"rekey/internal/rotation"
)

// Against is why somebody's answer does not count; "" where it does.
type Against string

// What may stand against an answer.
const (
	None      Against = ""
	Nothing   Against = "nothing"   // nothing is asked any more
	OtherPlan Against = "other"     // something else is asked than he has seen
	LacksRole Against = "role"      // he has not the role
	Unproven  Against = "unproven"  // he says who he is, and identity.oidc could prove it
	IsAsker   Against = "asker"     // he asks for it himself
	Stale     Against = "stale"     // he signed in too long ago, or it is not known when
	Already   Against = "already"   // he has agreed
	NotTheirs Against = "not-yours" // he has neither agreed nor asked, so there is nothing to take back
)

// Person is who answers, and what is asked of how he is known.
type Person struct {
	Who rotation.Who
	// Roles: the configuration says who has which role. Otherwise whoever answers is
	// believed to have it.
	Roles bool
	// Proof: the configuration says who could prove it, so that what is only declared
	// does not count.
	Proof bool
	// Seen is the digest of what he has seen; "": whatever is asked.
	Seen string
}

// MayGive tells what stands against somebody's agreement.
func MayGive(s State, p Person, now time.Time) Against {
	if why := mayAnswer(s, p); why != None {
		return why
	}
	r := s.Request
	switch {
	case slices.ContainsFunc(s.Given, func(a Answer) bool { return Same(a.By, p.Who) }):
		return Already
	case Same(r.By, p.Who) && !r.Rule.ByAsker:
		return IsAsker
	case p.Proof && r.final() && stale(p.Who, r.Rule.Fresh, now):
		return Stale
	}
	return None
}

// MayRefuse tells what stands against a refusal: whoever may agree may refuse, and
// whoever asks too. Nothing is undone by it, so that no fresh sign-in is wanted.
func MayRefuse(s State, p Person) Against { return mayAnswer(s, p) }

// MayTakeBack tells what stands against taking an agreement or a request back.
func MayTakeBack(s State, p Person) Against {
	switch {
	case !s.Live():
		return Nothing
	case Same(s.Request.By, p.Who), slices.ContainsFunc(s.Given, func(a Answer) bool { return Same(a.By, p.Who) }):
		return None
	}
	return NotTheirs
}

func mayAnswer(s State, p Person) Against {
	switch r := s.Request; {
	case !s.Live():
		return Nothing
	case p.Seen != "" && p.Seen != r.Digest:
		return OtherPlan
	case p.Proof && !p.Who.Verified:
		return Unproven
	case p.Roles && r.Rule.Role != "" && !slices.Contains(p.Who.Roles, r.Rule.Role):
		return LacksRole
	}
	return None
}

// final tells whether approval is not requested again before what cannot be undone.
func (r *Request) final() bool { return r.Gate == Retiring || !r.Rule.Retiring }

// stale: when he signed in is the claim auth_time of his token, in seconds since 1970
// (OpenID Connect Core 1.0, section 2). Where the token does not tell, nobody knows.
func stale(who rotation.Who, most time.Duration, now time.Time) bool {
	at := SignedIn(who)
	return at.IsZero() || now.Sub(at) > most
}

// SignedIn is when somebody last proved who he is; zero: that is not known.
func SignedIn(who rotation.Who) time.Time {
	seconds, err := strconv.ParseInt(who.Claims["auth_time"], 10, 64)
	if err != nil || !who.Verified {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// MadeBy is the claim of a machine's token of Rekey's own that names who made it.
const MadeBy = "made_by"

// Same tells whether two may be one person. Whoever made a token has seen it, and may be who
// comes with it: a request with that token is his, and so is an agreement.
func Same(a, b rotation.Who) bool {
	for _, x := range heads(a) {
		for _, y := range heads(b) {
			if same(x, y) {
				return true
			}
		}
	}
	return false
}

func heads(w rotation.Who) []rotation.Who {
	if by := w.Claims[MadeBy]; by != "" {
		return []rotation.Who{w, {Name: by}}
	}
	return []rotation.Who{w}
}

// same: proven by one issuer they are one by its subject. Otherwise by the name, and by the
// part of it before an @: alice@laptop and alice@example.com may be one person, and then one
// agreement would be taken for two.
func same(a, b rotation.Who) bool {
	if a.Verified && b.Verified && a.How == b.How && a.Claims["sub"] != "" && b.Claims["sub"] != "" {
		return a.Claims["sub"] == b.Claims["sub"]
	}
	if strings.EqualFold(a.Name, b.Name) {
		return true
	}
	first := func(w rotation.Who) string { login, _, _ := strings.Cut(w.Name, "@"); return login }
	return first(a) != "" && strings.EqualFold(first(a), first(b)) && !(a.Verified && b.Verified)
}
