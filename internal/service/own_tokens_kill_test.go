package service_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rekey/internal/access"
	"rekey/internal/rotation"
	"rekey/internal/service"
)

const (
	servesFrom = "REKEY_TEST_SERVES_FROM" // folder with rekey.yaml
	servesAt   = "REKEY_TEST_SERVES_AT"   // address that it listens on
)

// serves is a service as a process of its own, until it is killed.
func serves(dir, at string) {
	l, err := net.Listen("tcp", at)
	if err == nil {
		var s *service.Service
		s, err = service.Open(context.Background(), service.Options{
			File: filepath.Join(dir, "rekey.yaml"), Listen: at, Name: fmt.Sprint("process ", os.Getpid()), Tool: "test", Every: 10 * time.Millisecond, Tick: 50 * time.Millisecond, Noted: time.Second, Lease: service.ShortestLease,
			Env: func(string) (string, bool) { return "", false }, User: func() string { return "root@laptop" }, Log: slog.New(slog.DiscardHandler),
		})
		if err == nil {
			err = s.Serve(context.Background(), l)
		}
	}
	fmt.Fprintln(os.Stderr, err)
}

// process starts one on the address of the service, which was stopped before.
func (x *own) process() (kill func()) {
	x.Helper()
	c := exec.Command(os.Args[0])
	c.Env, c.Stderr = append(os.Environ(), servesFrom+"="+x.dir, servesAt+"="+strings.TrimPrefix(x.at, "http://")), os.Stderr
	if err := c.Start(); err != nil {
		x.Fatal(err)
	}
	kill = func() { _ = c.Process.Kill(); _ = c.Wait() }
	x.Cleanup(kill)
	return kill
}

// TestAServiceIsKilledWhileItRotatesItsOwnTokens: kill -9 at any instant, and nothing but a
// start after it. What the files hold works all the time, and at the end one token of each is
// live, which is what they hold.
func TestAServiceIsKilledWhileItRotatesItsOwnTokens(t *testing.T) {
	t.Parallel()
	x := serveOwn(t)
	_, ops, err := x.tokens.Create(t.Context(), rotation.Who{Name: "root@laptop", Roles: []string{"operator"}}, access.Wanted{Name: "ops"})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.stop(); err != nil {
		t.Fatal(err)
	}
	c := (&place{T: t, at: x.at}).client(ops)
	after := map[string]int{}
	kill := x.process()
	for range 6 {
		select {
		case path := <-x.passed:
			after[path]++
		case <-time.After(10 * time.Second):
			after["a while"]++
		}
		time.Sleep(rand.N(300 * time.Millisecond))
		kill()
		kill = x.process()
		up := false
		for range 200 {
			if _, err := c.Whoami(t.Context()); err == nil {
				up = true
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if !up {
			t.Fatal("it does not come up")
		}
		for _, file := range []string{"job.env", "rotator"} {
			if !x.works(x.held(file)) {
				t.Errorf("killed after %v: what %s holds does not work", after, file)
			}
		}
	}
	t.Logf("killed after %v", after)
	x.rotated(c, "REKEY_NIGHTLY", 1)
	x.rotated(c, "REKEY_ROTATOR", 1)
	for family, file := range map[string]string{"nightly-": "job.env", "rotator-": "rotator"} {
		if live := x.live(family); len(live) != 1 || !x.works(x.held(file)) {
			t.Errorf("of %s there are %+v", family, live)
		}
	}
}
