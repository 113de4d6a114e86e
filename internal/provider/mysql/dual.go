package mysql

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"rekey/internal/cred"
	"rekey/internal/logins"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// DualSettings are the settings of one user with two passwords.
type DualSettings struct {
	// The user. It exists, and has one password.
	User string `json:"user" jsonschema:"required,minLength=1"`
	// Its host part. Default: %
	From string `json:"from,omitempty"`
	// Database in which a login is proven; it is also given as {database}. Default: none
	Database string `json:"database,omitempty"`
	// What becomes of sessions that are open when the user is locked in an emergency: refuse to lock it, terminate them, or leave them. Default: refuse
	Sessions string `json:"sessions,omitempty" jsonschema:"enum=refuse,enum=terminate,enum=leave"`
}

// dual gives one user a new password beside the present one, which works until Keep
// ends it. The version of its handle is how many passwords work.
type dual struct {
	accounts
	logins.InPlace
}

func (s *Server) dual(settings json.RawMessage) (provider.Issuer, error) {
	var set DualSettings
	if err := json.Unmarshal(settings, &set); err != nil {
		return nil, err
	}
	if err := s.others(set.User); err != nil {
		return nil, fmt.Errorf("user: %w", err)
	}
	i := &dual{accounts: s.target(set.From, set.Database, set.Sessions, "locked")}
	i.Refusal = i.Refuse("create", "there is one user, and it gets a second password")
	i.only, i.counts = set.User, true
	return i, nil
}

// Calls tells the statements that change something.
func (i *dual) Calls() map[string]string {
	return map[string]string{
		"roll": "ALTER USER {id}, a second password beside the present one", "keep": "ALTER USER {id}, without the password before",
		"disable": "ALTER USER {id} ACCOUNT LOCK", "delete": "ALTER USER {id} ACCOUNT LOCK",
	}
}

// Make needs nothing of the server.
func (i *dual) Make(string) (secret.Bundle, error) { return i.bundle(i.only) }

// Roll is Make and RollWith.
func (i *dual) Roll(ctx context.Context, h cred.Handle, keep time.Time) (cred.Handle, secret.Bundle, error) {
	return logins.Roll(ctx, i, h, keep)
}

// RollWith refuses while two passwords work already: a third would end one of them,
// which may be in use. The server knows no end of a grace; Keep brings it.
func (i *dual) RollWith(ctx context.Context, h cred.Handle, keep time.Time, b secret.Bundle) (cred.Handle, error) {
	const op = "roll password"
	if keep.IsZero() {
		return cred.Handle{}, i.Refuse(op, "this kind has a grace always")
	}
	e, err := i.get(ctx, op, h)
	switch {
	case err != nil:
		return cred.Handle{}, err
	case e.passwords > 1:
		return cred.Handle{}, i.Changed(op, two(e))
	}
	err = i.replace(ctx, op, func(d dialect) (string, error) {
		return d.beside(account(e.user, e.host), b[logins.FieldPassword], e.kept)
	})
	if err != nil {
		return cred.Handle{}, err
	}
	e.passwords = 2
	return i.handle(e), nil
}

// replace sends one statement that may turn out not to be expressible.
func (i *dual) replace(ctx context.Context, op string, sql func(dialect) (string, error)) error {
	var wrong error
	err := i.change(ctx, op, func(d dialect) []string {
		statement, err := sql(d)
		if wrong = err; err != nil {
			return nil
		}
		return []string{statement}
	})
	if wrong != nil {
		return i.Refuse(op, "%v", wrong)
	}
	return err
}

// Keep ends the password before the present one if its time is over; it has none of
// its own.
func (i *dual) Keep(ctx context.Context, h cred.Handle, until time.Time) (cred.Handle, error) {
	const op = "end the old password"
	e, err := i.get(ctx, op, h)
	if err != nil {
		return cred.Handle{}, err
	}
	if e.passwords > 1 && !until.After(i.Env.Now()) {
		err := i.replace(ctx, op, func(d dialect) (string, error) { return d.alone(account(e.user, e.host), e.kept) })
		if err != nil {
			return cred.Handle{}, err
		}
		e.passwords = 1
	}
	return i.handle(e), nil
}

// Unroll ends the password that stands beside the one in b.
func (i *dual) Unroll(ctx context.Context, h cred.Handle, b secret.Bundle) (cred.Handle, error) {
	const op = "end the new password"
	e, err := i.get(ctx, op, h)
	if err != nil {
		return cred.Handle{}, err
	}
	// It has to be one of its own: what is left as the only one would lock everybody out.
	switch works, err := i.Works(ctx, h, b); {
	case err != nil:
		return cred.Handle{}, err
	case !works:
		return cred.Handle{}, i.Refuse(op, "the password from before does not work any more: somebody else has changed it since")
	}
	if e.passwords > 1 {
		var wrong error
		err := i.change(ctx, op, func(d dialect) []string {
			statements, err := d.only(account(e.user, e.host), b[logins.FieldPassword], e.kept)
			wrong = err
			return statements
		})
		if wrong != nil {
			return cred.Handle{}, i.Refuse(op, "%v", wrong)
		}
		if err != nil {
			return cred.Handle{}, err
		}
		e.passwords = 1
	}
	return i.handle(e), nil
}

// Revoke locks the user. It stays.
func (i *dual) Revoke(ctx context.Context, h cred.Handle) error {
	const op = "lock user"
	last := i.sessions == logins.SessionsTerminate // or a session would come back at once
	if !last {
		if err := i.part(ctx, op, h); err != nil {
			return err
		}
	}
	if _, err := i.Switch(ctx, h, false); err != nil || !last {
		return err
	}
	return i.part(ctx, op, h)
}

func two(e entry) string {
	who := account(e.user, e.host)
	return fmt.Sprintf("%d passwords of %s work: an earlier run or somebody else left one. Whichever everybody uses stays: ALTER USER %s IDENTIFIED BY that one; on MySQL ALTER USER %s DISCARD OLD PASSWORD after it",
		e.passwords, e.id(), who, who)
}

// ForeseeEnd tells whether there is room for a second password.
func (i *dual) ForeseeEnd(ctx context.Context, old cred.Handle) (provider.Foreseen, error) {
	f, err := i.foresee(ctx, old)
	if err != nil {
		return f, err
	}
	e, err := i.get(ctx, "foresee the end of the old password", old)
	if err == nil && e.passwords > 1 {
		f.Refused = append(f.Refused, two(e))
	}
	return f, err
}

// foresee tells what stands against changing users at all.
func (i *accounts) foresee(ctx context.Context, old cred.Handle) (f provider.Foreseen, err error) {
	rows, err := i.rows(ctx, "look up rights", func(dialect) string {
		return `SELECT @@global.read_only, (SELECT COUNT(*) FROM information_schema.user_privileges WHERE GRANTEE = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''') AND PRIVILEGE_TYPE IN ('CREATE USER'))`
	})
	if err != nil {
		return f, err
	}
	if x := rows[0]; x[0] != "0" && x[0] != "OFF" {
		f.Refused = append(f.Refused, "the server can be read only: is it a replica?")
	} else if x[1] == "0" {
		f.Refused = append(f.Refused, fmt.Sprintf("%s lacks CREATE USER: GRANT CREATE USER ON *.* TO %s", i.User, literal(i.User)))
	}
	if i.sessions == logins.SessionsLeave {
		f.Told = append(f.Told, "sessions of "+old.ID+" that are open when it is "+i.end+" live on until they end by themselves")
	}
	return f, nil
}
