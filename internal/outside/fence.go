package outside

import (
	"context"
	"net"
)

// Fence are ways out on which a change is looked at once more right before it goes out:
// a login or a command that had to be found takes time, and the process may have been
// stopped meanwhile, so that the run is another one's.
type Fence struct {
	Ways
	// Late returns why nothing more may go out; nil: it may.
	Late func(context.Context) error
}

type changingKey struct{}

// Changing marks what is done with ctx as what changes something.
func Changing(ctx context.Context) context.Context {
	return context.WithValue(ctx, changingKey{}, true)
}

func changing(ctx context.Context) bool { return ctx.Value(changingKey{}) != nil }

// Dial opens a connection. Of one that is opened for a change each write is looked at:
// what is sent last is the statement.
func (f Fence) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := f.Ways.Dial(ctx, network, address)
	if err != nil || !changing(ctx) {
		return c, err
	}
	return &fenced{Conn: c, late: func() error { return f.Late(ctx) }}, nil
}

// fenced is a connection that sends nothing once it is too late. The first time it closes
// itself: half a message is worse than none.
type fenced struct {
	net.Conn
	late func() error
}

func (c *fenced) Write(p []byte) (int, error) {
	if err := c.late(); err != nil {
		_ = c.Conn.Close()
		return 0, err
	}
	return c.Conn.Write(p)
}

// Exec starts a program. One that changes something is not started once it is too late.
func (f Fence) Exec(ctx context.Context, c Command) (Ended, error) {
	if changing(ctx) {
		if err := f.Late(ctx); err != nil {
			return Ended{}, err
		}
	}
	return f.Ways.Exec(ctx, c)
}

// Files are those of Ways. A file is replaced or removed by a change only.
func (f Fence) Files() Files { return fencedFiles{f.Ways.Files(), f.Late} }

type fencedFiles struct {
	Files
	late func(context.Context) error
}

func (f fencedFiles) Replace(path string, to File) error {
	to.last = func() error { return f.late(context.Background()) }
	if err := to.last(); err != nil {
		return err
	}
	return f.Files.Replace(path, to)
}

func (f fencedFiles) Remove(path string) error {
	if err := f.late(context.Background()); err != nil {
		return err
	}
	return f.Files.Remove(path)
}
