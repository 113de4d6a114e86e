package outside

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// The errors that have a meaning.
var (
	// ErrClosed: in this world the way leads nowhere; nothing was tried.
	ErrClosed = errors.New("this is a simulation, and this cannot be simulated: no real server, file or command is touched")
	// ErrNotStarted: the program could not be started; nothing happened.
	ErrNotStarted = errors.New("it could not be started")
	// ErrTooLarge: more bytes than are wanted.
	ErrTooLarge = errors.New("it is larger than any that was expected")
	// ErrNotRegular: no ordinary file.
	ErrNotRegular = errors.New("it is not a regular file")
	// ErrUnsure: the file may have been replaced, and may not outlive a power cut.
	ErrUnsure = errors.New("whether the replacement is on disk is not known")
)

// Closed are ways that lead nowhere.
type Closed struct{}

// Dial reaches nothing.
func (Closed) Dial(_ context.Context, _, address string) (net.Conn, error) {
	return nil, fmt.Errorf("%s: %w", address, ErrClosed)
}

// Exec starts nothing.
func (Closed) Exec(_ context.Context, c Command) (Ended, error) {
	return Ended{}, fmt.Errorf("%s: %w", c.Path, ErrClosed)
}

// Files has none.
func (Closed) Files() Files { return noFiles{} }

type noFiles struct{}

func (noFiles) Read(path string, _ int64) (File, error) {
	return File{}, fmt.Errorf("%s: %w", path, ErrClosed)
}
func (noFiles) Replace(path string, _ File) error { return fmt.Errorf("%s: %w", path, ErrClosed) }
func (noFiles) Remove(path string) error          { return fmt.Errorf("%s: %w", path, ErrClosed) }
func (noFiles) Owner(_, _ string) (int, int, error) {
	return -1, -1, fmt.Errorf("owners: %w", ErrClosed)
}
