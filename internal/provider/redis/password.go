package redis

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"rekey/internal/cred"
	"rekey/internal/secret"
)

// PasswordSettings are the settings of one user whose password is replaced.
type PasswordSettings struct {
	// The ACL user. It exists, and has one password.
	User string `json:"user" jsonschema:"required,minLength=1"`
}

// inPlace gives one user one more password, and takes the one before away later. Redis
// tells no end of a password, and ends none by itself.
type inPlace struct {
	*proof
	of string

	mu  sync.Mutex
	our string // hash of the password that this process has added
}

func (s *Server) inPlace(settings json.RawMessage) (*inPlace, error) {
	var set PasswordSettings
	if err := json.Unmarshal(settings, &set); err != nil {
		return nil, err
	}
	if why := s.fits(set.User); why != "" {
		return nil, errors.New("user: " + why)
	}
	return &inPlace{proof: &proof{Server: s, of: set.User}, of: set.User}, nil
}

// Calls tells the commands that change something.
func (i *inPlace) Calls() map[string]string {
	return map[string]string{"roll": "ACL SETUSER {id} #…", "delete": "ACL SETUSER {id} resetpass off, and CLIENT KILL USER {id}"}
}

// shown counts the passwords that work: a run begins with one, so two tell that one was
// added.
func shown(e entry) cred.Handle {
	h := e.handle()
	h.Version = len(e.hashes)
	return h
}

// List returns the user, while it has a password.
func (i *inPlace) List(ctx context.Context) ([]cred.Handle, error) {
	h, err := i.Find(ctx, cred.Handle{ID: i.of})
	if cred.ClassOf(err) == cred.Absent {
		return []cred.Handle{}, nil
	}
	if err != nil {
		return nil, err
	}
	return []cred.Handle{h}, nil
}

// Find reads the user. One without a password, and off, is at its end.
func (i *inPlace) Find(ctx context.Context, h cred.Handle) (now cred.Handle, err error) {
	const op = "find user"
	err = i.look(ctx, op, func(c *conn) error {
		e, err := i.get(c, op, h.ID)
		if err == nil && (h.ID != i.of || !e.on && len(e.hashes) == 0) {
			err = i.absent(op, h.ID+" with a password")
		}
		now = shown(e)
		return err
	})
	if err != nil {
		return cred.Handle{}, err
	}
	return now, nil
}

// Owner goes by the hash: whether it is one of the user's passwords.
func (i *inPlace) Owner(ctx context.Context, b secret.Bundle, _ []cred.Handle) (id string, err error) {
	const op = "find whose password is stored"
	err = i.look(ctx, op, func(c *conn) error {
		e, err := i.get(c, op, i.of)
		if err == nil && e.has(b[FieldPassword]) {
			id = e.name
		}
		return err
	})
	if cred.ClassOf(err) == cred.Absent {
		return "", nil
	}
	return id, err
}

// Create is not what this kind does.
func (i *inPlace) Create(context.Context, string) (cred.Handle, secret.Bundle, error) {
	return cred.Handle{}, nil, i.refuse("create", "there is one user, which is given another password")
}

// CreateWith is not what this kind does.
func (i *inPlace) CreateWith(ctx context.Context, name string, _ secret.Bundle) (cred.Handle, error) {
	_, _, err := i.Create(ctx, name)
	return cred.Handle{}, err
}

// Make needs nothing of the server.
func (i *inPlace) Make(string) (secret.Bundle, error) { return i.bundle(i.of) }

// Roll is Make and RollWith.
func (i *inPlace) Roll(ctx context.Context, h cred.Handle, keep time.Time) (cred.Handle, secret.Bundle, error) {
	b, err := i.Make(h.Name)
	if err != nil {
		return cred.Handle{}, nil, &cred.Error{Vendor: i.name, Op: "add a password", Class: cred.Unsent, Why: err.Error()}
	}
	h, err = i.RollWith(ctx, h, keep, b)
	if err != nil {
		return cred.Handle{}, nil, err
	}
	return h, b, nil
}

// RollWith adds a password to the one that there is; without a grace it takes its place.
func (i *inPlace) RollWith(ctx context.Context, h cred.Handle, keep time.Time, b secret.Bundle) (now cred.Handle, err error) {
	const op = "add a password"
	hashed := hash(b[FieldPassword])
	err = i.change(ctx, op, func(c *conn) error {
		e, err := i.get(c, op, i.of)
		switch {
		case err != nil:
			return notSent(err)
		case h.ID != i.of:
			return i.absent(op, h.ID)
		case len(e.hashes) != 1 || e.nopass:
			return i.refuse(op, "%s", several(e))
		}
		rules := []string{"#" + hashed}
		if keep.IsZero() {
			rules = []string{"resetpass", "#" + hashed}
		} else {
			e.hashes = append(e.hashes, hashed)
		}
		now = shown(e)
		return c.set(e.name, rules...)
	})
	if err != nil {
		return cred.Handle{}, err
	}
	i.mu.Lock()
	i.our = hashed
	i.mu.Unlock()
	return now, nil
}

// added is the hash of the password that this process has added; "": none.
func (i *inPlace) added() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.our
}

// Keep takes the password before the present one away once its time has come; until
// then it works by itself. Redis lists passwords in the order in which they were added;
// only where the last is the one that this process added is the other the old one.
func (i *inPlace) Keep(ctx context.Context, h cred.Handle, until time.Time) (now cred.Handle, err error) {
	const op = "take the old password away"
	if until.After(i.env.Now()) {
		return i.Find(ctx, h)
	}
	err = i.change(ctx, op, func(c *conn) error {
		e, err := i.get(c, op, i.of)
		if err != nil {
			return notSent(err)
		}
		our := i.added()
		switch last := len(e.hashes) - 1; {
		case h.ID != i.of:
			return i.absent(op, h.ID)
		case last < 0 || last > 1 || last == 1 && e.hashes[last] != our || our != "" && e.hashes[last] != our:
			return i.refuse(op, "%s: somebody else has changed them since, and which of them is the old one is not known", several(e))
		case last == 1:
			err = c.set(e.name, "!"+e.hashes[0])
			e.hashes = e.hashes[1:]
		}
		now = shown(e)
		now.Previous = until.UTC().Truncate(time.Second)
		return err
	})
	if err != nil {
		return cred.Handle{}, err
	}
	return now, nil
}

// Revoke locks the user and ends its sessions. It stays.
func (i *inPlace) Revoke(ctx context.Context, h cred.Handle) error {
	const op = "lock user"
	return i.change(ctx, op, func(c *conn) error {
		e, err := i.get(c, op, h.ID)
		if err != nil {
			return notSent(err)
		}
		if h.ID != i.of || !e.on && len(e.hashes) == 0 {
			return i.absent(op, h.ID+" with a password")
		}
		if err := c.set(e.name, "off", "resetpass"); err != nil {
			return err
		}
		if _, err := c.do("CLIENT", "KILL", "USER", e.name); err != nil {
			return &cred.Error{Class: cred.Unknown, Maybe: true, Why: "it was locked, and its sessions could not be ended"}
		}
		return nil
	})
}
