package postgres

import (
	"context"
	"fmt"
	"strconv"

	"rekey/internal/cred"
	"rekey/internal/logins"
	"rekey/internal/provider"
)

const ownedReassign = "reassign"

// dependency is what stands against dropping a role, in one database.
type dependency struct {
	database       string // "": the whole server
	owned, granted int
}

// dependent asks the catalog that all databases share
// [postgresql.org/docs/current/catalog-pg-shdepend.html].
func (s *Server) dependent(ctx context.Context, name string) ([]dependency, error) {
	rows, err := s.rows(ctx, "list what depends on the role", `SELECT db.datname, count(*) FILTER (WHERE d.deptype = 'o'), count(*) FILTER (WHERE d.deptype <> 'o')
 FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid LEFT JOIN pg_database db ON db.oid = d.dbid
 WHERE d.refclassid = 'pg_authid'::regclass AND r.rolname = $1 GROUP BY 1 ORDER BY 1`, name)
	if err != nil {
		return nil, err
	}
	out := make([]dependency, len(rows))
	for n, x := range rows {
		out[n].database = x[0]
		out[n].owned, _ = strconv.Atoi(x[1])
		out[n].granted, _ = strconv.Atoi(x[2])
	}
	return out, nil
}

func (d dependency) where() string {
	if d.database == "" {
		return "on the server"
	}
	return "in database " + d.database
}

// rights is what the role that Rekey uses may do to another.
type rights struct {
	version                         int
	standby, super, createrole      bool
	theySuper, admin, uses, signals bool
	limit                           int  // of sessions; -1: none
	config                          bool // settings of its own
}

func (s *Server) rights(ctx context.Context, name string) (rights, error) {
	const op = "look up rights"
	rows, err := s.rows(ctx, op, `SELECT current_setting('server_version_num'), pg_is_in_recovery(), me.rolsuper, me.rolcreaterole,
 r.rolsuper, pg_has_role(me.oid, r.oid, 'MEMBER WITH ADMIN OPTION'), pg_has_role(me.oid, r.oid, 'USAGE'),
 pg_has_role(me.oid, 'pg_signal_backend', 'USAGE'), r.rolconnlimit,
 EXISTS (SELECT FROM pg_db_role_setting c, unnest(c.setconfig) one WHERE c.setrole = r.oid AND one NOT LIKE 'role=%')
 FROM pg_roles me, pg_roles r WHERE me.rolname = current_user AND r.rolname = $1`, name)
	if err != nil {
		return rights{}, err
	}
	if len(rows) == 0 {
		return rights{}, s.Absent(op, "role "+name)
	}
	x := rows[0]
	is := func(n int) bool { return x[n] == "t" }
	r := rights{standby: is(1), super: is(2), createrole: is(3), theySuper: is(4), admin: is(5), uses: is(6), signals: is(7), config: is(9)}
	r.version, _ = strconv.Atoi(x[0])
	r.limit, _ = strconv.Atoi(x[8])
	return r, nil
}

// scoped is the version from which CREATEROLE reaches only roles that one has the
// ADMIN OPTION on [postgresql.org/docs/16/release-16.html].
const scoped = 160000

// may says why a role cannot be changed; "" if it can.
func (r rights) may(me, name string) string {
	switch {
	case r.standby:
		return "the server is a standby and can be read only: name the primary"
	case r.super:
		return ""
	case r.theySuper:
		return fmt.Sprintf("%s is a superuser, and only a superuser may change it", name)
	case !r.createrole:
		return fmt.Sprintf("%s lacks CREATEROLE: ALTER ROLE %s CREATEROLE", me, ident(me))
	case r.version >= scoped && !r.admin:
		return fmt.Sprintf("%s lacks the ADMIN OPTION on %s: GRANT %s TO %s WITH ADMIN OPTION", me, name, ident(name), ident(me))
	}
	return ""
}

// foresee is what stands against changing the role of a generation, for every kind.
func (i *roles) foresee(ctx context.Context, old cred.Handle) (f provider.Foreseen, r rights, err error) {
	if r, err = i.rights(ctx, old.Public); err != nil {
		return f, r, err
	}
	if why := r.may(i.User, old.Public); why != "" {
		f.Refused = append(f.Refused, why)
	}
	if i.sessions == logins.SessionsTerminate && !r.super && !r.signals && !r.uses {
		f.Refused = append(f.Refused, fmt.Sprintf("%s may not terminate sessions of %s: GRANT pg_signal_backend TO %s", i.User, old.Public, ident(i.User)))
	}
	if i.sessions == logins.SessionsLeave {
		f.Told = append(f.Told, "sessions that are open when it is "+i.end+" live on until they end by themselves")
	}
	return f, r, nil
}

// ForeseeEnd of a role in a group: what stands against dropping it, and what the next
// one would lack.
func (i *login) ForeseeEnd(ctx context.Context, old cred.Handle) (provider.Foreseen, error) {
	f, r, err := i.foresee(ctx, old)
	if err != nil {
		return f, err
	}
	group, err := i.rights(ctx, i.settings.Group)
	if err != nil {
		return f, err
	}
	switch {
	case group.super:
	case group.theySuper:
		f.Refused = append(f.Refused, fmt.Sprintf("group %s is a superuser, and only a superuser may put a role into it", i.settings.Group))
	case group.version >= scoped && !group.admin:
		f.Refused = append(f.Refused, fmt.Sprintf("%s may not put roles into group %s: GRANT %s TO %s WITH ADMIN OPTION", i.User, i.settings.Group, ident(i.settings.Group), ident(i.User)))
	}
	if r.config {
		f.Told = append(f.Told, fmt.Sprintf("%s has settings of its own (ALTER ROLE … SET), and the new one will not have them", old.Public))
	}
	if r.limit >= 0 && r.limit != i.settings.ConnectionLimit {
		f.Told = append(f.Told, fmt.Sprintf("%s may have %d sessions at once; for the new one issuer.connection_limit says", old.Public, r.limit))
	}
	deps, err := i.dependent(ctx, old.Public)
	for _, d := range deps {
		i.standing(&f, d, old.Public, group.super, r.uses && group.uses)
	}
	return f, err
}

// standing tells of one dependency. Rights are taken away by who owns the object, or by
// a superuser; DROP OWNED of anybody else leaves them without an error.
func (i *login) standing(f *provider.Foreseen, d dependency, old string, super, member bool) {
	group := i.settings.Group
	switch {
	case i.settings.Owned != ownedReassign && d.owned > 0:
		f.Refused = append(f.Refused, fmt.Sprintf("%s owns %d objects %s, so it cannot be dropped: REASSIGN OWNED BY %s TO %s there, or say issuer.owned: reassign", old, d.owned, d.where(), ident(old), ident(group)))
	case d.owned > 0 && !super && !member:
		f.Refused = append(f.Refused, fmt.Sprintf("%s may not give what %s owns to %s: it has to be a member of both", i.User, old, group))
	case d.owned > 0:
		f.Told = append(f.Told, fmt.Sprintf("%d objects %s that %s owns will be given to %s", d.owned, d.where(), old, group))
	}
	switch {
	case d.granted > 0 && (i.settings.Owned != ownedReassign || !super):
		f.Refused = append(f.Refused, fmt.Sprintf("%s has %d rights of its own %s (GRANT, policies): it cannot be dropped, and the new one would lack them; give them to %s instead, then take them from it", old, d.granted, d.where(), group))
	case d.granted > 0:
		f.Told = append(f.Told, fmt.Sprintf("%d rights %s that %s has of its own end with it, and the new one will not have them", d.granted, d.where(), old))
	}
}

// ForeseeEnd of a pair: one of the two has to be idle, and both have to be ours to
// change.
func (i *pair) ForeseeEnd(ctx context.Context, old cred.Handle) (provider.Foreseen, error) {
	f, _, err := i.foresee(ctx, old)
	if err != nil {
		return f, err
	}
	for _, name := range i.names {
		if name == old.Public {
			continue
		}
		r, err := i.rights(ctx, name)
		if err != nil {
			return f, err
		}
		if why := r.may(i.User, name); why != "" {
			f.Refused = append(f.Refused, why)
		}
	}
	found, err := i.scope(ctx, "find the idle role")
	for _, r := range found {
		if _, live := turn(r); live && r.name != old.Public {
			f.Refused = append(f.Refused, fmt.Sprintf("%s may log in as well, so none of the two is idle: ALTER ROLE %s NOLOGIN once nobody uses it", r.name, ident(r.name)))
		}
	}
	return f, err
}

// ForeseeEnd of a role that stays.
func (i *inPlace) ForeseeEnd(ctx context.Context, old cred.Handle) (provider.Foreseen, error) {
	f, _, err := i.foresee(ctx, old)
	return f, err
}
