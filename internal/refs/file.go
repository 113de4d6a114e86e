package refs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// maxValue bounds what a reference may give: a token, a key, a cookie.
const maxValue = 64 << 10

func tooLarge() error {
	return fmt.Errorf("it gives more than %d KB, which no secret is", maxValue>>10)
}

// readFile reads a small file, or a pipe that somebody writes into. It is opened
// without waiting: a pipe without a writer would hold the program for ever.
func readFile(ctx context.Context, path string, patience time.Duration) (b []byte, there bool, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, true, fmt.Errorf("the file cannot be read: %w", reason(err))
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err != nil {
		return nil, true, fmt.Errorf("the file cannot be read: %w", reason(err))
	}
	switch mode := st.Mode(); {
	case mode.IsDir():
		return nil, true, errors.New("it is a folder")
	case mode&fs.ModeNamedPipe != 0:
		b, err = readPipe(ctx, f, patience)
	case !mode.IsRegular():
		return nil, true, errors.New("it is a device, and no file")
	default:
		b, err = io.ReadAll(io.LimitReader(f, maxValue+1))
	}
	switch {
	case errors.Is(err, errNobodyWrote), ctx.Err() != nil && err != nil:
		return nil, true, err
	case err != nil:
		return nil, true, fmt.Errorf("the file cannot be read: %w", reason(err))
	case len(b) > maxValue:
		clear(b)
		return nil, true, tooLarge()
	}
	return b, true, nil
}

var errNobodyWrote = errors.New("it is a pipe, and nobody has written it to its end in time")

// readPipe reads until its writer is done; one that has not opened it yet is
// waited for.
func readPipe(ctx context.Context, f *os.File, patience time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for {
		b, err := io.ReadAll(io.LimitReader(f, maxValue+1))
		switch {
		case len(b) > 0 && err == nil:
			return b, nil
		case context.Cause(ctx) == context.Canceled:
			return nil, ctx.Err()
		case ctx.Err() != nil:
			return nil, errNobodyWrote
		case err != nil:
			return nil, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// reason is an error without the path, which the reference says already.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
