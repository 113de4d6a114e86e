package journal

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// oneSchema is a name that means the same with quotes and without.
var oneSchema = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// parse reads an address. No error repeats it: it holds a password.
func parse(address string) (*server, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, errors.New("the database's address is not postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	q := u.Query()
	if q.Get("service") == "" && (u.User.Username() == "" || strings.Trim(u.Path, "/") == "" || u.Host == "" && q.Get("host") == "") {
		return nil, errors.New("the database's address has to name user, host and database (or service=NAME): postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	if u.Host == "" && u.Path == "" {
		u.Path = "/" // without it, it would not be written as an address again
	}
	mode := q.Get("sslmode")
	if mode == "allow" || mode == "prefer" {
		return nil, fmt.Errorf("sslmode=%s lets the server choose an unencrypted connection: use verify-full", mode)
	}
	c, err := pgconn.ParseConfig(u.String())
	if err == nil && mode == "" && undecided(c) {
		q.Set("sslmode", "verify-full")
		if here(c) {
			q.Set("sslmode", "disable")
		}
		u.RawQuery = q.Encode()
		c, err = pgconn.ParseConfig(u.String())
	}
	if err != nil {
		return nil, errors.New("the database's address has an option or a file that cannot be read")
	}
	if c.User == "" || c.Database == "" {
		return nil, errors.New("neither the database's address nor its service names user and database")
	}
	s := &server{config: c, schema: "rekey"}
	if named := c.RuntimeParams["search_path"]; named != "" {
		s.schema = named
	}
	if !oneSchema.MatchString(s.schema) {
		return nil, errors.New("search_path names one schema, of small letters, digits and _")
	}
	s.name = fmt.Sprintf("postgres://%s/%s (schema %s)", net.JoinHostPort(c.Host, fmt.Sprint(c.Port)), c.Database, s.schema)
	for name, value := range map[string]string{
		"application_name": "rekey", "client_encoding": "UTF8", "search_path": s.schema, "TimeZone": "UTC", "DateStyle": "ISO",
		"synchronous_commit": "on", "standard_conforming_strings": "on", "lock_timeout": "20s", "idle_in_transaction_session_timeout": "10s",
		// A machine that has vanished frees its locks.
		"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
	} {
		c.RuntimeParams[name] = value
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 15 * time.Second
	}
	// A server that has vanished is missed.
	c.DialFunc = (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}}).DialContext
	return s, nil
}

// undecided tells whether sessions would be encrypted or not as it comes: nobody has
// said how, not the service file and not PGSSLMODE either, or has said such a thing.
func undecided(c *pgconn.Config) bool {
	for _, f := range c.Fallbacks {
		if f.Host == c.Host && f.Port == c.Port && (f.TLSConfig == nil) != (c.TLSConfig == nil) {
			return true
		}
	}
	return false
}

// here tells whether all hosts are on this machine.
func here(c *pgconn.Config) bool {
	hosts := []string{c.Host}
	for _, f := range c.Fallbacks {
		hosts = append(hosts, f.Host)
	}
	return !slices.ContainsFunc(hosts, func(host string) bool {
		ip := net.ParseIP(host)
		return !strings.HasPrefix(host, "/") && host != "localhost" && (ip == nil || !ip.IsLoopback())
	})
}

// HoldsPassword tells whether an address holds what nobody may read: where it does, it
// is named by reference. One that cannot be read is taken for such a one.
func HoldsPassword(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return true
	}
	_, said := u.User.Password()
	q, err := url.ParseQuery(u.RawQuery)
	return said || err != nil || q.Has("password") || q.Has("sslpassword")
}
