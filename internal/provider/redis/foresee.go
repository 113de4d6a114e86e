package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/provider"
)

// ForeseeEnd tells what would make a new password stop working at a restart or on
// another node, and what Rekey may not do here.
func (p *proof) ForeseeEnd(ctx context.Context, old cred.Handle) (provider.Foreseen, error) {
	var out provider.Foreseen
	const op = "look at what will stand against it"
	refuse := func(format string, args ...any) { out.Refused = append(out.Refused, fmt.Sprintf(format, args...)) }
	tell := func(format string, args ...any) { out.Told = append(out.Told, fmt.Sprintf(format, args...)) }
	err := p.look(ctx, op, func(c *conn) error {
		all, err := c.list()
		if err != nil {
			return err
		}
		if e, ok := find(all, "default"); ok && e.on && e.nopass {
			tell("user default is on and needs no password: whoever reaches the server gets in without any")
		}
		if e, ok := find(all, p.of); p.of != "" && ok && (len(e.hashes) != 1 || e.nopass) {
			refuse("%s", several(e))
		}
		if _, ok := find(all, p.like); p.like != "" && !ok {
			refuse("there is no user %s, whose rules a new one would get", p.like)
		}
		if old.ID == "default" && p.like != "" {
			refuse("user default cannot be deleted: use the kind password for it")
		}
		if err := p.kept(c, refuse, tell); err != nil {
			return err
		}
		return p.allowed(c, old, refuse, tell)
	})
	return out, err
}

// several says what is wrong with the passwords of a user.
func several(e entry) string {
	if e.nopass {
		return "user " + e.name + " needs no password (nopass)"
	}
	return fmt.Sprintf("user %s has %d passwords, and is to have one: find out which is in use, and take the others away (ACL SETUSER %s !HASH)", e.name, len(e.hashes), e.name)
}

// kept asks whether the ACL outlives a restart, and whether other nodes have it.
func (p *proof) kept(c *conn, refuse, tell func(string, ...any)) error {
	said, err := c.do("INFO")
	switch {
	case denied(err):
		tell("whether the ACL outlives a restart, and whether there are other nodes, is not known, for user %s may not use INFO", p.user)
		return nil
	case err != nil:
		return err
	}
	info := map[string]string{}
	for line := range strings.Lines(said.text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		info[name] = value
	}
	if !p.conn.OtherNodes {
		switch {
		case info["cluster_enabled"] == "1":
			refuse("this is a node of a cluster, and the ACL of one node is not given to the others: say other_nodes_by_others where something else does that")
		case info["role"] == "slave":
			refuse("this is a replica: name the primary, whose ACL counts")
		case info["connected_slaves"] != "" && info["connected_slaves"] != "0":
			refuse("the server has %s replicas, and they do not get its ACL, so after a failover the new password would be refused: say other_nodes_by_others where something else gives it to them", info["connected_slaves"])
		}
	}
	if p.conn.Saved == "by-others" {
		tell("what makes the ACL outlive a restart is done by others: until they have, a restart undoes what a run does")
		return nil
	}
	if info["config_file"] != "" {
		return nil // ACL SAVE or CONFIG REWRITE: one of them is possible
	}
	file, err := c.do("CONFIG", "GET", "aclfile")
	switch {
	case denied(err):
		tell("whether the ACL outlives a restart is not known, for user %s may not use CONFIG GET", p.user)
	case err != nil:
		return err
	case len(file.list) < 2 || file.list[1].text == "":
		refuse("the server has neither an ACL file nor a configuration file, so a restart would bring the old password back and refuse the new one; say saved: by-others where something else keeps the ACL")
	}
	return nil
}

// allowed asks what Rekey may do (ACL DRYRUN, since Redis 7).
func (p *proof) allowed(c *conn, old cred.Handle, refuse, tell func(string, ...any)) error {
	commands := [][]string{{"ACL", "SETUSER", old.ID}}
	if p.like != "" {
		commands = append(commands, []string{"ACL", "DELUSER", old.ID})
	}
	if p.conn.Saved != "by-others" {
		commands = append(commands, []string{"ACL", "SAVE"}, []string{"CONFIG", "REWRITE"})
	}
	for _, cmd := range commands {
		said, err := c.do(append([]string{"ACL", "DRYRUN", p.user}, cmd...)...)
		e, _ := errors.AsType[*cred.Error](err)
		switch {
		case e != nil && (e.Code == noPerm || e.Code == noCommand):
			tell("what user %s may do is not known, for it may not ask (ACL DRYRUN)", p.user)
			return nil
		case err != nil:
			return err
		case said.text != "OK":
			refuse("user %s may not do %s", p.user, strings.Join(cmd[:2], " "))
		}
	}
	return nil
}

func denied(err error) bool { return err != nil && cred.ClassOf(err) == cred.Denied }
