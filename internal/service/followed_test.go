package service_test

import (
	"bufio"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"rekey/internal/client"
	"rekey/internal/estate"
	"rekey/internal/rotation"
)

// TestWhoIsSentAwayFollowsNoRunAnyMore: a run that waits is followed by the API and by the
// console with tokens of three kinds. One is revoked, of one the role is taken away in
// rekey.yaml: their streams end, and asking again is refused. The third goes on.
func TestWhoIsSentAwayFollowsNoRunAnyMore(t *testing.T) {
	t.Parallel()
	p, root := serveIdentified(t, func(_ *place, text string) string {
		return strings.Replace(text, "timing: {poll: 50ms, quiet: 50ms,", "timing: {poll: 50ms, quiet: 1h,", 1)
	})
	text, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	roles := strings.Replace(string(text), "    bot: [{token: nightly}]\n", "    bot: [{token: stays}, {token: revoked}]\n    gone: [{token: loses}]\n", 1)
	roles = strings.Replace(roles, "  grants:\n", "  grants:\n    - {role: gone, may: [look]}\n", 1)
	roles = strings.Replace(roles, "may: [look, admin]", "may: [look, admin, change]", 1)
	p.write(roles)
	ops, token := p.client(root), map[string]string{}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if me, err := ops.Whoami(t.Context()); err == nil && len(me.May) > 0 && mayChange(me) {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("%+v (%v)", me, err)
		}
	}
	for _, name := range []string{"stays", "revoked", "loses"} {
		made, err := ops.CreateToken(t.Context(), client.TokenWanted{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		token[name] = made.Secret
	}
	run := p.begin(root, "CF_ACCESS_SVC_CONSOLE")
	type followed struct {
		name, path string
		over       chan struct{}
		body       *http.Response
	}
	var all []followed
	follow := func(token, path string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.at+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
	for _, name := range []string{"stays", "revoked", "loses"} {
		for _, path := range []string{"/api/v1/runs/" + run + "/events", "/runs/" + run + "/events"} {
			x := followed{name: name, path: path, over: make(chan struct{}), body: follow(token[name], path)}
			if x.body.StatusCode != http.StatusOK {
				t.Fatalf("%s %s: %s", name, path, x.body.Status)
			}
			go func() {
				defer close(x.over)
				for in := bufio.NewReader(x.body.Body); ; {
					if _, err := in.ReadString('\n'); err != nil {
						return
					}
				}
			}()
			all = append(all, x)
		}
	}
	ends := func(name string) {
		t.Helper()
		for _, x := range all {
			if x.name != name {
				continue
			}
			select {
			case <-x.over:
			case <-time.After(20 * time.Second):
				t.Errorf("%s follows %s on", name, x.path)
			}
			if resp := follow(token[name], x.path); resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s is answered %s by %s", name, resp.Status, x.path)
			}
		}
	}
	if _, err := ops.RevokeTokens(t.Context(), "revoked"); err != nil {
		t.Fatal(err)
	}
	ends("revoked")
	for _, x := range all {
		select {
		case <-x.over:
			if x.name != "revoked" {
				t.Errorf("%s by %s ended too", x.name, x.path)
			}
		default:
		}
	}
	p.write(strings.Replace(roles, "    gone: [{token: loses}]\n", "    gone: [{token: other}]\n", 1))
	ends("loses")
	if resp := follow(token["stays"], "/runs/"+run+"/events"); resp.StatusCode != http.StatusOK {
		t.Errorf("who may look as before is answered %s", resp.Status)
	}
}

func mayChange(me estate.Whoami) bool {
	for _, a := range me.May {
		if a.Op == "rotate" {
			return a.All || len(a.On) > 0
		}
	}
	return false
}

// begin opens a run, and returns its id.
func (p *place) begin(token, credential string) string {
	p.Helper()
	ctx := p.Context()
	run := make(chan string, 1)
	go func() {
		_, _ = p.client(token).Open(ctx, estate.Opening{Wish: estate.Wish{Credential: credential}, Confirm: credential}, begun{run: run})
	}()
	select {
	case id := <-run:
		return id
	case <-time.After(20 * time.Second):
		p.Fatal("no run began")
	}
	return ""
}

// begun is a face that tells which run has begun.
type begun struct {
	estate.Silent
	run chan string
}

func (b begun) Event(e rotation.Event) {
	select {
	case b.run <- e.Run:
	default:
	}
}
