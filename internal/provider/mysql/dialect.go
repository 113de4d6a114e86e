package mysql

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"rekey/internal/secret"
)

// dialect is in what MySQL and MariaDB differ.
type dialect interface {
	// list asks for every user: name, host, whether it is locked, how its passwords are
	// kept (kept), sessions that are open but those named, and the time.
	list(except string) string
	// kept reads how many passwords work; dual says how to go on with them.
	kept(text string) (int, error)
	// identified is the clause that gives a new user a password.
	identified(p secret.Value) string
	// beside is the statement that gives a user a password beside the present one, and
	// alone the one that ends the one before; kept is what list returned.
	beside(who string, p secret.Value, kept string) (string, error)
	alone(who, kept string) (string, error)
	// only are the statements after which p, which is one of two passwords, works alone;
	// refused where that is not what is kept.
	only(who string, p secret.Value, kept string) ([]string, error)
	// defaults is the statement that makes a role active when a user logs in.
	defaults(role, who string) string
}

const sessionsOf = `(SELECT COUNT(*) FROM information_schema.processlist p WHERE p.USER = u.User AND p.ID NOT IN (%s)), UNIX_TIMESTAMP()`

// mariaDB is from 10.4 on: accounts can be locked, and have several ways to log in
// [mariadb.com/kb/en/alter-user, authentication_option; mariadb.com/kb/en/mysqlglobal_priv-table].
type mariaDB struct{}

func (mariaDB) list(except string) string {
	return `SELECT u.User, u.Host, COALESCE(JSON_VALUE(u.Priv, '$.account_locked'), 'false') IN ('true', '1'), u.Priv, ` + fmt.Sprintf(sessionsOf, except) +
		` FROM mysql.global_priv u WHERE COALESCE(JSON_VALUE(u.Priv, '$.is_role'), 'false') NOT IN ('true', '1') AND u.User NOT IN ('', 'mariadb.sys')`
}

// way is one way to log in, as global_priv has it.
type way struct {
	Plugin string `json:"plugin"`
	Auth   string `json:"authentication_string"`
	Or     []way  `json:"auth_or"`
}

const native = "mysql_native_password"

// ways of an account in order. The way of the account itself stands among auth_or as
// an empty object.
func (mariaDB) ways(text string) ([]way, error) {
	var w way
	if err := json.Unmarshal([]byte(text), &w); err != nil {
		return nil, fmt.Errorf("how the server keeps passwords is not understood")
	}
	if w.Plugin == "" {
		w.Plugin = native
	}
	own := way{Plugin: w.Plugin, Auth: w.Auth}
	if len(w.Or) == 0 {
		return []way{own}, nil
	}
	var out []way
	for _, o := range w.Or {
		if o.Plugin == "" {
			o = own
		}
		out = append(out, o)
	}
	return out, nil
}

func (m mariaDB) kept(text string) (int, error) {
	ways, err := m.ways(text)
	return len(ways), err
}

// hashed is what the server keeps of a password: it is sent in its place.
func hashed(p secret.Value) string {
	once := sha1.Sum([]byte(p.Reveal()))
	twice := sha1.Sum(once[:])
	return "*" + strings.ToUpper(hex.EncodeToString(twice[:]))
}

func (w way) clause() string { return ident(w.Plugin) + " USING " + literal(w.Auth) }

func (mariaDB) identified(p secret.Value) string {
	return "IDENTIFIED VIA " + way{Plugin: native, Auth: hashed(p)}.clause()
}

func (m mariaDB) beside(who string, p secret.Value, kept string) (string, error) {
	ways, err := m.ways(kept)
	if err != nil {
		return "", err
	}
	sql := "ALTER USER " + who + " " + m.identified(p)
	for _, w := range ways {
		sql += " OR " + w.clause()
	}
	return sql, nil
}

func (m mariaDB) alone(who, kept string) (string, error) {
	ways, err := m.ways(kept)
	if err != nil {
		return "", err
	}
	return "ALTER USER " + who + " IDENTIFIED VIA " + ways[0].clause(), nil
}

func (m mariaDB) only(who string, p secret.Value, kept string) ([]string, error) {
	ways, err := m.ways(kept)
	if err != nil {
		return nil, err
	}
	// A roll puts the new one first, and leaves what was there as it was.
	if len(ways) != 2 || ways[1].Plugin != native || !strings.EqualFold(ways[1].Auth, hashed(p)) {
		return nil, fmt.Errorf("the password from before is not the second of two: somebody else has changed them since")
	}
	return []string{"ALTER USER " + who + " IDENTIFIED VIA " + ways[1].clause()}, nil
}

func (mariaDB) defaults(role, who string) string {
	return "SET DEFAULT ROLE " + ident(role) + " FOR " + who
}

// mySQL is from 8.0.14 on: two passwords of one user
// [dev.mysql.com/doc/refman/8.4/en/password-management.html, Dual Password Support].
type mySQL struct{}

func (mySQL) list(except string) string {
	return `SELECT u.User, u.Host, u.account_locked = 'Y', JSON_CONTAINS_PATH(COALESCE(u.User_attributes, '{}'), 'one', '$.additional_password'), ` +
		fmt.Sprintf(sessionsOf, except) + ` FROM mysql.user u WHERE u.User NOT IN ('', 'mysql.sys', 'mysql.session', 'mysql.infoschema')`
}

func (mySQL) kept(text string) (int, error) {
	if text == "1" {
		return 2, nil
	}
	return 1, nil
}

// The password itself is sent: RETAIN CURRENT PASSWORD takes no hash. The server writes
// none into its logs [password-logging.html].
func (mySQL) identified(p secret.Value) string { return "IDENTIFIED BY " + literal(p.Reveal()) }

func (m mySQL) beside(who string, p secret.Value, _ string) (string, error) {
	return "ALTER USER " + who + " " + m.identified(p) + " RETAIN CURRENT PASSWORD", nil
}

func (mySQL) alone(who, _ string) (string, error) {
	return "ALTER USER " + who + " DISCARD OLD PASSWORD", nil
}

// Without RETAIN the first password is replaced and the second stays as it is, so the
// old one works all the time [password-management.html, Dual Password Support].
func (m mySQL) only(who string, p secret.Value, _ string) ([]string, error) {
	return []string{"ALTER USER " + who + " " + m.identified(p), "ALTER USER " + who + " DISCARD OLD PASSWORD"}, nil
}

func (mySQL) defaults(role, who string) string {
	return "SET DEFAULT ROLE " + ident(role) + " TO " + who
}
