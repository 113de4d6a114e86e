package redis

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"rekey/internal/cred"
	"rekey/internal/secret"
)

// UserSettings are the settings of users that are made new each time.
type UserSettings struct {
	// The user whose rules a new one gets; best one of its own for this, which is off and has no password.
	Like string `json:"like" jsonschema:"required,minLength=1"`
}

// users makes a new ACL user each time, with the rules of a pattern, and deletes the
// one before: name and password change together.
type users struct {
	*proof
	like string
}

func (s *Server) users(settings json.RawMessage) (*users, error) {
	var set UserSettings
	if err := json.Unmarshal(settings, &set); err != nil {
		return nil, err
	}
	if why := s.fits(set.Like); why != "" {
		return nil, errors.New("like: " + why)
	}
	return &users{&proof{Server: s, like: set.Like}, set.Like}, nil
}

// Calls tells the commands that change something.
func (u *users) Calls() map[string]string {
	return map[string]string{"create": "ACL SETUSER … (rules of " + u.like + ")", "delete": "ACL DELUSER {id}", "disable": "ACL SETUSER {id} off"}
}

// List returns every user but default, the pattern and the one that Rekey uses.
func (u *users) List(ctx context.Context) ([]cred.Handle, error) {
	out := []cred.Handle{}
	err := u.look(ctx, "list users", func(c *conn) error {
		all, err := c.list()
		for _, e := range all {
			if !slices.Contains([]string{"default", u.like, u.user}, e.name) {
				out = append(out, e.handle())
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Find reads the list again, which is never late.
func (u *users) Find(ctx context.Context, h cred.Handle) (now cred.Handle, err error) {
	const op = "find user"
	err = u.look(ctx, op, func(c *conn) error {
		e, err := u.get(c, op, h.ID)
		now = e.handle()
		return err
	})
	if err != nil {
		return cred.Handle{}, err
	}
	return now, nil
}

// Owner goes by name and hash. A user who is stored with a password that is none of its
// own owns nothing.
func (u *users) Owner(ctx context.Context, b secret.Bundle, listed []cred.Handle) (string, error) {
	const op = "find whose login is stored"
	if !b[FieldPassword].Present() {
		return "", nil
	}
	if !b[FieldUsername].Present() {
		return "", u.refuse(op, "a password alone does not tell whose it is: store the name too, in a slot with {username}")
	}
	if b[FieldUsername].Equal(secret.New(u.user)) {
		return "", u.refuse(op, "%s", u.fits(u.user))
	}
	at := slices.IndexFunc(listed, func(h cred.Handle) bool { return b[FieldUsername].Equal(secret.New(h.ID)) })
	if at < 0 {
		return "", nil
	}
	return listed[at].ID, u.look(ctx, op, func(c *conn) error {
		e, err := u.get(c, op, listed[at].ID)
		if err == nil && !e.has(b[FieldPassword]) {
			err = u.refuse(op, "user %s has another password than the one that is stored: correct the store first", e.name)
		}
		return err
	})
}

// Make needs nothing of the server.
func (u *users) Make(name string) (secret.Bundle, error) {
	if why := u.fits(name); why != "" {
		return nil, errors.New(why)
	}
	return u.bundle(name)
}

// Create is Make and CreateWith.
func (u *users) Create(ctx context.Context, name string) (cred.Handle, secret.Bundle, error) {
	b, err := u.Make(name)
	if err != nil {
		return cred.Handle{}, nil, &cred.Error{Vendor: u.name, Op: "create user", Class: cred.Unsent, Why: err.Error()}
	}
	h, err := u.CreateWith(ctx, name, b)
	if err != nil {
		return cred.Handle{}, nil, err
	}
	return h, b, nil
}

// CreateWith makes the user in one command, which also takes away whatever a user of
// this name could do: so there must be none.
func (u *users) CreateWith(ctx context.Context, name string, b secret.Bundle) (cred.Handle, error) {
	const op = "create user"
	if why := u.fits(name); why != "" || name == u.like || name == "default" {
		return cred.Handle{}, u.refuse(op, "user %s cannot be made: %s", name, why)
	}
	err := u.change(ctx, op, func(c *conn) error {
		all, err := c.list()
		if err != nil {
			return notSent(err)
		}
		if _, there := find(all, name); there {
			return &cred.Error{Class: cred.Conflict, Why: "there is a user " + name + " already"}
		}
		like, ok := find(all, u.like)
		if !ok {
			return u.absent(op, u.like)
		}
		return c.set(name, slices.Concat([]string{"reset"}, like.rules, []string{"#" + hash(b[FieldPassword]), "on"})...)
	})
	if err != nil {
		return cred.Handle{}, err
	}
	return entry{name: name, on: true}.handle(), nil
}

// notSent is the error of a change whose look before it failed.
func notSent(err error) error {
	if e, ok := errors.AsType[*cred.Error](err); ok && e.Class == cred.Unknown {
		e.Class = cred.Limited
	}
	return err
}

// Switch turns logins as a user off or on. Sessions that are open live on
// (redis.io/docs/latest/commands/acl-setuser, off).
func (u *users) Switch(ctx context.Context, h cred.Handle, on bool) (cred.Handle, error) {
	op, word := "switch user off", "off"
	if on {
		op, word = "switch user on", "on"
	}
	var now cred.Handle
	err := u.change(ctx, op, func(c *conn) error {
		e, err := u.get(c, op, h.ID)
		if err != nil {
			return notSent(err)
		}
		e.on = on
		now = e.handle()
		return c.set(e.name, word)
	})
	if err != nil {
		return cred.Handle{}, err
	}
	return now, nil
}

// Revoke deletes a user; the server ends its sessions at once.
func (u *users) Revoke(ctx context.Context, h cred.Handle) error {
	const op = "delete user"
	if why := u.fits(h.ID); why != "" || h.ID == u.like {
		return u.refuse(op, "user %s is none that is rotated: %s", h.ID, why)
	}
	return u.change(ctx, op, func(c *conn) error {
		said, err := c.do("ACL", "DELUSER", h.ID)
		switch {
		case err != nil:
			return err
		case said.text == "0":
			return u.absent(op, h.ID)
		case said.text != "1":
			return &cred.Error{Class: cred.Unknown, Why: "the end was answered neither yes nor no"}
		}
		return nil
	})
}
