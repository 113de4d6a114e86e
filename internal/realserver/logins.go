//go:build !windows

package realserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// Issuing is what a test of an issuer asks on a real server.
type Issuing struct {
	T          testing.TB
	Connection map[string]any // the settings of the vendor
	Password   string         // what each reference in them gives
	Ways       outside.Ways   // nil: the real ones

	Late func(context.Context) error // as in provider.Env
	Left func() time.Duration        // as in provider.Env

	mu    sync.Mutex
	calls []vendorhttp.Call
}

// Env is the environment in which the driver is opened.
func (i *Issuing) Env() provider.Env {
	ways := i.Ways
	if ways == nil {
		ways = outside.Real{}
	}
	return provider.Env{
		Now: time.Now, Outside: ways, Late: i.Late, Left: i.Left,
		Resolve: func(_ context.Context, refs sop.Refs) (secret.Value, provider.Source, error) {
			return secret.New(i.Password), provider.Source{Ref: refs[0]}, nil
		},
		Text: func(x sop.Text) (string, error) { return x[0], nil },
		Observe: func(c vendorhttp.Call) {
			i.mu.Lock()
			defer i.mu.Unlock()
			i.calls = append(i.calls, c)
		},
	}
}

// Calls are those that were observed since it was last asked.
func (i *Issuing) Calls() []vendorhttp.Call {
	i.mu.Lock()
	defer i.mu.Unlock()
	calls := i.calls
	i.calls = nil
	return calls
}

// Settings are those of the vendor, with others in their place: name, value, name, value.
func (i *Issuing) Settings(changed ...any) json.RawMessage {
	i.T.Helper()
	c := maps.Clone(i.Connection)
	for n := 0; n < len(changed); n += 2 {
		c[changed[n].(string)] = changed[n+1]
	}
	raw, err := json.Marshal(c)
	if err != nil {
		i.T.Fatal(err)
	}
	return raw
}

// IssuerOf opens an issuer of a kind, with these settings.
func IssuerOf[I any](t testing.TB, v provider.Issues, kind, settings string) I {
	t.Helper()
	i, err := v.Issuer(kind, json.RawMessage(settings))
	if err != nil {
		t.Fatal(err)
	}
	return i.(I)
}

// Made makes a login of this name.
func (i *Issuing) Made(issuer provider.Issuer, name string) (cred.Handle, secret.Bundle) {
	i.T.Helper()
	h, made, err := issuer.Create(i.T.Context(), name)
	if err != nil {
		i.T.Fatal(err)
	}
	return h, made
}

// IDs of what is listed, sorted.
func (i *Issuing) IDs(issuer provider.Issuer) (out []string) {
	i.T.Helper()
	listed, err := issuer.List(i.T.Context())
	if err != nil {
		i.T.Fatal(err)
	}
	for _, h := range listed {
		out = append(out, h.ID)
	}
	slices.Sort(out)
	return out
}

// Verdict tries to log in, and holds the answer against what it has to be.
func (i *Issuing) Verdict(issuer any, with secret.Bundle, want cred.Verdict) {
	i.T.Helper()
	got, detail, err := issuer.(provider.Prober).Probe(i.T.Context(), sop.Probe{URL: sop.IssuerItself}, with)
	if got != want || err != nil {
		i.T.Errorf("the login is %s (%s, %v), want %s", got, detail, err, want)
	}
}

// Class holds an error's class against what it has to be, and that it says whose it is.
func (i *Issuing) Class(err error, want cred.Class) {
	i.T.Helper()
	if got := cred.ClassOf(err); got != want {
		i.T.Errorf("%v: %s, want %s", err, got, want)
	}
	if e, ok := errors.AsType[*cred.Error](err); err != nil && (!ok || e.Vendor == "" || e.Op == "") {
		i.T.Errorf("%v does not say whose it is and what was asked", err)
	}
}

// Settle waits until there are no sessions of somebody: one ends a moment after it was closed.
func (i *Issuing) Settle(sessions func() string) {
	i.T.Helper()
	for range 200 {
		if sessions() == "0" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	i.T.Fatal("sessions do not end")
}

// Deed is something that changes a server, and what tells whether it did.
type Deed struct {
	Name string
	Do   func(port int, tag string) error // through this port, what bears this tag
	Did  func(tag string) bool
}

// Judge holds what was answered against what happened.
func (i *Issuing) Judge(d Deed, tag string, err error) {
	i.T.Helper()
	did := d.Did(tag)
	switch {
	case err == nil && !did:
		i.T.Errorf("%s %s: told as done, and it was not", d.Name, tag)
	case err != nil && did && !cred.MayHaveHappened(err):
		i.T.Errorf("%s %s: told as not applied, and it was: %v", d.Name, tag, err)
	}
	if err != nil {
		i.Class(err, cred.ClassOf(err)) // it says whose it is
	}
}

// CutAtEveryPiece does each deed with the connection cut at each thing that the client
// sends, in these steps: before it arrives, and after its effect; and with the answer
// spoiled.
func (i *Issuing) CutAtEveryPiece(port int, id string, deeds []Deed, steps map[Fault]int) {
	i.T.Helper()
	proxy := NewProxy(i.T, port)
	unknown := 0
	for _, d := range deeds {
		for fault, step := range steps {
			for at := 1; ; at += step {
				tag := fmt.Sprintf("%s-%d-%d", id, fault, at)
				proxy.Set(fault, at, nil)
				err := d.Do(proxy.Port, tag)
				struck, _ := proxy.Struck()
				i.Judge(d, tag, err)
				if cred.ClassOf(err) == cred.Unknown {
					unknown++
				}
				if !struck {
					if at < 4 || err != nil {
						i.T.Errorf("%s: only %d pieces were spoiled, and then %v", d.Name, at-1, err)
					}
					break
				}
			}
		}
	}
	if unknown < len(deeds) {
		i.T.Errorf("only %d outcomes were unknown: was anything cut after its effect?", unknown)
	}
}

// TLSMode is a way to ask for TLS, and what a list says to it; "": it is given.
type TLSMode struct{ Mode, Host, Root, Want string }

// TLSModes lists by each way to ask for TLS that every driver has, and by these. The server
// has a certificate of localhost that has signed itself. Whatever fails was not sent.
func (i *Issuing) TLSModes(certificate, socket string, list func(settings ...any) error, more ...TLSMode) {
	i.T.Helper()
	for _, c := range append([]TLSMode{
		{Mode: "require", Host: "127.0.0.1", Root: "", Want: ""},
		{Mode: "verify-ca", Host: "127.0.0.1", Root: certificate, Want: ""},
		{Mode: "verify-ca", Host: "127.0.0.1", Root: "", Want: "no authority known here has signed it"},
		{Mode: "verify-full", Host: "localhost", Root: certificate, Want: ""},
		{Mode: "verify-full", Host: "127.0.0.1", Root: certificate, Want: "is not trusted"},
		{Mode: "", Host: "localhost", Root: certificate, Want: ""},
		{Mode: "", Host: "localhost", Root: "", Want: "no authority known here has signed it"},
		{Mode: "verify-full", Host: "localhost", Root: "/nonexistent.crt", Want: "cannot be read"},
		{Mode: "", Host: socket, Root: "", Want: ""},
	}, more...) {
		err := list("sslmode", c.Mode, "host", c.Host, "sslrootcert", c.Root)
		if c.Want == "" && err != nil || c.Want != "" && (err == nil || !strings.Contains(err.Error(), c.Want)) {
			i.T.Errorf("%+v: %v", c, err)
		}
		if cred.MayHaveHappened(err) {
			i.T.Errorf("%+v: %v counts as sent", c, err)
		}
	}
}
