package logins

import (
	"context"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// Create is Issuer.Create of an issuer whose secrets we make.
func Create(ctx context.Context, i provider.Maker, name string) (cred.Handle, secret.Bundle, error) {
	b, err := i.Make(name)
	if err != nil {
		return cred.Handle{}, nil, err
	}
	h, err := i.CreateWith(ctx, name, b)
	if err != nil {
		return cred.Handle{}, nil, err
	}
	return h, b, nil
}

// Roll is Roller.Roll of an issuer whose secrets we make.
func Roll(ctx context.Context, i provider.RollMaker, h cred.Handle, keep time.Time) (cred.Handle, secret.Bundle, error) {
	b, err := i.Make(h.Name)
	if err != nil {
		return cred.Handle{}, nil, err
	}
	if h, err = i.RollWith(ctx, h, keep, b); err != nil {
		return cred.Handle{}, nil, err
	}
	return h, b, nil
}

// InPlace is the half of an issuer that makes no login, and gives one another password.
type InPlace struct {
	Refusal error // of making one
}

// Create is not what this kind does.
func (p InPlace) Create(context.Context, string) (cred.Handle, secret.Bundle, error) {
	return cred.Handle{}, nil, p.Refusal
}

// CreateWith is not what this kind does.
func (p InPlace) CreateWith(context.Context, string, secret.Bundle) (cred.Handle, error) {
	return cred.Handle{}, p.Refusal
}

// Sheet is what the kinds of logins have in common; special says what one has for itself.
func Sheet(kind string, settings any, end string, special func(*provider.Sheet)) provider.Sheet {
	s := provider.Sheet{
		Kind: kind, Settings: settings, End: end,
		Fields:   []string{FieldUsername, FieldPassword},
		Optional: []string{FieldHost, FieldPort, FieldDatabase},
		Public:   []string{FieldUsername, FieldHost, FieldPort, FieldDatabase},
		Disable:  true,
		LastSeen: true, // sessions that are open now
		Verifies: true,
	}
	special(&s)
	return s
}
