package client

import (
	"context"
	"errors"
	"fmt"

	"rekey/internal/api"
	"rekey/internal/estate"
)

// What goes in and comes out, for who knows the client only.
type (
	Token       = api.Token
	TokenWanted = api.TokenWanted
)

// CreateToken makes a token at the server, once, and asks again under the same name where
// the answer was lost. Its text is shown once: where that was lost with the answer, the
// error says which token it was.
func (c *Client) CreateToken(ctx context.Context, w api.TokenWanted) (out api.Minted, err error) {
	if err = c.once(ctx, "createToken", "", w, &out); err != nil {
		return out, unheard(err)
	}
	if out.Secret == "" {
		return out, &estate.Error{Code: estate.Failed, Err: fmt.Errorf("the token %s of %s was created, but its text was lost with the first answer: nobody has it", out.ID, out.Name), Advice: []string{"rekey token revoke " + out.ID}}
	}
	return out, nil
}

// Tokens returns all tokens of the server.
func (c *Client) Tokens(ctx context.Context) ([]api.Token, error) {
	var out api.TokenList
	err := c.look(ctx, asking{id: "listTokens"}, &out)
	return out.Tokens, err
}

// RevokeTokens ends tokens, by id or by name.
func (c *Client) RevokeTokens(ctx context.Context, idOrName string) ([]api.Token, error) {
	var out api.TokenList
	err := unheard(c.look(ctx, asking{id: "revokeToken", body: api.WhichToken{Token: idOrName}}, &out))
	return out.Tokens, err
}

// RotateToken makes the successor of the token that the client asks with.
func (c *Client) RotateToken(ctx context.Context, overlap string) (out api.Minted, err error) {
	err = unheard(c.look(ctx, asking{id: "rotateToken", body: api.Overlapping{Overlap: overlap}}, &out))
	return out, err
}

// unheard advises what to do where the answer did not come: what was made is not shown
// again.
func unheard(err error) error {
	if e, is := errors.AsType[*estate.Error](err); is && len(e.Advice) > 0 {
		e.Advice = []string{"rekey token list"}
	}
	return err
}
