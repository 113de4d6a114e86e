package access

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Rotate makes a successor of a token: the same name, the same limits, as long a life.
// The old one stays good for the overlap (at most 7 days, and not beyond its own end), and
// until the successor was used: the answer may be lost, or whoever asked may die before he
// has kept what it says, and then the old one is all he has.
// It is done by the token itself, so that whoever holds it needs no other right.
//
// Whoever did not get the answer asks again: a successor that nobody has used is
// revoked then. Once it was used, the old one makes no other, so that one that was
// stolen cannot outlive the theft unseen.
//
// Errors: *Wrong.
func (t *Tokens) Rotate(ctx context.Context, old Token, overlap time.Duration) (made Token, secret string, err error) {
	now := t.now().UTC()
	switch {
	case old.Person:
		return Token{}, "", &Wrong{Why: "the command line gets its token by signing in: rekey login"}
	case overlap < 0 || overlap > longestOverlap:
		return Token{}, "", &Wrong{Why: "the old token stays good for at most 7 days"}
	case !old.Live(now):
		return Token{}, "", &Wrong{Why: "this token has ended"}
	}
	made = Token{Name: old.Name, Only: old.Only, Credentials: old.Credentials, Made: now, By: "token " + old.ID, Expires: now.Add(old.Expires.Sub(old.Made))}
	if old.Successor != "" {
		before, _, err := scanToken(t.db.QueryRowContext(ctx, `SELECT `+tokenColumns+` FROM access_tokens WHERE id = $1`, old.Successor))
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return Token{}, "", err
		case !before.Used.IsZero():
			return Token{}, "", errUsed()
		default:
			made.Expires = before.Expires // asking again makes nothing live longer
		}
	}
	made.Roles = made.holder(t.config.Identity).Roles
	if secret, err = t.name(&made); err != nil {
		return Token{}, "", err
	}
	if err := t.succeed(ctx, old, made, hashed(secret), overlap); err != nil {
		return Token{}, "", err
	}
	return made, secret, nil
}

func errUsed() error {
	return &Wrong{Why: "this token was rotated already, and its successor is in use: use that, or have the token revoked"}
}

// succeed puts a token in the place of another, and of the successor that nobody has used:
// all of it or nothing.
func (t *Tokens) succeed(ctx context.Context, old, made Token, hash string, overlap time.Duration) error {
	end := made.Made.Add(overlap)
	if old.Expires.Before(end) {
		end = old.Expires
	}
	return t.together(ctx, func(tx *sql.Tx) error {
		changed := func(statement string, args ...any) (n int64, err error) {
			r, err := tx.ExecContext(ctx, statement, args...)
			if err != nil {
				return 0, err
			}
			return r.RowsAffected()
		}
		n, err := changed(`UPDATE access_tokens SET successor = $1, ends = $2, held = '' WHERE id = $3 AND revoked = 0 AND successor = $4`, made.ID, ms(end), old.ID, old.Successor)
		switch {
		case err != nil:
			return err
		case n == 0:
			return &Wrong{Why: "this token was rotated or revoked at the same time"}
		}
		if old.Successor != "" {
			if n, err = changed(`UPDATE access_tokens SET revoked = CASE WHEN revoked = 0 THEN $1 ELSE revoked END, revoked_by = $2, held = '' WHERE id = $3 AND used = 0`, ms(made.Made), made.By, old.Successor); err == nil && n == 0 {
				err = errUsed()
			}
			if err != nil {
				return err
			}
		}
		// Two of one name may be left of a time when nothing kept that from being made: then it
		// is the live one of its name beside another.
		for _, held := range []bool{true, false} {
			there, err := t.putToken(ctx, tx, made, hash, held, Request{})
			if err != nil || there {
				return err
			}
		}
		return errors.New("the token could not be stored")
	})
}
