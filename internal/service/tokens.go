package service

import (
	"context"
	"errors"
	"time"

	"rekey/internal/access"
	"rekey/internal/api"
	"rekey/internal/estate"
	"rekey/internal/sop"
)

// tokens are those of the server, as the API has them.
type tokens struct{ access *access.Access }

func (t tokens) Create(ctx context.Context, w api.TokenWanted, r *estate.Request) (api.Minted, error) {
	lives, err := length(w.Expires, 0)
	if err != nil {
		return api.Minted{}, err
	}
	made, text, err := t.access.CreateToken(ctx, access.Wanted{Name: w.Name, Only: w.Only, Credentials: w.Credentials, Lives: lives, Roles: w.Roles, Request: access.Request{Key: r.Key, What: r.What}})
	return api.Minted{Token: shown(made), Secret: text}, refused(err)
}

func (t tokens) List(ctx context.Context, revoked bool) ([]api.Token, error) {
	all, err := t.access.ListTokens(ctx, revoked)
	return list(all), refused(err)
}

func (t tokens) Noted() time.Duration { return t.access.Tokens().Noted() }

func (t tokens) Revoke(ctx context.Context, idOrName string) ([]api.Token, error) {
	ended, err := t.access.RevokeTokens(ctx, idOrName)
	return list(ended), refused(err)
}

func (t tokens) Rotate(ctx context.Context, overlap string) (api.Minted, error) {
	long, err := length(overlap, time.Hour)
	if err != nil {
		return api.Minted{}, err
	}
	made, text, err := t.access.RotateToken(ctx, long)
	return api.Minted{Token: shown(made), Secret: text}, refused(err)
}

func length(text string, otherwise time.Duration) (time.Duration, error) {
	if text == "" {
		return otherwise, nil
	}
	d, err := sop.ParseDuration(text)
	if err != nil {
		return 0, &estate.Error{Code: api.TokenRefused, Err: errors.New("expected a duration such as 30d or 1h")}
	}
	return d, nil
}

func refused(err error) error {
	if wrong, is := errors.AsType[*access.Wrong](err); is {
		code := api.TokenRefused
		if wrong.Taken {
			code = api.TokenTaken
		}
		return &estate.Error{Code: code, Err: wrong}
	}
	return err
}

func list(all []access.Token) []api.Token {
	out := make([]api.Token, 0, len(all))
	for _, t := range all {
		out = append(out, shown(t))
	}
	return out
}

func shown(t access.Token) api.Token {
	return api.Token{ID: t.ID, Name: t.Name, Fingerprint: t.Fingerprint, Roles: t.Roles, Person: t.Person, Only: t.Only, Credentials: t.Credentials, Made: t.Made, By: t.By, Expires: t.Expires, Used: t.Used, Revoked: t.Revoked, RevokedBy: t.RevokedBy, Successor: t.Successor}
}
