package redis

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/secret"
)

// entry is one user of the ACL.
type entry struct {
	name   string
	on     bool
	nopass bool     // any password is taken
	hashes []string // SHA-256 of its passwords in hex, the newest last
	rules  []string // what it may do
}

func (e entry) handle() cred.Handle {
	return cred.Handle{ID: e.name, Public: e.name, Name: e.name, Disabled: !e.on}
}

// has reports whether this is one of its passwords.
func (e entry) has(password secret.Value) bool {
	return password.Present() && slices.Contains(e.hashes, hash(password))
}

// hash is how Redis keeps a password, and takes one with # in front
// (redis.io/docs/latest/commands/acl-setuser).
func hash(password secret.Value) string {
	sum := sha256.Sum256([]byte(password.Reveal()))
	return hex.EncodeToString(sum[:])
}

// list reads the whole ACL: it is shown as it would stand in a file, so what a user may
// do goes back as it came.
func (c *conn) list() ([]entry, error) {
	said, err := c.do("ACL", "LIST")
	if err != nil {
		return nil, err
	}
	var out []entry
	for _, line := range said.list {
		words := strings.Split(line.text, " ")
		if len(words) < 3 || words[0] != "user" {
			return nil, &cred.Error{Class: cred.Unknown, Why: "the list of users is not of the shape that is known"}
		}
		e := entry{name: words[1]}
		for _, w := range words[2:] {
			switch {
			case w == "on", w == "off":
				e.on = w == "on"
			case w == "nopass":
				e.nopass = true
			case strings.HasPrefix(w, "#"):
				e.hashes = append(e.hashes, w[1:])
			case w != "":
				e.rules = append(e.rules, w)
			}
		}
		out = append(out, e)
	}
	if len(out) == 0 { // there is always a user default
		return nil, &cred.Error{Class: cred.Unknown, Why: "the list of users is empty, which it never is"}
	}
	return out, nil
}

func find(all []entry, name string) (entry, bool) {
	i := slices.IndexFunc(all, func(e entry) bool { return e.name == name })
	if i < 0 {
		return entry{}, false
	}
	return all[i], true
}

// get reads one user.
func (s *Server) get(c *conn, op, name string) (entry, error) {
	all, err := c.list()
	if err != nil {
		return entry{}, err
	}
	e, ok := find(all, name)
	if !ok {
		return entry{}, s.absent(op, name)
	}
	return e, nil
}

// set changes one user. A user who is not there would be made: look first.
func (c *conn) set(name string, rules ...string) error {
	said, err := c.do(append([]string{"ACL", "SETUSER", name}, rules...)...)
	if err == nil && said.text != "OK" {
		err = &cred.Error{Class: cred.Unknown, Why: "the change was answered neither yes nor no"}
	}
	return err
}
