package redis

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// proof is what both kinds have in common: a login proves, and the server tells who
// is there and what it would lose.
type proof struct {
	*Server
	of   string // the one user; "": they change
	like string // whose rules a new one gets
}

// whose is the name that goes with a password.
func (p *proof) whose(b secret.Bundle) secret.Value {
	if p.of != "" {
		return secret.New(p.of)
	}
	return b[FieldUsername]
}

// Works logs in.
func (p *proof) Works(ctx context.Context, _ cred.Handle, b secret.Bundle) (bool, error) {
	v, _, err := p.try(ctx, "try the login", b)
	return v == cred.Accepted, err
}

// Probe logs in. Without a password an empty one is tried: it is taken
// for a user who needs none, and for nobody else.
func (p *proof) Probe(ctx context.Context, at sop.Probe, b secret.Bundle) (cred.Verdict, string, error) {
	const op = "log in"
	if at.URL != sop.IssuerItself {
		return cred.Unclear, "", p.refuse(op, "a login is proven by Redis itself and not sent anywhere else: leave validate out")
	}
	if len(b) == 0 {
		b = p.Wrong()
		b[FieldPassword] = secret.Value{}
	}
	v, detail, err := p.try(ctx, op, b)
	if v == cred.Accepted && !b[FieldPassword].Present() {
		v, detail = cred.Open, "the user needs no password (nopass)"
	}
	return v, detail, err
}

func (p *proof) try(ctx context.Context, op string, b secret.Bundle) (v cred.Verdict, detail string, err error) {
	v = cred.Unclear
	err = p.env.Look(ctx, p.name, op, func(ctx context.Context) error {
		c, err := p.dial(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		err = c.login(p.whose(b).Reveal(), b[FieldPassword])
		switch e, _ := errors.AsType[*cred.Error](err); {
		case err == nil:
			v, detail = cred.Accepted, "logged in"
		case e != nil && e.Code == wrongPass:
			v, detail = cred.Rejected, wrongPass+" by Redis"
		default:
			return err
		}
		return nil
	})
	return v, detail, err
}

// Guard names no application.
func (p *proof) Guard(context.Context, sop.Probe) (string, error) { return "", nil }

// Wrong is a password that nobody has, of the user itself where there is one.
func (p *proof) Wrong() secret.Bundle {
	random := make([]byte, 16)
	_, _ = rand.Read(random)
	b := secret.Bundle{FieldUsername: secret.New("rekey-nobody-" + hex.EncodeToString(random[:4])), FieldPassword: secret.New(hex.EncodeToString(random))}
	if p.of != "" {
		b[FieldUsername] = secret.New(p.of)
	}
	return b
}

// Users are the connections of a user that are open now (CLIENT LIST).
func (u *users) Users(ctx context.Context, h cred.Handle) ([]provider.User, error) {
	out := []provider.User{}
	err := u.look(ctx, "list connections", func(c *conn) error {
		said, err := c.do("CLIENT", "LIST")
		if err != nil {
			return err
		}
		now := u.env.Now()
		for line := range strings.Lines(said.text) {
			x := fields(line)
			if x["user"] != h.ID || x["name"] == ourName {
				continue
			}
			host, _, _ := net.SplitHostPort(x["addr"])
			one := provider.User{Name: x["name"], From: host, Count: 1, Since: before(now, x["age"]), Last: before(now, x["idle"])}
			at := slices.IndexFunc(out, func(o provider.User) bool { return o.Name == one.Name && o.From == one.From })
			if at < 0 {
				out = append(out, one)
				continue
			}
			o := &out[at]
			o.Count++
			if one.Since.Before(o.Since) {
				o.Since = one.Since
			}
			if one.Last.After(o.Last) {
				o.Last = one.Last
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// fields of a line of name=value with spaces between them.
func fields(line string) map[string]string {
	out := map[string]string{}
	for _, f := range strings.Fields(line) {
		name, value, _ := strings.Cut(f, "=")
		out[name] = value
	}
	return out
}

// before is so many seconds before now; zero if that is not a number.
func before(now time.Time, seconds string) time.Time {
	n, err := strconv.ParseFloat(seconds, 64)
	if err != nil {
		return time.Time{}
	}
	return now.Add(-time.Duration(n * float64(time.Second))).UTC()
}

// Advise tells of logins as the user that were refused lately (ACL LOG): somebody holds
// an old password.
func (p *proof) Advise(ctx context.Context, inUse cred.Handle) ([]string, error) {
	var out []string
	err := p.look(ctx, "read the log of refusals", func(c *conn) error {
		said, err := c.do("ACL", "LOG", "128")
		if err != nil {
			return err
		}
		for _, e := range said.list {
			x := map[string]string{}
			for i := 0; i+1 < len(e.list); i += 2 {
				x[e.list[i].text] = e.list[i+1].text
			}
			client := fields(x["client-info"])
			if x["reason"] != "auth" || x["username"] != inUse.ID || inUse.ID == "" {
				continue
			}
			host, _, _ := net.SplitHostPort(client["addr"])
			out = append(out, fmt.Sprintf("logins as %s with a wrong password were refused %s times, the last one at %s, from %s: somebody may hold an old one", inUse.ID, x["count"], before(p.env.Now(), x["age-seconds"]).Format(time.RFC3339), host))
		}
		return nil
	})
	if e, ok := errors.AsType[*cred.Error](err); ok && e.Code == noPerm {
		return []string{"whether logins were refused lately is not known, for user " + p.user + " may not read ACL LOG"}, nil
	}
	return out, err
}
