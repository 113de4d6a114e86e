package access

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"rekey/internal/approvals"
	"rekey/internal/estate"
	"rekey/internal/identity"
	"rekey/internal/rotation"
	"rekey/internal/sop"
	"rekey/internal/visible"
)

// A token is rekey_, 40 characters of chance (238 bits) and 6 of a checksum over what
// stands before them, so that whoever scans for leaked ones recognises one without
// asking: rekey_[0-9A-Za-z]{46}. The checksum is CRC-32, in base 62, as GitHub does it.
const (
	tokenPrefix = "rekey_"
	tokenChance = 40
	tokenSum    = 6
	base62      = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

const (
	// defaultLife and longestLife are how long a token lives.
	defaultLife = 90 * 24 * time.Hour
	longestLife = 366 * 24 * time.Hour
	// longestOverlap is how long at most a token lives on after it was rotated.
	longestOverlap = 7 * 24 * time.Hour
	// notedEvery is how often at most the use of a token is noted.
	notedEvery = time.Minute
)

// Token is a token of Rekey's own, without its secret.
type Token struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Fingerprint is the first 16 hex digits of the SHA-256 of its text: whoever holds a
	// text finds out which token it is, without using it.
	Fingerprint string `json:"fingerprint"`
	// Roles are those that rekey.yaml gives its name now.
	Roles []string `json:"roles,omitempty"`
	// Person: it was made for the command line of somebody who signed in, and acts as him.
	Person bool `json:"person,omitempty"`
	// Only: what it may be used for, in the words of sop.Means; none: everything its name may do.
	Only []string `json:"only,omitempty"`
	// Credentials: which ones it is for; a * at the end stands for anything; none: all.
	Credentials []string  `json:"credentials,omitempty"`
	Made        time.Time `json:"made"`
	By          string    `json:"made_by"`
	Expires     time.Time `json:"expires"`
	Used        time.Time `json:"last_used,omitzero"` // a use within Tokens.Noted after it is not noted
	Revoked     time.Time `json:"revoked,omitzero"`
	RevokedBy   string    `json:"revoked_by,omitempty"`
	Successor   string    `json:"successor,omitempty"` // id of the one that it was rotated to

	subject  string
	claims   identity.Claims
	gate     bool
	signedIn time.Time
}

// Live reports whether it is worth something.
func (t Token) Live(now time.Time) bool { return t.Revoked.IsZero() && now.Before(t.Expires) }

// Request names what somebody asks for who may have to ask again. Key is his own and the
// name that he gave it; "": it has none. What is everything that he asked for.
type Request struct{ Key, What string }

// Minted is a new token with its text, which is shown this once.
type Minted struct {
	Token
	Secret string `json:"secret"`
}

// Wanted is what somebody wants of a new token.
type Wanted struct {
	Name        string        `json:"name"`
	Only        []string      `json:"only,omitempty"`
	Credentials []string      `json:"credentials,omitempty"`
	Lives       time.Duration `json:"lives,omitempty"` // 0: 90 days; at most 366
	// Request: it is made once for this one.
	Request Request `json:"-"`
	// Roles that rekey.yaml has to give this name, these and no others; none: it is not looked at.
	Roles []string `json:"roles,omitempty"`
}

// chance returns n characters of base 62, each as likely as the others.
func chance(random io.Reader, n int) (string, error) {
	out := make([]byte, 0, n)
	buf := make([]byte, n)
	for len(out) < n {
		if _, err := io.ReadFull(random, buf); err != nil {
			return "", errors.New("the system gives no randomness")
		}
		for _, b := range buf {
			if b < 248 && len(out) < n { // 4 × 62: the rest would favour some
				out = append(out, base62[b%62])
			}
		}
	}
	return string(out), nil
}

// checksum is what stands at the end of a token.
func checksum(s string) string {
	out := make([]byte, tokenSum)
	sum := crc32.ChecksumIEEE([]byte(s))
	for i := range slices.Backward(out) {
		out[i] = base62[sum%62]
		sum /= 62
	}
	return string(out)
}

// oursLooks reports whether a text has the form of a token of ours, by which it is told
// from a platform's. formed: its checksum is right too.
func oursLooks(s string) (ours, formed bool) {
	rest, ours := strings.CutPrefix(s, tokenPrefix)
	if !ours || len(rest) != tokenChance+tokenSum {
		return ours, false
	}
	head, sum := s[:len(s)-tokenSum], s[len(s)-tokenSum:]
	return true, subtle.ConstantTimeCompare([]byte(checksum(head)), []byte(sum)) == 1
}

const tokenColumns = `id, hash, name, subject, only_for, on_these, claims, gate, signed_in, made, made_by, expires, used, revoked, revoked_by, successor`

type scanner interface{ Scan(...any) error }

func scanToken(row scanner) (t Token, hash string, err error) {
	var only, on, claims string
	var gate, signedIn, made, expires, used, revoked int64
	err = row.Scan(&t.ID, &hash, &t.Name, &t.subject, &only, &on, &claims, &gate, &signedIn, &made, &t.By, &expires, &used, &revoked, &t.RevokedBy, &t.Successor)
	if err != nil {
		return t, "", err
	}
	t.Only, t.Credentials = words(only), words(on)
	t.claims, t.gate, t.Person = claimsOf(claims), gate != 0, t.subject != ""
	t.Fingerprint = fingerprint(hash)
	t.signedIn, t.Made, t.Expires, t.Used, t.Revoked = at(signedIn), at(made), at(expires), at(used), at(revoked)
	return t, hash, nil
}

// fingerprint is the part of a hash that is shown.
func fingerprint(hash string) string { return hash[:min(16, len(hash))] }

// words are kept with a space between them: none of them has one.
func words(s string) []string { return strings.Fields(s) }

// execer is the database, or a transaction of it.
type execer interface {
	ExecContext(ctx context.Context, statement string, args ...any) (sql.Result, error)
}

// putToken keeps a token; false: there is one that holds this name, or that was made for
// this request. held: it is to be the live one of its name.
func (s *store) putToken(ctx context.Context, to execer, t Token, hash string, held bool, request Request) (bool, error) {
	gate, name := 0, ""
	if t.gate {
		gate = 1
	}
	if held {
		name = t.Name
	}
	r, err := to.ExecContext(ctx, `INSERT INTO access_tokens (`+tokenColumns+`, held, asked, asked_for) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, 0, '', '', $13, $14, $15) ON CONFLICT DO NOTHING`,
		t.ID, hash, t.Name, t.subject, strings.Join(t.Only, " "), strings.Join(t.Credentials, " "), text(t.claims), gate, ms(t.signedIn), ms(t.Made), t.By, ms(t.Expires), name, request.Key, request.What)
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n == 1, err
}

// madeFor is the token that a request has made; errAbsent: none, or too long ago.
func (s *store) madeFor(ctx context.Context, request Request) (t Token, what string, err error) {
	var id string
	err = s.db.QueryRowContext(ctx, `SELECT id, asked_for FROM access_tokens WHERE asked = $1 AND asked <> '' AND made > $2`, request.Key, ms(s.now().Add(-estate.RequestKept))).Scan(&id, &what)
	if errors.Is(err, sql.ErrNoRows) {
		return t, "", errAbsent
	}
	if err != nil {
		return t, "", err
	}
	t, _, err = scanToken(s.db.QueryRowContext(ctx, `SELECT `+tokenColumns+` FROM access_tokens WHERE id = $1`, id))
	return t, what, err
}

// tokenOf finds a token by its text, and notes that it was used.
func (s *store) tokenOf(ctx context.Context, secret string) (Token, error) {
	want := hashed(secret)
	t, hash, err := scanToken(s.db.QueryRowContext(ctx, `SELECT `+tokenColumns+` FROM access_tokens WHERE hash = $1`, want))
	switch {
	case errors.Is(err, sql.ErrNoRows), err == nil && subtle.ConstantTimeCompare([]byte(hash), []byte(want)) != 1:
		return Token{}, errAbsent
	case err != nil:
		return Token{}, err
	}
	if now := s.now(); t.Live(now) && now.Sub(t.Used) > s.noted() {
		// Whoever has this one needs the one before it no longer.
		if _, err := s.changed(ctx, `UPDATE access_tokens SET expires = ends WHERE successor = $1 AND ends <> 0 AND ends < expires`, t.ID); err != nil {
			return Token{}, err
		}
		if _, err := s.changed(ctx, `UPDATE access_tokens SET used = $1 WHERE id = $2`, ms(now), t.ID); err != nil {
			return Token{}, err
		}
	}
	return t, nil
}

// tokens lists them, newest first. subject: those of one person; "": all. revoked: also
// those that were.
func (s *store) tokens(ctx context.Context, subject string, revoked bool) (out []Token, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT `+tokenColumns+` FROM access_tokens WHERE (subject = $1 OR $1 = '') AND (revoked = 0 OR $2) ORDER BY made DESC, id`, subject, revoked)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		t, _, err := scanToken(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, rows.Err()
}

// tokenNames are letters, digits and what stands between them: a name is given a role
// in rekey.yaml, where a * would mean something else.
var tokenNames = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@/-]{0,79}$`)

// credentialPatterns are names of credentials, with or without a * at the end.
var credentialPatterns = regexp.MustCompile(`^[A-Za-z0-9_.-]{0,200}\*?$`)

// wrongly says what is wrong with what is wanted of a token; nil: nothing.
func (w Wanted) wrongly() error {
	if !tokenNames.MatchString(w.Name) {
		return errors.New("a token needs a name of up to 80 letters, digits and . _ @ / -")
	}
	for _, word := range w.Only {
		if sop.Means(word) == nil {
			return fmt.Errorf("%q is not something that a token can be limited to; possible are %s", word, strings.Join(sop.Words(), ", "))
		}
	}
	for _, c := range w.Credentials {
		if c == "" || !credentialPatterns.MatchString(c) {
			return fmt.Errorf("%q is not the name of a credential, with or without a * at the end", c)
		}
	}
	if w.Lives < 0 || w.Lives > longestLife {
		return fmt.Errorf("a token lives for at most %d days", int(longestLife.Hours()/24))
	}
	return nil
}

// holder is who comes with a token of a machine.
func (t Token) holder(id *sop.Identity) rotation.Who {
	who := identity.Holder(id, t.Name, t.ID)
	who.Only, who.On = t.Only, t.Credentials
	if t.By != "" {
		who.Claims[approvals.MadeBy] = visible.Text(t.By)
	}
	return who
}
