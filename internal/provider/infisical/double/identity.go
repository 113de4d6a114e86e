package double

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"rekey/internal/world"
)

// Identity is a machine identity with Universal Auth.
type Identity struct {
	ID       string          `json:"id"`
	UA       string          `json:"ua"` // id of its Universal Auth
	ClientID string          `json:"client_id"`
	Viewer   bool            `json:"viewer,omitempty"`  // may only read secrets
	Admin    bool            `json:"admin,omitempty"`   // of the organization
	Tokens   bool            `json:"tokens,omitempty"`  // it has get-token and what else client secrets need, without being admin
	Outside  bool            `json:"outside,omitempty"` // it may not even read identities
	TTL      world.Duration  `json:"ttl,omitempty"`     // of its access tokens; 0: that of the server
	MaxTTL   world.Duration  `json:"max_ttl,omitempty"` // 0: as TTL, which is the default
	Period   world.Duration  `json:"period,omitempty"`  // of tokens that may be renewed for ever; 0: theirs may not
	Uses     int             `json:"uses,omitempty"`    // how often an access token may be used; 0: without end
	Secrets  []*ClientSecret `json:"secrets"`
	Failures []time.Time     `json:"failures,omitempty"` // logins that count towards a lock
	Locked   time.Time       `json:"locked,omitzero"`    // until then
	Locks    int             `json:"locks,omitempty"`    // how often it was locked so far
}

// ClientSecret is one of the secrets that an identity may log in with.
type ClientSecret struct {
	ID          string    `json:"id"`
	Value       string    `json:"value"`
	Description string    `json:"description"`
	Created     time.Time `json:"created"`
	Updated     time.Time `json:"updated"`         // a login changes it
	TTL         int64     `json:"ttl,omitempty"`   // seconds; 0: it never ends
	Uses        int       `json:"uses"`            // logins
	Limit       int       `json:"limit,omitempty"` // of logins; 0: none
	Revoked     bool      `json:"revoked,omitempty"`
	Hidden      int       `json:"hidden,omitempty"` // lists that do not show it yet
}

// Access is an access token that was given out.
type Access struct {
	Until    time.Time `json:"until"`              // end of its TTL
	End      time.Time `json:"end,omitzero"`       // of its maximum life, which is in the token itself; zero: as Until
	Identity string    `json:"identity,omitempty"` // id; "": the one that Rekey is given
	Secret   string    `json:"secret,omitempty"`   // id of the client secret that it came from
	Used     int       `json:"used,omitempty"`
	Gone     bool      `json:"gone,omitempty"` // well signed, but the server has deleted it
}

// Settle gives the server the identity that Rekey is given, if it has none.
func (s *Double) Settle() {
	i := s.Infisical
	if len(i.Identities) > 0 || i.ClientID == "" {
		return
	}
	// From a chain of their own, so that the ids of everything else stay.
	id := func(of string) string { return Derived(i.ClientID, of) }
	born := s.At.AddDate(0, 0, -92)
	i.Identities = []*Identity{{ID: id("identity"), UA: id("ua"), ClientID: i.ClientID, Tokens: true, Secrets: []*ClientSecret{
		{ID: id("secret"), Value: i.ClientSecret, Description: "rekey", Created: born, Updated: born},
	}}}
}

func (i *Infisical) identity(id string) *Identity {
	for _, x := range i.Identities {
		if x.ID == id || id == "" && x.ClientID == i.ClientID {
			return x
		}
	}
	return nil
}

// The lock of today's servers (api-reference, universal-auth/attach), docs/vendors/infisical.md.
const (
	lockAfter  = 3
	lockFor    = 5 * time.Minute
	lockForget = 30 * time.Second
)

// login: recorded 01-login.json and 04-client-secrets.json. Today an unknown
// client id is 401, and three failures lock the identity for everybody.
func (a *asked) login() {
	var is issues
	fields := is.object(a.body)
	if fields != nil {
		is.text(fields, "clientId", false)
		is.text(fields, "clientSecret", false)
	}
	if !a.valid(is) {
		return
	}
	i, now := a.server(), a.At
	at := slices.IndexFunc(i.Identities, func(x *Identity) bool { return x.ClientID == a.field("clientId") })
	switch {
	case at < 0 && i.old():
		a.fail(http.StatusNotFound, "NotFound", "No identity with specified client ID was found")
		return
	case at < 0:
		a.fail(http.StatusUnauthorized, "UnauthorizedError", "Invalid credentials")
		return
	}
	who := i.Identities[at]
	if !i.old() && who.Locked.After(now) {
		a.fail(http.StatusUnauthorized, "UnauthorizedError", "This identity auth method is temporarily locked, please try again later")
		return
	}
	var with *ClientSecret
	for _, s := range who.Secrets {
		if s.Value == a.field("clientSecret") && !s.Revoked {
			with = s
		}
	}
	if with == nil {
		who.failed(now)
		a.fail(http.StatusUnauthorized, "UnauthorizedError", "Invalid credentials")
		return
	}
	if why := with.spent(now); why != "" {
		with.Revoked, with.Updated = true, now
		a.fail(http.StatusUnauthorized, "UnauthorizedError", "Access denied due to "+why)
		return
	}
	who.Failures = nil
	with.Uses, with.Updated = with.Uses+1, now
	a.answer(a.give(who, with))
}

func (who *Identity) failed(now time.Time) {
	who.Failures = slices.DeleteFunc(who.Failures, func(t time.Time) bool { return now.Sub(t) > lockForget })
	if who.Failures = append(who.Failures, now); len(who.Failures) >= lockAfter {
		who.Failures, who.Locked, who.Locks = nil, now.Add(lockFor), who.Locks+1
	}
}

// spent says why a client secret works no more; "" if it does.
func (c *ClientSecret) spent(now time.Time) string {
	switch {
	case c.TTL > 0 && now.Sub(c.Created) > time.Duration(c.TTL)*time.Second:
		return "expired client secret"
	case c.Limit > 0 && c.Uses >= c.Limit:
		return "client secret usage limit reached"
	}
	return ""
}

// give makes an access token: a JWT with the claims that were recorded, which
// nobody has to be able to verify.
func (s *Double) give(who *Identity, with *ClientSecret) map[string]any {
	i := s.Infisical
	ttl, most := who.TTL.Std(), who.MaxTTL.Std()
	if ttl == 0 {
		ttl = i.TTL.Std()
	}
	if most == 0 {
		most = ttl
	}
	if i.Access == nil {
		i.Access = map[string]Access{}
	}
	for t, a := range i.Access {
		if a.end().Add(time.Hour).Before(s.At) {
			delete(i.Access, t)
		}
	}
	part := func(v any) string {
		b, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	sign := s.Random(24)
	token := part(map[string]string{"alg": "HS256", "typ": "JWT"}) + "." + part(map[string]any{
		"identityId": who.ID, "clientSecretId": with.ID, "identityAccessTokenId": Derived(sign), "authTokenType": "identityAccessToken",
		"iat": s.At.Unix(), "exp": s.At.Add(most).Unix(),
	}) + "." + sign
	i.Access[token] = Access{Until: s.At.Add(ttl), End: s.At.Add(most), Identity: who.ID, Secret: with.ID}
	return map[string]any{"accessToken": token, "expiresIn": int64(ttl / time.Second), "accessTokenMaxTTL": int64(most / time.Second), "tokenType": "Bearer"}
}

func (x Access) end() time.Time {
	if x.End.IsZero() {
		return x.Until
	}
	return x.End
}

// admit checks an access token, as for every use of it: recorded
// 02-access-token-errors.json and 03-token-renew-revoke.json. It answers what is
// wrong with it.
func (a *asked) admit(token string) (Access, *Identity, bool) {
	i, now := a.server(), a.At
	x, known := i.Access[token]
	who := i.identity(x.Identity)
	refuse := func(status int, name, message string) (Access, *Identity, bool) {
		a.fail(status, name, message)
		return x, nil, false
	}
	lost := func(message string) (Access, *Identity, bool) {
		x.Gone = true
		i.Access[token] = x
		return refuse(http.StatusUnauthorized, "UnauthorizedError", message)
	}
	ended := func() bool {
		return slices.ContainsFunc(who.Secrets, func(c *ClientSecret) bool { return c.ID == x.Secret && c.Revoked })
	}
	switch {
	case !known && strings.Count(token, ".") == 2 && strings.HasPrefix(token, "ey"):
		return refuse(http.StatusForbidden, "TokenError", "invalid signature")
	case !known:
		return refuse(http.StatusForbidden, "TokenError", "The provided access token is malformed. Please use a valid token or generate a new one and try again.")
	case x.end().Before(now):
		return refuse(http.StatusForbidden, "TokenError", "Your token has expired. Please re-authenticate.")
	case x.Gone || who == nil:
		return refuse(http.StatusUnauthorized, "UnauthorizedError", "No identity access token found")
	case !i.old() && ended():
		// Recorded: 2026/batch.json. On servers of 2024 it goes on (04-client-secrets.json).
		return refuse(http.StatusUnauthorized, "UnauthorizedError", "Failed to authorize: client secret has been revoked")
	case who.Uses > 0 && x.Used >= who.Uses:
		return lost("Unable to renew because access token number of uses limit reached")
	case x.Until.Before(now):
		return lost("Failed to renew MI access token due to TTL expiration")
	}
	return x, who, true
}

// letIn checks the bearer of a request and counts the use.
func (a *asked) letIn() bool {
	token, bearer := strings.CutPrefix(a.req.Header.Get("Authorization"), "Bearer ")
	if !bearer || token == "" {
		a.fail(http.StatusUnauthorized, "UnauthorizedError", "Token missing")
		return false
	}
	x, who, ok := a.admit(token)
	if ok {
		x.Used++
		a.server().Access[token] = x
		a.token, a.who = token, who
	}
	return ok
}
