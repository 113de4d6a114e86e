// Package logins is what issuers of logins have in common: each is proven by logging in, and may hold sessions when it ends.
package logins

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// Fields of a bundle. Only the password is secret.
const (
	FieldUsername = "username"
	FieldPassword = "password"
	FieldHost     = "host"
	FieldPort     = "port"
	FieldDatabase = "database"
)

// Admin is a server, and the login as which Rekey works on it.
type Admin struct {
	Env  provider.Env
	Name string // of the vendor, as rekey.yaml has it
	Noun string // what the server calls a login: role, user
	Host string // name, address, or the path of its socket
	Port int
	User string

	mu    sync.Mutex
	ahead *time.Duration // of the server's clock before ours, once it was told
}

// Set reads where the server is and as whom to work there; port 0 is usual. An error
// names the setting.
func (a *Admin) Set(env provider.Env, name, noun string, host, user sop.Text, port, usual int) (err error) {
	a.Env, a.Name, a.Noun, a.Port = env, name, noun, port
	if port == 0 {
		a.Port = usual
	}
	if a.Host, err = env.Text(host); err != nil {
		return fmt.Errorf("vendor %s: host: %w", name, err)
	}
	if a.User, err = env.Text(user); err != nil {
		return fmt.Errorf("vendor %s: user: %w", name, err)
	}
	return nil
}

// Socket reports whether the host is the path of a socket.
func (a *Admin) Socket() bool { return strings.HasPrefix(a.Host, "/") }

// Address of the server, for people and for Dial.
func (a *Admin) Address() string {
	if a.Socket() {
		return a.Host
	}
	return net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
}

// Itself says why a login cannot be rotated that is the one Rekey works as.
func (a *Admin) Itself(name string) string {
	return fmt.Sprintf("%s %s is the one that Rekey itself uses (vendors.%s.user), and a run cannot revoke what it needs to finish: give Rekey a %s of its own", a.Noun, name, a.Name, a.Noun)
}

// Refuse is an error of class Refused.
func (a *Admin) Refuse(op, format string, args ...any) error {
	return &cred.Error{Vendor: a.Name, Op: op, Class: cred.Refused, Why: fmt.Sprintf(format, args...)}
}

// Absent is an error of class Absent, which says as whom and where was looked.
func (a *Admin) Absent(op, what string) error {
	return &cred.Error{Vendor: a.Name, Op: op, Class: cred.Absent, Why: "there is no " + what, Where: a.where()}
}

// Changed is an error of class Conflict.
func (a *Admin) Changed(op, why string) error {
	return &cred.Error{Vendor: a.Name, Op: op, Class: cred.Conflict, Why: why}
}

// Unsent is an error of something that failed before anything was asked.
func (a *Admin) Unsent(op string, err error) error {
	return &cred.Error{Vendor: a.Name, Op: op, Class: cred.Unsent, Why: err.Error()}
}

func (a *Admin) where() string { return a.Env.Where(a.Noun+" "+a.User, a.Address()) }

// Bundle makes the secret of a login: length letters and digits, each 5.95 bits, of Env.Random.
func (a *Admin) Bundle(username string, length int) (secret.Bundle, error) {
	p, err := secret.Generate(a.Env.Random, length, secret.Alphanumeric)
	if err != nil {
		return nil, a.Unsent("make a password", err)
	}
	return secret.Bundle{
		FieldUsername: secret.New(username), FieldPassword: p, FieldHost: secret.New(a.Host), FieldPort: secret.New(strconv.Itoa(a.Port)),
	}, nil
}

// Tell notes what the server's clock said after it was asked at a time of ours.
func (a *Admin) Tell(said, asked time.Time) {
	ahead := said.Sub(asked)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ahead = &ahead
}

// Ahead is how far the server's clock is ahead of ours; false: it was not told yet.
func (a *Admin) Ahead() (time.Duration, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ahead == nil {
		return 0, false
	}
	return *a.ahead, true
}
