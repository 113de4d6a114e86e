package postgres

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"rekey/internal/cred"
	"rekey/internal/logins"
)

// states is what SQLSTATEs mean [postgresql.org/docs/current/errcodes-appendix.html].
var states = map[string]logins.Meaning{
	"28P01": {Class: cred.Denied, Why: "wrong password, or no such role"},
	"28000": {Class: cred.Denied, Why: "the server refuses this role from here: pg_hba.conf, or it may not log in"},
	"42501": {Class: cred.Denied, Why: "the role that Rekey uses may not do this: it lacks CREATEROLE, or the ADMIN OPTION on the role"},
	"0LP01": {Class: cred.Denied, Why: "the role that Rekey uses may not grant this: it lacks the ADMIN OPTION"},
	"42704": {Class: cred.Absent, Why: "there is no such role"},
	"42710": {Class: cred.Conflict, Why: "there is a role of this name already"},
	"22012": {Class: cred.Conflict, Why: "the role is not idle any more: somebody else has given it LOGIN"}, // by ourselves: pair.go
	"55006": {Class: cred.Conflict, Why: "it is in use"},
	"40001": {Class: cred.Conflict, Why: "somebody else changed it at the same time"},
	"40P01": {Class: cred.Conflict, Why: "somebody else changed it at the same time"},
	"XX000": {Class: cred.Conflict, Why: "the server gave up, as when two change a role at the same time"},
	"2BP01": {Class: cred.Refused, Why: "objects or grants still depend on the role"},
	"3D000": {Class: cred.Refused, Why: "there is no such database"},
	"25006": {Class: cred.Refused, Why: "the server is a standby: it can be read only"},
	"42939": {Class: cred.Refused, Why: "the name is PostgreSQL's own"},
	"53300": {Class: cred.Limited, Why: "all connections are taken"},
	"53200": {Class: cred.Limited, Why: "the server is out of memory"},
	"53100": {Class: cred.Limited, Why: "the server's disk is full"},
	"55P03": {Class: cred.Limited, Why: "somebody else holds a lock"},
	"57014": {Class: cred.Limited, Why: "it took too long and was given up"},
	"57P03": {Class: cred.Limited, Why: "the server is starting up or shutting down"},
}

// answer classifies what became of a statement that may have been sent. An error that
// the server itself answers to a statement means that its transaction was undone; one
// that ends the session (FATAL) may come after it was kept.
func (s *Server) answer(ctx context.Context, err error) error {
	if _, ok := errors.AsType[*cred.Error](err); ok {
		return err
	}
	if p, ok := errors.AsType[*pgconn.PgError](err); ok {
		known, ok := states[p.Code]
		switch {
		case p.SeverityUnlocalized != "ERROR": // told since version 9.6
			return logins.Ended()
		case ok:
			return s.Known(p.Code, known)
		}
		return &cred.Error{Class: cred.Refused, Why: "the server refused the statement, which it undid"}
	}
	if pgconn.SafeToRetry(err) {
		return s.Cut(ctx, cred.Limited, err)
	}
	return s.Cut(ctx, cred.Unknown, err)
}

// unreached classifies why there is no session: nothing was asked yet.
func (s *Server) unreached(ctx context.Context, err error) error {
	if told := logins.Told(err); told != nil {
		return told
	}
	if p, ok := errors.AsType[*pgconn.PgError](err); ok {
		if known, ok := states[p.Code]; ok {
			return s.Known(p.Code, known)
		}
		return &cred.Error{Class: cred.Limited, Why: "the server accepts no sessions now"}
	}
	if why := demands(err); why != "" {
		return &cred.Error{Class: cred.Refused, Why: why}
	}
	return s.Cut(ctx, cred.Limited, err)
}

// demands says what of the way to log in is not accepted, by pgconn's words for it;
// the tests hold them against the version that is linked.
func demands(err error) string {
	switch said := err.Error(); {
	case asksNothing(err):
		return "the server asked for no password"
	case strings.Contains(said, "server requested password authentication"):
		return "the server asks for the password in clear, on a connection that anybody can read: use TLS (sslmode)"
	case strings.Contains(said, "server refused TLS connection"):
		return "the server does not speak TLS; sslmode: disable sends everything in clear"
	case strings.Contains(said, "invalid SCRAM ServerSignature"):
		return "the server could not show that it knows the password itself"
	}
	return ""
}

func asksNothing(err error) bool {
	return strings.Contains(err.Error(), "server did not complete authentication")
}
