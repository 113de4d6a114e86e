package access

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rekey/internal/estate"
	"rekey/internal/identity"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Wrong means that what was asked for cannot be done as it was asked.
type Wrong struct {
	Why string
	// Taken: there is a live token of this name, which may be what this very request has
	// made, had something on the way sent it twice. Everything else is so whatever was
	// sent before.
	Taken bool
}

func (w *Wrong) Error() string { return w.Why }

// Tokens are the tokens of Rekey's own, for whoever administers them: the server for
// its callers, and the command line where the journal is at hand.
type Tokens struct {
	*store
	config *sop.Config
	random func(n int) (string, error)
}

// Tokens are those of this server.
func (a *Access) Tokens() *Tokens {
	return &Tokens{store: a.store, config: a.rules().config, random: func(n int) (string, error) { return chance(a.Random, n) }}
}

// Create makes a token and returns its text, which is nowhere else: only its hash is
// kept. Nobody makes one that could do what he cannot. Of a name there is one live token
// that was made, however many ask at once.
//
// Where the request has a key, the same request makes none again: it returns the token that
// it has made, and no text.
//
// Errors: *Wrong, *estate.Error with NoRole or OtherRequest, or the database's own.
func (t *Tokens) Create(ctx context.Context, by rotation.Who, w Wanted) (made Token, secret string, err error) {
	if err := w.wrongly(); err != nil {
		return Token{}, "", &Wrong{Why: err.Error()}
	}
	id := t.config.Identity
	if err := t.may(by, Token{Name: w.Name}); err != nil {
		return Token{}, "", err
	}
	if w.Lives == 0 {
		w.Lives = defaultLife
	}
	now := t.now().UTC()
	made = Token{Name: w.Name, Only: w.Only, Credentials: w.Credentials, Made: now, By: by.Name, Expires: now.Add(w.Lives)}
	holder := made.holder(id)
	if err := t.outreached(by, holder); err != nil {
		return Token{}, "", err
	}
	if made.Roles = holder.Roles; len(w.Roles) > 0 && !slices.Equal(slices.Sorted(slices.Values(w.Roles)), holder.Roles) {
		return Token{}, "", &Wrong{Why: fmt.Sprintf("by rekey.yaml the name %s has the roles [%s], and not [%s]", w.Name, strings.Join(holder.Roles, " "), strings.Join(w.Roles, " "))}
	}
	if again, done, err := t.again(ctx, by, w); done || err != nil {
		return again, "", err
	}
	all, err := t.tokens(ctx, "", false)
	if err != nil {
		return Token{}, "", err
	}
	for _, other := range all {
		if other.Name == w.Name && !other.Person && other.Live(now) {
			return t.taken(ctx, by, w, fmt.Sprintf("there is a token of this name already (%s): rotate it, or revoke it first", other.ID))
		}
	}
	if secret, err = t.name(&made); err != nil {
		return Token{}, "", err
	}
	there, err := t.putNew(ctx, made, secret, w.Request)
	switch {
	case err != nil:
		return Token{}, "", err
	case there:
		return made, secret, nil
	}
	return t.taken(ctx, by, w, "a token of this name was made at the same time: rotate it, or revoke it first")
}

// taken refuses a name that another token has, unless that is what this very request has
// made, sent twice at once.
func (t *Tokens) taken(ctx context.Context, by rotation.Who, w Wanted, why string) (Token, string, error) {
	if again, done, err := t.again(ctx, by, w); done || err != nil {
		return again, "", err
	}
	return Token{}, "", &Wrong{Taken: true, Why: why}
}

// again is the token that a request has made before, as it is now, without its text: that
// was shown once, and is kept nowhere.
func (t *Tokens) again(ctx context.Context, by rotation.Who, w Wanted) (_ Token, done bool, err error) {
	if w.Request.Key == "" {
		return Token{}, false, nil
	}
	made, what, err := t.madeFor(ctx, w.Request)
	switch {
	case errors.Is(err, errAbsent):
		return Token{}, false, nil
	case err != nil:
		return Token{}, false, err
	case what != w.Request.What:
		return Token{}, true, &estate.Error{Code: estate.OtherRequest, Err: errors.New("this idempotency key was used for another request; a new request needs a new key")}
	}
	made.Roles = made.holder(t.config.Identity).Roles
	return made, true, t.may(by, made)
}

// putNew keeps a token that is to be the live one of its name; false: there is another.
func (t *Tokens) putNew(ctx context.Context, made Token, secret string, request Request) (there bool, err error) {
	err = t.together(ctx, func(tx *sql.Tx) error {
		// A name is free again once the one that has it has expired, and a key once nobody asks
		// again any more.
		if _, err := tx.ExecContext(ctx, `UPDATE access_tokens SET held = '' WHERE held = $1 AND expires <= $2`, made.Name, ms(t.now())); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE access_tokens SET asked = '' WHERE asked = $1 AND asked <> '' AND made <= $2`, request.Key, ms(t.now().Add(-estate.RequestKept))); err != nil {
			return err
		}
		there, err = t.putToken(ctx, tx, made, hashed(secret), true, request)
		return err
	})
	return there, err
}

// together does something in one transaction.
func (s *store) together(ctx context.Context, do func(tx *sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// put names a token and keeps it, beside others of its name.
func (t *Tokens) put(ctx context.Context, made *Token) (secret string, err error) {
	if secret, err = t.name(made); err != nil {
		return "", err
	}
	_, err = t.putToken(ctx, t.db, *made, hashed(secret), false, Request{})
	return secret, err
}

// name gives a token an id and a text.
func (t *Tokens) name(made *Token) (secret string, err error) {
	text, err := t.random(tokenChance)
	if err != nil {
		return "", err
	}
	id, err := t.random(10)
	if err != nil {
		return "", err
	}
	secret = tokenPrefix + text
	secret += checksum(secret)
	made.ID, made.Fingerprint = strings.ToLower(id), fingerprint(hashed(secret))
	return secret, nil
}

// may returns nil where somebody may make, see and end a token. Where what he may is
// limited to some credentials, those are names of tokens: nightly-* are all generations
// of one. A token of a person's command line is of no such name.
func (t *Tokens) may(by rotation.Who, x Token) error {
	if x.Person {
		return Can(t.config.Identity, by, sop.OpTokens, nil)
	}
	return Can(t.config.Identity, by, sop.OpTokens, &sop.Spec{Name: x.Name})
}

// outreached refuses a token that could do what its maker cannot.
func (t *Tokens) outreached(by, holder rotation.Who) error {
	id := t.config.Identity
	specs := []*sop.Spec{nil}
	for i := range t.config.Specs {
		specs = append(specs, &t.config.Specs[i])
	}
	for _, f := range identity.Families(id, holder.On...) {
		specs = append(specs, &f)
	}
	for _, right := range sop.Rights() {
		for _, op := range right.Ops {
			for _, spec := range specs {
				if Can(id, holder, op, spec) == nil && Can(id, by, op, spec) != nil {
					about := "all credentials"
					if spec != nil {
						about = identity.Pattern(spec.Name)
					}
					return &estate.Error{Code: estate.NoRole, Who: &by, Err: fmt.Errorf("this token could %s (%s), and %s may not", op, about, by.Name)}
				}
			}
		}
	}
	return nil
}

// List returns all tokens that somebody may make and end, those that are over too, newest
// first. Errors: NoRole.
func (t *Tokens) List(ctx context.Context, by rotation.Who) ([]Token, error) {
	return t.list(ctx, by, true)
}

// list leaves those that were revoked out where they are not wanted: after years of
// rotations they are all but a few.
func (t *Tokens) list(ctx context.Context, by rotation.Who, revoked bool) (out []Token, err error) {
	none := Can(t.config.Identity, by, sop.OpTokens, nil)
	for _, f := range identity.Families(t.config.Identity, by.On...) {
		if none != nil && Can(t.config.Identity, by, sop.OpTokens, &f) == nil {
			none = nil
		}
	}
	if none != nil {
		return nil, none
	}
	all, err := t.tokens(ctx, "", revoked)
	for _, x := range all {
		if t.may(by, x) != nil {
			continue
		}
		if !x.Person {
			x.Roles = x.holder(t.config.Identity).Roles
		}
		out = append(out, x)
	}
	return out, err
}

// Noted is how long after Token.Used it may have been used again without a note of it.
func (t *Tokens) Noted() time.Duration { return t.noted() }

// Revoke ends tokens, by id or by name (then all live ones of that name), at once.
// Revoking one that is over already changes nothing. Errors: NoRole, *Wrong (there is
// none).
func (t *Tokens) Revoke(ctx context.Context, by rotation.Who, idOrName string) ([]Token, error) {
	all, err := t.List(ctx, by)
	if err != nil {
		return nil, err
	}
	var ended []Token
	for _, x := range all {
		if x.ID != idOrName && (x.Name != idOrName || !x.Live(t.now())) {
			continue
		}
		if err := t.revoke(ctx, x.ID, by.Name); err != nil {
			return ended, err
		}
		ended = append(ended, x)
	}
	if len(ended) == 0 {
		return nil, &Wrong{Why: "there is no token with this id, and no live one of this name"}
	}
	return ended, nil
}

func (t *Tokens) revoke(ctx context.Context, id, by string) error {
	_, err := t.changed(ctx, `UPDATE access_tokens SET revoked = $1, revoked_by = $2, held = '' WHERE id = $3 AND revoked = 0`, ms(t.now()), by, id)
	return err
}
