package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"strconv"

	my "github.com/go-sql-driver/mysql"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/vendorhttp"
)

type meaning struct {
	class cred.Class
	why   string
}

// numbers is what errors mean [dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html;
// mariadb.com/kb/en/mariadb-error-code-reference]. Above 1900 the two go different ways.
var numbers = map[uint16]meaning{
	1044: {cred.Denied, "the user may not enter this database"},
	1045: {cred.Denied, "wrong password, or no such user from here"},
	1130: {cred.Denied, "the server accepts nobody from this address"},
	1142: {cred.Denied, "the user that Rekey works as may not read or write this table of mysql"},
	1143: {cred.Denied, "the user that Rekey works as may not read or write this column of mysql"},
	1227: {cred.Denied, "the user that Rekey works as lacks a right: CREATE USER, or ADMIN OPTION on the role"},
	1698: {cred.Denied, "the server accepts no password for this user"},
	1820: {cred.Denied, "the password has expired and has to be replaced first"},
	1862: {cred.Denied, "the password has expired and has to be replaced first"},
	3118: {cred.Denied, "the user is locked"},
	4151: {cred.Denied, "the user is locked"},
	1396: {cred.Conflict, "there is such a user already, or there is none"},
	1094: {cred.Absent, "there is no such session any more"},
	1213: {cred.Conflict, "somebody else changed it at the same time"},
	1040: {cred.Limited, "all connections are taken"},
	1129: {cred.Limited, "the server has blocked this address after too many connections that were cut: FLUSH HOSTS"},
	1203: {cred.Limited, "all sessions that the user may have are taken"},
	1205: {cred.Limited, "somebody else holds a lock"},
	1226: {cred.Limited, "a limit of the user is reached"},
	1049: {cred.Refused, "there is no such database"},
	1064: {cred.Refused, "the server does not know this statement: it is too old"},
	1290: {cred.Refused, "the server can be read only: is it a replica?"},
	1524: {cred.Refused, "the server lacks the plugin for passwords"},
	1819: {cred.Refused, "the server's policy refuses the password"},
	1836: {cred.Refused, "the server can be read only: is it a replica?"},
	1959: {cred.Refused, "there is no such role"},
	3523: {cred.Refused, "there is no such role"},
}

// ending says that the session ends, not what became of a statement: shutdown,
// interrupted, killed.
var ending = map[uint16]bool{1053: true, 1317: true, 1927: true, 1028: true}

// answer classifies what became of a statement that may have been sent; partly: others
// were carried out before it.
func (s *Server) answer(ctx context.Context, err error, partly bool) error {
	if _, ok := errors.AsType[*cred.Error](err); ok {
		return err
	}
	if m, ok := errors.AsType[*my.MySQLError](err); ok {
		e := s.known(m)
		e.Maybe = partly
		return e
	}
	e := &cred.Error{Class: cred.Unknown, Why: vendorhttp.Reason(ctx, err, s.address())}
	if errors.Is(err, driver.ErrBadConn) { // nothing was written
		e.Class, e.Maybe = cred.Limited, partly
	}
	return e
}

// unreached classifies why there is no session: nothing was asked yet.
func (s *Server) unreached(ctx context.Context, err error) error {
	if errors.Is(err, outside.ErrClosed) {
		return outside.ErrClosed
	}
	if _, ok := errors.AsType[*cred.Error](err); ok {
		return err
	}
	if m, ok := errors.AsType[*my.MySQLError](err); ok {
		e := s.known(m)
		if _, told := numbers[m.Number]; !told {
			e.Class, e.Why = cred.Limited, "the server accepts no sessions now"
		}
		return e
	}
	switch {
	case errors.Is(err, my.ErrNoTLS):
		return &cred.Error{Class: cred.Refused, Why: "the server does not speak TLS; sslmode: disable sends everything in clear"}
	case errors.Is(err, my.ErrCleartextPassword), errors.Is(err, my.ErrOldPassword), errors.Is(err, my.ErrUnknownPlugin):
		return &cred.Error{Class: cred.Refused, Why: "the server asks for the password in a way that is not safe, or not known"}
	}
	return &cred.Error{Class: cred.Limited, Why: vendorhttp.Reason(ctx, err, s.address())}
}

func (s *Server) known(m *my.MySQLError) *cred.Error {
	if ending[m.Number] {
		return &cred.Error{Class: cred.Unknown, Why: "the server ended the session before it said what became of it"}
	}
	known, ok := numbers[m.Number]
	if !ok {
		return &cred.Error{Class: cred.Refused, Why: "the server refused the statement"}
	}
	e := &cred.Error{Class: known.class, Code: strconv.Itoa(int(m.Number)), Why: known.why}
	if e.Class == cred.Denied {
		e.Where = s.env.Where("user "+s.user, s.address())
	}
	return e
}
