package api

import (
	"net/http"
	"time"
)

// Token is a token of Rekey's own, by which a machine asks a server, without its text.
type Token struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Fingerprint string    `json:"fingerprint"`           // the first 16 hex digits of the SHA-256 of its text
	Roles       []string  `json:"roles,omitempty"`       // that rekey.yaml gives its name now
	Person      bool      `json:"person,omitempty"`      // it was made for somebody's command line, and acts as him
	Only        []string  `json:"only,omitempty"`        // rights and operations that it is limited to; none: everything its name may do
	Credentials []string  `json:"credentials,omitempty"` // that it is limited to, * at the end stands for anything; none: all
	Made        time.Time `json:"made"`
	By          string    `json:"made_by"`
	Expires     time.Time `json:"expires"`
	Used        time.Time `json:"last_used,omitzero"` // a use within noted_every of the list after it is not noted
	Revoked     time.Time `json:"revoked,omitzero"`
	RevokedBy   string    `json:"revoked_by,omitempty"`
	Successor   string    `json:"successor,omitempty"` // id of the one that it was rotated to
}

// TokenWanted is what somebody wants of a new token.
type TokenWanted struct {
	Name        string   `json:"name"` // to which rekey.yaml gives a role
	Only        []string `json:"only,omitempty"`
	Credentials []string `json:"credentials,omitempty"`
	Expires     string   `json:"expires,omitempty"` // as 30d; 90d where it is left out, at most 366d
	Roles       []string `json:"roles,omitempty"`   // that rekey.yaml has to give its name, these and no others; none: it is not looked at
}

// Minted is a new token with its text, which is shown this once: where the request was
// answered before, it is left out.
type Minted struct {
	Token
	Secret string `json:"secret,omitempty"`
}

// TokenList are tokens, newest first.
type TokenList struct {
	Tokens []Token `json:"tokens"`
	Noted  string  `json:"noted_every,omitempty"` // how often at most a use is noted, as 1m0s
}

// WhichToken is the one that is meant.
type WhichToken struct {
	Token string `json:"token"` // its id, or its name: then all live ones of that name
}

// Overlapping is how long the old token stays good.
type Overlapping struct {
	Overlap string `json:"overlap,omitempty"` // as 1h, which it is where it is left out; at most 7d
}

// tokenWays are the operations on them. A key has one made once; a text that is shown once
// is kept nowhere, so it cannot be answered again, and the answer tells which token it was,
// so that it can be revoked and another one be made. Revoking may be repeated without a
// key, and so may rotating, until the successor was used.
func tokenWays() []Way {
	const group = "Tokens"
	return []Way{
		{Group: group, ID: "listTokens", Method: http.MethodGet, Path: "/tokens", Answer: typed[TokenList](), Params: []Param{{Name: "revoked", Type: "boolean", Summary: "false: without those that were revoked."}}, Summary: "All tokens that the caller may create, revoked ones included."},
		{Group: group, ID: "createToken", Method: http.MethodPost, Path: "/tokens", Status: http.StatusCreated, Role: true, Named: true, Body: typed[TokenWanted](), Answer: typed[Minted](), Summary: "Create a token. Its text is shown once."},
		{Group: group, ID: "revokeToken", Method: http.MethodPost, Path: "/tokens/revoke", Role: true, Body: typed[WhichToken](), Answer: typed[TokenList](), Summary: "End tokens at once, by id or by name."},
		{Group: group, ID: "rotateToken", Method: http.MethodPost, Path: "/tokens/rotate", Role: true, Body: typed[Overlapping](), Answer: typed[Minted](), Summary: "Rotate the token that makes the request: its successor has the same name, limits and lifetime."},
	}
}
