//go:build !windows

package engine_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"rekey/internal/engine"
	"rekey/internal/estate"
	"rekey/internal/journal"
	"rekey/internal/sop"
)

// The worker's environment: the test binary is its own worker.
const (
	workerName    = "REKEY_TEST_WORKER"
	workerFolder  = "REKEY_TEST_FOLDER"
	workerAddress = "REKEY_TEST_DATABASE"
	workerLease   = "REKEY_TEST_LEASE" // "": chaosLease
	workerHands   = "REKEY_TEST_HANDS" // how many runs at once; "": 8
)

// beWorker is a worker's whole life: it works until it is told to hand over.
func beWorker(name string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() { // it does not outlive the test
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(2)
	}()
	var j *journal.Journal
	for {
		var err error
		if j, err = journal.OpenPostgres(ctx, os.Getenv(workerAddress)); err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	defer func() { _ = j.Close() }()
	for ctx.Err() == nil {
		e, err := chaosEngine(os.Getenv(workerFolder), name, j, marked{name, http.DefaultTransport})
		if err == nil {
			err = e.Work(ctx)
		}
		if err == nil {
			return nil
		}
		fmt.Fprintln(os.Stderr, name, "begins anew:", err)
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}

// marked tells the vendors which process asks, for the judge.
type marked struct {
	name string
	next http.RoundTripper
}

func (m marked) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("X-Test-Process", m.name)
	return m.next.RoundTrip(req)
}

func chaosEngine(dir, name string, j *journal.Journal, network http.RoundTripper) (*engine.Engine, error) {
	config, err := sop.Load(filepath.Join(dir, "rekey.yaml"))
	if err != nil {
		return nil, err
	}
	term := chaosLease
	if text := os.Getenv(workerLease); text != "" {
		if term, err = time.ParseDuration(text); err != nil {
			return nil, err
		}
	}
	hands := 8
	if text := os.Getenv(workerHands); text != "" {
		if hands, err = strconv.Atoi(text); err != nil {
			return nil, err
		}
	}
	es := estate.New(config, estate.Surroundings{Tool: "test", Network: network, Journal: j, User: func() string { return name }})
	return engine.New(engine.Options{
		Estate: func() *estate.Estate { return es }, Name: name, Lease: term, Poll: 100 * time.Millisecond, Park: 200 * time.Millisecond, AtOnce: hands,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo})).With("process", name),
	}), nil
}

// process is a worker's process, begun again whenever it has ended.
type process struct {
	name string
	c    *chaos
	mu   sync.Mutex
	cmd  *exec.Cmd
	n    int
}

func (p *process) start(more ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), workerName+"="+fmt.Sprintf("%s-%d", p.name, p.n), workerFolder+"="+p.c.dir, workerAddress+"="+p.c.workers+"&test.process="+fmt.Sprintf("%s-%d", p.name, p.n))
	p.cmd.Env = append(p.cmd.Env, more...)
	p.cmd.Stderr = p.c.said
	p.cmd.Stdout = p.c.said
	if _, err := p.cmd.StdinPipe(); err != nil {
		p.c.Error(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.c.Error(err)
	}
}

// end ends the process by a signal, and begins another one after a while.
func (p *process) end(sig syscall.Signal, pause time.Duration) {
	p.mu.Lock()
	cmd := p.cmd
	p.mu.Unlock()
	_ = cmd.Process.Signal(sig)
	_ = cmd.Wait()
	time.Sleep(pause)
	p.start()
}

// freeze stops the process for longer than its leases last, and lets it go on.
func (p *process) freeze(d time.Duration) {
	p.mu.Lock()
	cmd, name := p.cmd, fmt.Sprintf("%s-%d", p.name, p.n)
	p.mu.Unlock()
	from := time.Now()
	_ = cmd.Process.Signal(syscall.SIGSTOP)
	time.Sleep(d)
	_ = cmd.Process.Signal(syscall.SIGCONT)
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	p.c.frozen = append(p.c.frozen, frozen{name, from, time.Now()})
}
