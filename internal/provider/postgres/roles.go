package postgres

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"rekey/internal/cred"
)

// role is one as the server has it.
type role struct {
	name     string
	login    bool
	until    time.Time
	comment  string // without our stamp
	stamp    stamp
	sessions int       // of others than Rekey
	now      time.Time // by the server's clock
}

// stamp is what we note of a generation, in the role's comment after what others wrote.
type stamp struct {
	Name  string    `json:"name,omitempty"` // that the run gave it; "": no generation lives in it
	Made  time.Time `json:"made,omitzero"`
	Count int       `json:"count,omitempty"` // of the passwords that we gave the role
}

const stampBegins, stampEnds = "[rekey ", "]"

func readComment(text string) (theirs string, s stamp) {
	at := strings.LastIndex(text, stampBegins)
	if at < 0 || !strings.HasSuffix(text, stampEnds) {
		return text, stamp{}
	}
	if json.Unmarshal([]byte(text[at+len(stampBegins):len(text)-len(stampEnds)]), &s) != nil {
		return text, stamp{}
	}
	return strings.TrimSuffix(text[:at], " "), s
}

// stamped is the statement that notes s and keeps what others wrote.
func stamped(name, theirs string, s stamp) string {
	b, _ := json.Marshal(s)                                // of texts, times and numbers
	inside := strings.ReplaceAll(string(b), "[", `\u005b`) // it holds no list: a name is not to look like our mark
	if theirs != "" {
		theirs += " "
	}
	return "; COMMENT ON ROLE " + ident(name) + " IS " + literal(theirs+stampBegins+inside+stampEnds)
}

// ident and literal quote [postgresql.org/docs/current/sql-syntax-lexical.html]; every
// session of ours has standard_conforming_strings on.
func ident(s string) string   { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
func literal(s string) string { return `'` + strings.ReplaceAll(s, `'`, `''`) + `'` }

const columns = `r.rolname, r.rolcanlogin,
 CASE WHEN isfinite(r.rolvaliduntil) THEN extract(epoch FROM r.rolvaliduntil)::bigint END,
 shobj_description(r.oid, 'pg_authid'),
 (SELECT count(*) FROM pg_stat_activity a WHERE a.usesysid = r.oid AND a.application_name IS DISTINCT FROM '` + application + `'),
 (extract(epoch FROM now()) * 1000000)::bigint`

// find asks for roles; from is what follows FROM.
func (s *Server) find(ctx context.Context, op, from string, args ...string) ([]role, error) {
	asked := s.Env.Now()
	rows, err := s.rows(ctx, op, "SELECT "+columns+" FROM "+from+" ORDER BY r.rolname", args...)
	if err != nil {
		return nil, err
	}
	out := make([]role, len(rows))
	for i, x := range rows {
		r := role{name: x[0], login: x[1] == "t"}
		r.comment, r.stamp = readComment(x[3])
		if sec, err := strconv.ParseInt(x[2], 10, 64); err == nil && time.Unix(sec, 0).UTC().Year() <= 9999 {
			r.until = time.Unix(sec, 0).UTC()
		}
		r.sessions, _ = strconv.Atoi(x[4])
		micro, _ := strconv.ParseInt(x[5], 10, 64)
		r.now = time.UnixMicro(micro).UTC()
		out[i] = r
	}
	if len(out) > 0 {
		s.Tell(out[0].now, asked)
	}
	return out, nil
}

// now is the time by the server's clock, as far as it was told.
func (s *Server) now() time.Time {
	ahead, _ := s.Ahead()
	return s.Env.Now().Add(ahead).UTC().Truncate(time.Second)
}

// handle of a role; that sessions are open now is its last use.
func (r role) handle() cred.Handle {
	h := cred.Handle{ID: r.name, Public: r.name, Name: r.name, Created: r.stamp.Made, Expires: r.until, Disabled: !r.login}
	if r.sessions > 0 {
		h.LastSeen = r.now
	}
	return h
}
