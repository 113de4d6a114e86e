package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"strconv"

	my "github.com/go-sql-driver/mysql"

	"rekey/internal/cred"
	"rekey/internal/logins"
)

// numbers is what errors mean [dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html;
// mariadb.com/kb/en/mariadb-error-code-reference]. Above 1900 the two go different ways.
var numbers = map[uint16]logins.Meaning{
	1044: {Class: cred.Denied, Why: "the user may not enter this database"},
	1045: {Class: cred.Denied, Why: "wrong password, or no such user for this address"},
	1130: {Class: cred.Denied, Why: "the server accepts no connections from this address"},
	1142: {Class: cred.Denied, Why: "the user that Rekey uses may not read or write this table of mysql"},
	1143: {Class: cred.Denied, Why: "the user that Rekey uses may not read or write this column of mysql"},
	1227: {Class: cred.Denied, Why: "the user that Rekey uses lacks a right: CREATE USER, or ADMIN OPTION on the role"},
	1698: {Class: cred.Denied, Why: "the server accepts no password for this user"},
	1820: {Class: cred.Denied, Why: "the password has expired and has to be replaced first"},
	1862: {Class: cred.Denied, Why: "the password has expired and has to be replaced first"},
	3118: {Class: cred.Denied, Why: "the user is locked"},
	4151: {Class: cred.Denied, Why: "the user is locked"},
	1396: {Class: cred.Conflict, Why: "there is such a user already, or there is none"},
	1094: {Class: cred.Absent, Why: "there is no such session any more"},
	1213: {Class: cred.Conflict, Why: "somebody else changed it at the same time"},
	1040: {Class: cred.Limited, Why: "all connections are taken"},
	1129: {Class: cred.Limited, Why: "the server has blocked this address after too many connections that were cut: FLUSH HOSTS"},
	1203: {Class: cred.Limited, Why: "all sessions that the user may have are taken"},
	1205: {Class: cred.Limited, Why: "somebody else holds a lock"},
	1226: {Class: cred.Limited, Why: "a limit of the user is reached"},
	1049: {Class: cred.Refused, Why: "there is no such database"},
	1064: {Class: cred.Refused, Why: "the server does not know this statement: it is too old"},
	1290: {Class: cred.Refused, Why: "the server can be read only: is it a replica?"},
	1524: {Class: cred.Refused, Why: "the server lacks the plugin for passwords"},
	1819: {Class: cred.Refused, Why: "the server's policy refuses the password"},
	1836: {Class: cred.Refused, Why: "the server can be read only: is it a replica?"},
	1959: {Class: cred.Refused, Why: "there is no such role"},
	1969: {Class: cred.Unknown, Why: "it took too long, and the server gave it up"},
	3523: {Class: cred.Refused, Why: "there is no such role"},
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
	e := s.Cut(ctx, cred.Unknown, err)
	if errors.Is(err, driver.ErrBadConn) { // nothing was written
		e.Class, e.Maybe = cred.Limited, partly
	}
	return e
}

// unreached classifies why there is no session: nothing was asked yet.
func (s *Server) unreached(ctx context.Context, err error) error {
	if told := logins.Told(err); told != nil {
		return told
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
	return s.Cut(ctx, cred.Limited, err)
}

func (s *Server) known(m *my.MySQLError) *cred.Error {
	if ending[m.Number] {
		return logins.Ended()
	}
	known, ok := numbers[m.Number]
	if !ok {
		return &cred.Error{Class: cred.Refused, Why: "the server refused the statement"}
	}
	return s.Known(strconv.Itoa(int(m.Number)), known)
}
