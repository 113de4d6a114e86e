package access

import (
	"context"
	"time"
)

// What callers ask for of tokens. Each refuses whoever may not (NoRole, NotIdentified), and
// making one wants a fresh sign-in (NotFresh); *Wrong: it cannot be done as it was asked.

// CreateToken is Tokens.Create for whoever asks.
func (a *Access) CreateToken(ctx context.Context, w Wanted) (made Token, text string, err error) {
	c := from(ctx)
	if c == nil {
		return Token{}, "", errNobody()
	}
	if err := a.Fresh(ctx); err != nil {
		return Token{}, "", err
	}
	if made, text, err = a.Tokens().Create(ctx, c.who, w); text != "" {
		a.noteMade(ctx, made, c, err)
	}
	return made, text, err
}

// ListTokens is Tokens.List for whoever asks. revoked: also those that were.
func (a *Access) ListTokens(ctx context.Context, revoked bool) ([]Token, error) {
	c := from(ctx)
	if c == nil {
		return nil, errNobody()
	}
	return a.Tokens().list(ctx, c.who, revoked)
}

// RevokeTokens is Tokens.Revoke for whoever asks; a token ends itself without any right.
func (a *Access) RevokeTokens(ctx context.Context, idOrName string) (ended []Token, err error) {
	c := from(ctx)
	switch {
	case c == nil:
		return nil, errNobody()
	case c.token != nil && c.token.ID == idOrName:
		ended, err = []Token{*c.token}, a.Tokens().revoke(ctx, idOrName, c.who.Name)
	default:
		ended, err = a.Tokens().Revoke(ctx, c.who, idOrName)
	}
	a.lookAgain()
	for _, t := range ended {
		a.Log.InfoContext(ctx, "a token was revoked", "token", t.ID, "name", t.Name, "by", c.who.Name)
	}
	return ended, err
}

// RotateToken is Tokens.Rotate of the token that asks.
func (a *Access) RotateToken(ctx context.Context, overlap time.Duration) (made Token, text string, err error) {
	c := from(ctx)
	switch {
	case c == nil:
		return Token{}, "", errNobody()
	case c.token == nil:
		return Token{}, "", &Wrong{Why: "a token rotates itself: send the request with the token that is to be rotated"}
	}
	made, text, err = a.Tokens().Rotate(ctx, *c.token, overlap)
	a.lookAgain()
	a.noteMade(ctx, made, c, err)
	return made, text, err
}

func (a *Access) noteMade(ctx context.Context, made Token, c *caller, err error) {
	if err == nil {
		a.Log.InfoContext(ctx, "a token was made", "token", made.ID, "name", made.Name, "by", c.who.Name, "expires", made.Expires)
	}
}
