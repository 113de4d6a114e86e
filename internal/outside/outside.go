// Package outside is the ways out of this process that are not HTTP: connections, commands and files, each of which can be closed.
//
// A driver reaches the world only through what it is handed. In a simulated world it
// is handed the ways of doubles, or Closed: so a simulation cannot reach a real
// server, file or command.
package outside

import (
	"context"
	"net"
	"time"

	"rekey/internal/secret"
)

// Ways are all of them.
type Ways interface {
	// Dial opens a connection; network is "tcp" or "unix", address as for net.Dial.
	// It asks once: no second address is tried after one that took the connection.
	Dial(ctx context.Context, network, address string) (net.Conn, error)

	// Exec starts one program and waits for its end. That it could not be started is
	// ErrNotStarted: then nothing happened. Any other error means that it may have
	// done what it is for, in part or whole. An exit status is not an error.
	Exec(ctx context.Context, c Command) (Ended, error)

	// Files are the file system's.
	Files() Files
}

// Command is one program to start. It gets no environment but Env, no terminal, and
// nothing secret in its arguments, for those everybody on the machine can read.
type Command struct {
	Path  string   // of the program; without a slash it is looked for in PATH
	Args  []string // without the program
	Env   []string // NAME=value; nil: PATH, HOME and LANG of this process only
	More  []string // NAME=value beside those of this process, where Env is nil
	Dir   string   // where it runs; "": here
	Stdin secret.Value
	// Limit is how many bytes of each output are kept; more end it. 0: 1 MiB.
	Limit int
	// Patience is how long it may take; 0: 30 s. At its end it and its children are killed.
	Patience time.Duration
}

// Ended is how a program ended.
type Ended struct {
	Exit   int // status; -1: by a signal
	Stdout secret.Value
	Stderr secret.Value // what it complained of: it may quote what it was given
}

// File is one file as it is.
type File struct {
	Content  secret.Value
	Mode     uint32 // permission bits
	UID, GID int    // owner; -1: this system has none
	Changed  time.Time
	ID       string // another one whenever the file was replaced (device and inode); "": not told

	last func() error // asked when nothing is left to do but to put it in its place; nil: nobody is
}

// Files reads and replaces files.
type Files interface {
	// Read returns a file. fs.ErrNotExist: there is none; ErrTooLarge: it has more
	// than limit bytes; ErrNotRegular: a folder, a device, a pipe. Symbolic links are
	// followed. Read-only.
	Read(path string, limit int64) (File, error)

	// Replace writes a file so that any reader sees the old one or the new one whole,
	// also after a power cut: beside it, synced, renamed. Mode and owner are those of
	// f. The error says what could not be done; the old file is then still there,
	// unless Is(err, ErrUnsure). Idempotent.
	Replace(path string, f File) error

	// Remove takes a file away. Idempotent: that there is none is not an error.
	Remove(path string) error

	// Owner returns the numbers of a user and a group, which are given by name or
	// number; -1 for one that is "": it stays as it is. Read-only.
	Owner(user, group string) (uid, gid int, err error)
}
