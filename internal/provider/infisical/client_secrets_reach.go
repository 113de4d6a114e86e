package infisical

import (
	"context"
	"fmt"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// Peers takes the other vendors of rekey.yaml: one of them may be reached by the
// very client secret that is replaced here, whatever it is called.
func (c *clientSecrets) Peers(opened map[string]provider.Vendor) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.peers = nil
	for _, v := range opened {
		if s, ok := v.(*Server); ok && s != c.Server {
			c.peers = append(c.peers, s)
		}
	}
}

// mayEnd refuses to end the very client secret by which the store is reached, under
// this vendor or another: a process that takes over after it is revoked could read
// neither the old nor the new one there, and each of its logins would be a failed
// one. A ready access token that came from it ends with it.
func (c *clientSecrets) mayEnd(ctx context.Context, owner string, b secret.Bundle) error {
	if c.session.env.Urgent {
		return nil
	}
	refuse := func(why string) error {
		return &cred.Error{Vendor: c.api.Vendor, Op: "find which client secret is stored", Class: cred.Refused, Why: why}
	}
	ready := func(s *Server) error {
		return refuse(fmt.Sprintf("the access token that Rekey works with (vendors.%s.token) came from it, and ends with it in the middle of a run; give Rekey the client secret of another identity, then run again", s.api.Vendor))
	}
	store := func(s *Server) error {
		return refuse(fmt.Sprintf("it is the client secret with which Rekey reaches the store (vendors.%s.client_secret): if a run were to stop after it is revoked, nothing could read the store any more, the new one included; give Rekey a client secret, or better an identity, of its own, then run again", s.api.Vendor))
	}
	c.lock.Lock()
	peers := c.peers
	c.lock.Unlock()
	for _, s := range peers {
		is, err := s.session.comesFrom(ctx, c.identity, owner, b[FieldClientSecret])
		switch {
		case err != nil:
			return sessionError(s.api.Vendor, "find which client secret it is reached by", err)
		case is && len(s.session.conn.Token) > 0:
			return ready(s)
		case is && s.keeps.Load():
			return store(s)
		}
	}
	own := len(c.session.conn.Token) > 0
	if !c.keeps.Load() && !own {
		return nil
	}
	self, err := c.Self(ctx)
	switch {
	case err != nil || self != owner:
		return err
	case own:
		return ready(c.Server)
	}
	return store(c.Server)
}

// comesFrom reports whether a session is that of a client secret: of a ready token by
// what it says of itself, otherwise by the value that it logs in with. Nothing is asked.
func (s *session) comesFrom(ctx context.Context, identity, id string, key secret.Value) (bool, error) {
	if len(s.conn.Token) > 0 {
		token, _, err := s.env.Resolve(ctx, s.conn.Token)
		said := claimsOf(token)
		return said.Identity == identity && said.ClientSecret == id, err
	}
	own, _, err := s.env.Resolve(ctx, s.conn.ClientSecret)
	return err == nil && own.Equal(key), err
}

// Advise tells what ending a client secret ends besides.
func (c *clientSecrets) Advise(ctx context.Context, inUse cred.Handle) ([]string, error) {
	conf, err := c.config(ctx)
	if err != nil {
		return nil, err
	}
	out := []string{"revoking a client secret ends its access tokens at once, in a server of today: whoever works with one " + conf.lives() +
		" is cut off, though nobody logs in with it any more; in a server of 2024 they live on until then"}
	live, err := c.live(ctx)
	if err != nil {
		return out, err
	}
	for _, x := range live {
		if x.ID != inUse.ID {
			continue
		}
		out = append(out, fmt.Sprintf("logins with the one in use so far, Rekey's own looks included: %d; the last use that is shown is the last login, up to ten seconds late", x.Uses))
	}
	return out, nil
}

// longest is how long an access token may live after its login; 0: for ever.
func (u universalAuth) longest() time.Duration {
	if u.Period > 0 {
		return 0
	}
	return time.Duration(max(u.TTL, u.MaxTTL)) * time.Second
}

// Lasts is how long an access token may be used after the login that it came from.
func (c *clientSecrets) Lasts(ctx context.Context) (time.Duration, error) {
	conf, err := c.config(ctx)
	if conf.longest() == 0 {
		return -1, err
	}
	return conf.longest(), err
}

func (u universalAuth) lives() string {
	if u.longest() == 0 {
		return "(they may be renewed without end)"
	}
	return "(they live for up to " + days(u.longest()) + " after their login)"
}
