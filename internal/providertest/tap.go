package providertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"

	"rekey/internal/outside"
	"rekey/internal/secret"
)

// kind of a use of a way out.
type kind string

// The kinds.
const (
	request kind = "request" // over HTTP
	dial    kind = "dial"
	send    kind = "send" // something written to a connection
	program kind = "program"
	read    kind = "read"  // of a file
	write   kind = "write" // or removal of a file
)

// tap stands between a driver and its world: it notes each use of a way out, and does
// wrong what it is told to do wrong.
type tap struct {
	b    *bench
	bad  func(*http.Request) (*http.Response, error) // nil: the world answers
	when func(*http.Request) bool                    // which requests are answered badly; nil: all
	// fault is met at the at-th use of its kinds; in pieces: at all.
	fault *fault
	at    int

	// judged: what passes is held against what the vendor publishes.
	judged bool

	mu      sync.Mutex
	uses    []kind
	sent    []string // method and address of requests, in order
	loose   []string // uses without a deadline
	met     kind     // the use that met the fault; "": none did yet
	reached chan struct{}
	poured  int64 // bytes of what has no end
}

func (b *bench) tap() *tap { return &tap{b: b, reached: make(chan struct{})} }

// use notes one, and says how it goes wrong.
func (t *tap) use(ctx context.Context, k kind, what string) mode {
	if _, ok := ctx.Deadline(); !ok {
		t.mu.Lock()
		t.loose = append(t.loose, what)
		t.mu.Unlock()
	}
	return t.part(k)
}

// part is use for what has no deadline of its own: a file, what is sent on a connection.
func (t *tap) part(k kind) mode {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := 0
	for _, u := range t.uses {
		if t.fault != nil && slices.Contains(t.fault.kinds, u) {
			before++
		}
	}
	t.uses = append(t.uses, k)
	if t.fault == nil || !slices.Contains(t.fault.kinds, k) || before != t.at && t.fault.mode != slowly {
		return well
	}
	if t.met == "" {
		t.met = k
		close(t.reached)
	}
	return t.fault.mode
}

// count is how many uses of some kinds there were.
func (t *tap) count(kinds ...kind) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, u := range t.uses {
		if slices.Contains(kinds, u) {
			n++
		}
	}
	return n
}

// twice returns a request that was sent more than once, and more often than it is
// where nothing goes wrong; usual nil: once.
func (t *tap) twice(usual []string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	often, n := map[string]int{}, map[string]int{}
	for _, s := range usual {
		often[s]++
	}
	for _, s := range t.sent {
		if n[s]++; n[s] > max(1, often[s]) {
			return s
		}
	}
	return ""
}

// errCut says nothing of what happened, and quotes what nobody may print.
var errCut = fmt.Errorf("%s: %w", Canary, syscall.ECONNRESET)

func refusal() error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("%s: %w", Canary, syscall.ECONNREFUSED)}
}

// RoundTrip carries a request.
func (t *tap) RoundTrip(req *http.Request) (*http.Response, error) {
	t.mu.Lock()
	t.sent = append(t.sent, req.Method+" "+req.URL.String())
	t.mu.Unlock()
	m := t.use(req.Context(), request, req.Method+" "+req.URL.Path)
	if t.bad != nil && (t.when == nil || t.when(req)) {
		return t.bad(req)
	}
	switch m {
	case refused:
		return nil, refusal()
	case cutBefore:
		return nil, errCut
	case garbled:
		return reply(req, http.StatusOK, "application/json", strings.NewReader(garbage)), nil
	case silent:
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	if t.b.d.Transport == nil {
		return nil, errors.New("the double of this driver answers no requests")
	}
	var way http.RoundTripper = t.b.d.Transport
	if t.b.s.Judge != nil && t.judged {
		way = t.b.s.Judge.Around(way)
	}
	resp, err := way.RoundTrip(req)
	switch {
	case err != nil:
	case m == cutAfter:
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		return nil, errCut
	case m == slowly:
		resp.Body = slow{resp.Body}
	}
	return resp, err
}

// Dial opens a connection.
func (t *tap) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if m := t.use(ctx, dial, "dial "+address); m == refused {
		return nil, refusal()
	}
	c, err := t.b.d.Ways.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &line{world: c, now: c, tap: t}, nil
}

// Exec starts a program.
func (t *tap) Exec(ctx context.Context, c outside.Command) (outside.Ended, error) {
	killed := outside.Ended{Exit: -1, Stderr: secret.New(Canary)}
	m := t.use(ctx, program, "start "+c.Path)
	switch m {
	case refused:
		return outside.Ended{}, fmt.Errorf("%s: %w", c.Path, outside.ErrNotStarted)
	case cutBefore:
		return killed, nil
	case failing:
		return outside.Ended{Exit: 1, Stderr: secret.New(Canary)}, nil
	case garbled:
		return outside.Ended{Stdout: secret.New(garbage)}, nil
	case silent:
		<-ctx.Done()
		return killed, ctx.Err()
	}
	e, err := t.b.d.Ways.Exec(ctx, c)
	switch {
	case err != nil:
	case m == cutAfter:
		return killed, nil
	case m == endless:
		return killed, fmt.Errorf("%s: %w", c.Path, outside.ErrTooLarge)
	}
	return e, err
}

// Files are the world's.
func (t *tap) Files() outside.Files { return files{t, t.b.d.Ways.Files()} }

type files struct {
	tap   *tap
	world outside.Files
}

func (f files) fails(path string) error { return fmt.Errorf("%s: %s: %w", path, Canary, syscall.EIO) }

func (f files) Read(path string, limit int64) (outside.File, error) {
	switch f.tap.part(read) {
	case refused:
		return outside.File{}, f.fails(path)
	case endless:
		return outside.File{}, fmt.Errorf("%s: %w", path, outside.ErrTooLarge)
	}
	return f.world.Read(path, limit)
}

func (f files) Replace(path string, file outside.File) error {
	m := f.tap.part(write)
	if m == refused || m == cutBefore {
		return f.fails(path)
	}
	if err := f.world.Replace(path, file); err != nil || m != cutAfter {
		return err
	}
	return fmt.Errorf("%s: %w: %w", path, outside.ErrUnsure, f.fails(path))
}

func (f files) Remove(path string) error {
	m := f.tap.part(write)
	if m == refused || m == cutBefore {
		return f.fails(path)
	}
	if err := f.world.Remove(path); err != nil || m != cutAfter {
		return err
	}
	return f.fails(path)
}

func (f files) Owner(user, group string) (int, int, error) { return f.world.Owner(user, group) }

// slow hands out one byte at a time.
type slow struct{ io.ReadCloser }

func (s slow) Read(p []byte) (int, error) {
	if len(p) > 1 {
		p = p[:1]
	}
	return s.ReadCloser.Read(p)
}
