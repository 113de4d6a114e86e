package redis

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"rekey/internal/cred"
)

// Bounds of an answer: a server that is none, or has gone mad, is not believed.
const (
	longestText = 8 << 20
	longestList = 1 << 18
	deepest     = 8
)

// conn speaks the serialization protocol of Redis, version 2, which every server has
// (redis.io/docs/latest/develop/reference/protocol-spec).
type conn struct {
	net.Conn
	r *bufio.Reader
}

// answer is one: a text, a number as text, or a list.
type answer struct {
	text string
	list []answer
}

// errNonsense: what came is no answer.
var errNonsense = errors.New("it does not speak the protocol of Redis")

// do sends one command and reads its answer. A refusal of the server is an error with
// its class; nothing that the server says is quoted, for it may quote what it was sent.
func (c *conn) do(args ...string) (answer, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := io.WriteString(c.Conn, b.String()); err != nil {
		return answer{}, cut(err)
	}
	a, err := c.read(0)
	if err == nil {
		return a, nil
	}
	if _, classified := errors.AsType[*cred.Error](err); classified {
		return answer{}, err
	}
	return answer{}, cut(err)
}

// cut is the error of a command that may have arrived.
func cut(err error) error {
	why := "the connection was cut before the answer"
	if errors.Is(err, errNonsense) {
		why = "what came back is not an answer of Redis"
	} else if t, ok := errors.AsType[net.Error](err); ok && t.Timeout() {
		why = "no answer in time"
	}
	return &cred.Error{Class: cred.Unknown, Why: why}
}

func (c *conn) read(deep int) (answer, error) {
	// What cannot begin an answer is not waited for to its end.
	if first, err := c.r.Peek(1); err != nil {
		return answer{}, err
	} else if !strings.ContainsRune("+-:$*", rune(first[0])) {
		return answer{}, errNonsense
	}
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		if errors.Is(err, bufio.ErrBufferFull) {
			err = errNonsense
		}
		return answer{}, err
	}
	text, whole := strings.CutSuffix(string(line), "\r\n")
	if !whole || text == "" || deep > deepest {
		return answer{}, errNonsense
	}
	kind, text := text[0], text[1:]
	switch kind {
	case '+', ':':
		return answer{text: text}, nil
	case '-':
		return answer{}, refusal(text)
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return answer{}, errNonsense
	case n == -1:
		return answer{}, nil
	case kind == '$' && n >= 0 && n <= longestText:
		b := make([]byte, n+2)
		if _, err := io.ReadFull(c.r, b); err != nil {
			return answer{}, err
		}
		if string(b[n:]) != "\r\n" {
			return answer{}, errNonsense
		}
		return answer{text: string(b[:n])}, nil
	case kind == '*' && n >= 0 && n <= longestList:
		out := answer{list: []answer{}}
		for range n {
			a, err := c.read(deep + 1)
			if err != nil {
				return answer{}, err
			}
			out.list = append(out.list, a)
		}
		return out, nil
	}
	return answer{}, errNonsense
}

// Codes by which a refusal tells what it is about.
const (
	noACLFile = "no-acl-file"
	noConfig  = "no-config-file"
	wrongPass = "WRONGPASS"
	noPerm    = "NOPERM"
	noCommand = "no-command"
)

// refusal reads an error of the server. A command that is answered by one of these was
// not carried out: ACL SETUSER works on a copy of the user, and takes all of its rules
// or none (redis/src/acl.c).
func refusal(text string) error {
	code, _, _ := strings.Cut(text, " ")
	refused := func(class cred.Class, code, why string) error {
		return &cred.Error{Class: class, Code: code, Why: why}
	}
	has := func(what string) bool { return strings.Contains(text, what) }
	switch {
	case code == wrongPass:
		return refused(cred.Denied, code, "name or password is wrong, or the user is off")
	case code == "NOAUTH":
		return refused(cred.Denied, code, "the server wants a password, and none was given")
	case code == noPerm:
		return refused(cred.Denied, code, "the ACL does not let this user do it")
	case code == "DENIED":
		return refused(cred.Denied, code, "the server is in protected mode, and takes nobody from elsewhere")
	case code == "LOADING", code == "BUSY", code == "MASTERDOWN", code == "TRYAGAIN":
		return refused(cred.Limited, code, "the server is busy with something else")
	case has("max number of clients"):
		return refused(cred.Limited, "", "all connections that the server takes (maxclients) are taken")
	case has("not configured to use an ACL file"):
		return refused(cred.Refused, noACLFile, "the server has no ACL file")
	case has("without a config file"):
		return refused(cred.Refused, noConfig, "the server runs without a configuration file")
	case has("unknown command"), has("nknown subcommand"), has("wrong number of arguments for 'auth'"):
		return refused(cred.Refused, noCommand, "the server does not know the command: is it older than Redis 6?")
	case has("Error in ACL SETUSER modifier"), has("Usernames can't contain"), has("user cannot be removed"):
		return refused(cred.Refused, "", "the server does not take this name, or this rule")
	}
	return refused(cred.Unknown, "", "an error that Redis is not known to give")
}
