package access

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"rekey/internal/identity"
	"rekey/internal/journal"
)

// migrations of the tables. What is secret stands there as its SHA-256 only: each is of
// 200 bits of chance or more, so nobody can try them all. Times are milliseconds since
// 1970. held is the name of the one token that is the live one of that name; asked is the
// key of the request that made it; ends is until when a token is good that has a
// successor, once that was used.
func migrations() []journal.Migration {
	return []journal.Migration{{SQLite: `
CREATE TABLE access_tokens (
	id          TEXT PRIMARY KEY,
	hash        TEXT NOT NULL UNIQUE,
	name        TEXT NOT NULL,
	subject     TEXT NOT NULL,
	only_for    TEXT NOT NULL,
	on_these    TEXT NOT NULL,
	claims      TEXT NOT NULL,
	gate        BIGINT NOT NULL,
	signed_in   BIGINT NOT NULL,
	made        BIGINT NOT NULL,
	made_by     TEXT NOT NULL,
	expires     BIGINT NOT NULL,
	used        BIGINT NOT NULL,
	revoked     BIGINT NOT NULL,
	revoked_by  TEXT NOT NULL,
	successor   TEXT NOT NULL
);
CREATE TABLE access_sessions (
	hash      TEXT PRIMARY KEY,
	subject   TEXT NOT NULL,
	claims    TEXT NOT NULL,
	signed_in BIGINT NOT NULL,
	made      BIGINT NOT NULL,
	seen      BIGINT NOT NULL,
	expires   BIGINT NOT NULL
);
CREATE INDEX access_sessions_of ON access_sessions (subject);
CREATE TABLE access_attempts (
	hash    TEXT PRIMARY KEY,
	back    TEXT NOT NULL,
	fresh   BIGINT NOT NULL,
	expires BIGINT NOT NULL
);
CREATE TABLE access_codes (
	hash      TEXT PRIMARY KEY,
	challenge TEXT NOT NULL,
	subject   TEXT NOT NULL,
	claims    TEXT NOT NULL,
	signed_in BIGINT NOT NULL,
	expires   BIGINT NOT NULL,
	lives     BIGINT NOT NULL
);
`}, {SQLite: `
ALTER TABLE access_tokens ADD COLUMN held TEXT NOT NULL DEFAULT '';
ALTER TABLE access_tokens ADD COLUMN asked TEXT NOT NULL DEFAULT '';
ALTER TABLE access_tokens ADD COLUMN asked_for TEXT NOT NULL DEFAULT '';
UPDATE access_tokens SET held = name WHERE subject = '' AND revoked = 0 AND successor = '' AND NOT EXISTS (
	SELECT 1 FROM access_tokens newer WHERE newer.subject = '' AND newer.name = access_tokens.name AND newer.revoked = 0 AND newer.successor = ''
	AND (newer.made > access_tokens.made OR newer.made = access_tokens.made AND newer.id > access_tokens.id));
CREATE UNIQUE INDEX access_tokens_held ON access_tokens (held) WHERE held <> '';
CREATE UNIQUE INDEX access_tokens_asked ON access_tokens (asked) WHERE asked <> '';
`, Breaks: true}, // an older version would make a second token of a name
		// and it would let one live on whose successor is in use
		{SQLite: `ALTER TABLE access_tokens ADD COLUMN ends BIGINT NOT NULL DEFAULT 0;`, Breaks: true}}
}

// Carried are the tables that go with the journal when it is moved: the tokens. Sessions
// do not; people sign in again.
func Carried() []journal.Further {
	return []journal.Further{{Name: "access", Migrations: migrations(), Tables: []string{"access_tokens"}}}
}

// store keeps tokens and sessions.
type store struct {
	db    *sql.DB
	now   func() time.Time
	every time.Duration // Options.Noted
}

// noted is how often at most the use of a token is noted: not each one is a write.
func (s *store) noted() time.Duration {
	if s.every == 0 {
		return notedEvery
	}
	return s.every
}

// errAbsent means that there is nothing of the kind, or not any more.
var errAbsent = errors.New("there is none")

// hashed is how something secret is kept.
func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func at(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	return string(b)
}

func claimsOf(s string) (c identity.Claims) {
	_ = json.Unmarshal([]byte(s), &c)
	return c
}

// changed carries out a statement and tells how many rows it changed.
func (s *store) changed(ctx context.Context, statement string, args ...any) (int64, error) {
	r, err := s.db.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// session is one browser of somebody who signed in.
type session struct {
	hash, subject                 string
	claims                        identity.Claims
	signedIn, made, seen, expires time.Time
}

func (s *store) putSession(ctx context.Context, x session) error {
	_, err := s.changed(ctx, `INSERT INTO access_sessions (hash, subject, claims, signed_in, made, seen, expires) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		x.hash, x.subject, text(x.claims), ms(x.signedIn), ms(x.made), ms(x.seen), ms(x.expires))
	return err
}

// session finds one that is neither over nor idle for too long.
func (s *store) session(ctx context.Context, hash string, idle time.Duration) (x session, err error) {
	var claims string
	var signedIn, made, seen, expires int64
	x.hash = hash
	err = s.db.QueryRowContext(ctx, `SELECT subject, claims, signed_in, made, seen, expires FROM access_sessions WHERE hash = $1`, hash).
		Scan(&x.subject, &claims, &signedIn, &made, &seen, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return x, errAbsent
	}
	if err != nil {
		return x, err
	}
	x.claims, x.signedIn, x.made, x.seen, x.expires = claimsOf(claims), at(signedIn), at(made), at(seen), at(expires)
	now := s.now()
	if !now.Before(x.expires) || now.Sub(x.seen) > idle {
		_, err := s.changed(ctx, `DELETE FROM access_sessions WHERE hash = $1`, hash)
		return x, errors.Join(errAbsent, err)
	}
	if now.Sub(x.seen) > time.Minute { // it need not be exact, and a page asks often
		if _, err := s.changed(ctx, `UPDATE access_sessions SET seen = $1 WHERE hash = $2`, ms(now), hash); err != nil {
			return x, err
		}
	}
	return x, nil
}

func (s *store) sessions(ctx context.Context, subject string) (out []session, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT hash, subject, claims, signed_in, made, seen, expires FROM access_sessions WHERE (subject = $1 OR $1 = '') AND expires > $2 ORDER BY made`, subject, ms(s.now()))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var x session
		var claims string
		var signedIn, made, seen, expires int64
		if err := rows.Scan(&x.hash, &x.subject, &claims, &signedIn, &made, &seen, &expires); err != nil {
			return nil, err
		}
		x.claims, x.signedIn, x.made, x.seen, x.expires = claimsOf(claims), at(signedIn), at(made), at(seen), at(expires)
		out = append(out, x)
	}
	return out, rows.Err()
}

func (s *store) endSession(ctx context.Context, hash string) error {
	_, err := s.changed(ctx, `DELETE FROM access_sessions WHERE hash = $1`, hash)
	return err
}

// endAll ends everything that a person has come in by, and could come in by next.
func (s *store) endAll(ctx context.Context, subject, by string) error {
	_, err1 := s.changed(ctx, `DELETE FROM access_sessions WHERE subject = $1`, subject)
	_, err2 := s.changed(ctx, `DELETE FROM access_codes WHERE subject = $1`, subject)
	_, err3 := s.changed(ctx, `UPDATE access_tokens SET revoked = $1, revoked_by = $2 WHERE subject = $3 AND revoked = 0`, ms(s.now()), by, subject)
	return errors.Join(err1, err2, err3)
}

// sweep forgets what is over.
func (s *store) sweep(ctx context.Context) error {
	now := ms(s.now())
	_, err1 := s.changed(ctx, `DELETE FROM access_attempts WHERE expires <= $1`, now)
	_, err2 := s.changed(ctx, `DELETE FROM access_codes WHERE expires <= $1`, now)
	_, err3 := s.changed(ctx, `DELETE FROM access_sessions WHERE expires <= $1`, now)
	return errors.Join(err1, err2, err3)
}
