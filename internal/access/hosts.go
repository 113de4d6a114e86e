package access

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"rekey/internal/sop"
)

// MayListen says why a server may not listen on an address, as net.Listen takes it:
// beyond loopback it may only where rekey.yaml has a way to come in that proves who
// comes. Otherwise anybody who can reach it could do everything.
func MayListen(addr string, id *sop.Identity) error {
	if loopbackListens(addr) || id.Proves() {
		return nil
	}
	return fmt.Errorf("not on %s, for %s: anybody who can reach it could do everything\n  next  listen on 127.0.0.1, or say under identity how people sign in: docs/access.md", addr, unproven(id))
}

// mayBeCalled says why a server may not go by an address for browsers: one that is not
// of this machine means that something in front leads others to it, however it listens.
func mayBeCalled(base *url.URL, id *sop.Identity) error {
	if base == nil || sop.Loopback(base.Hostname()) || id.Proves() {
		return nil
	}
	return fmt.Errorf("not as %s, for %s: anybody who is sent here could do everything\n  next  leave --url out, or say under identity how people sign in: docs/access.md", base, unproven(id))
}

func unproven(id *sop.Identity) string {
	if id == nil {
		return "rekey.yaml has no identity"
	}
	return "identity in rekey.yaml names no way to prove who somebody is (oidc, sign_in, proxy, or a role for a token)"
}

// loopbackListens reports whether only this machine reaches an address. A name is
// believed only where it is localhost: others may mean anything.
func loopbackListens(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && sop.Loopback(host)
}

var errHost = errors.New("this server is not configured for that host name: its administrator sets it with --url, and a proxy in front has to pass the Host header unchanged, with its port")

// host refuses a request for a name that is not the server's own. A page of somebody
// else whose name is made to lead to this machine (DNS rebinding) is of the same origin
// for the browser, so nothing else tells it apart.
func (a *Access) host(r *http.Request) error {
	host := r.Host
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	switch {
	case a.base != nil && strings.EqualFold(host, a.base.Host):
		return nil
	case sop.Loopback(name) && loopbackListens(a.Listen):
		return nil
	case a.base == nil && !loopbackListens(a.Listen) && name != "":
		return nil // it was not told its name, and whoever asks has to prove who he is
	case r.Header.Get("Authorization") != "" && (net.ParseIP(name) != nil || a.base != nil && strings.EqualFold(name, a.base.Hostname())):
		// Prometheus asks each process by its address. A page that was led here has no token,
		// and with this header nothing else says who asks.
		return nil
	}
	return errHost
}

// origin is the address of the server for a browser that asked.
func (a *Access) origin(r *http.Request) string {
	if a.base != nil {
		return a.base.Scheme + "://" + a.base.Host
	}
	return "http://" + r.Host // host has looked at it: loopback
}

// secure reports whether browsers come by https.
func (a *Access) secure() bool { return a.base != nil && a.base.Scheme == "https" }
