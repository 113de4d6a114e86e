package stage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// most is how many calls a run may make: some ten times what the longest one makes that
// ends. One that makes more goes round in circles.
const most = 3000

// called counts a call.
func (s *Stage) called() {
	if s.Calls++; s.begun && s.Calls > s.before+most {
		panic(endless{})
	}
	s.Clock.Pass(callTime)
	s.arrive()
}

// endless is what a run that does not end is stopped with.
type endless struct{}

// EndsProcess: nothing goes on after it.
func (endless) EndsProcess() {}

// callTime is how long every simulated call takes.
const callTime = 20 * time.Millisecond

// RoundTrip is the network of the stage.
func (s *Stage) RoundTrip(req *http.Request) (*http.Response, error) {
	s.called()
	if s.Sees != nil {
		s.Sees(req)
	}
	again := req.GetBody
	send := func() (*http.Response, error) {
		one := req
		if again != nil {
			body, err := again()
			if err != nil {
				return nil, err
			}
			one = req.Clone(context.WithoutCancel(req.Context()))
			one.Body = body
		}
		return s.World.RoundTrip(one)
	}
	if s.Before != nil {
		return s.Before(s.Calls, req, send)
	}
	return meet(s, request{s, req}, send)
}

// Direct is how a driver without a network asks its double: op names the kind of
// call, changes says whether it is meant to change something, and effect does it. The
// error is the double's, or what a fault makes of it.
func (s *Stage) Direct(vendor, op string, changes bool, effect func() error) error {
	s.called()
	if s.Hears != nil {
		s.Hears(vendor, op)
	}
	_, err := meet(s, direct{s, vendor, op, changes}, func() (struct{}, error) {
		var err error
		s.World.Do(func() { err = effect() })
		return struct{}{}, err
	})
	return err
}

// Driver is the environment that drivers get.
func (s *Stage) Driver() provider.Env {
	known := s.World.Env()
	for k, v := range s.Env {
		known[k] = v
	}
	lookup := func(ref string) (string, bool) {
		name, ok := strings.CutPrefix(ref, "env:")
		v, set := known[name]
		return v, ok && set && v != ""
	}
	ours := func(context.Context) error { return s.overtaken() }
	return provider.Env{
		Memory: s.Memory, Transport: vendorhttp.Fence{Next: s.around(), Ours: ours}, Ours: ours, Now: s.Clock.Now, Together: InOrder, Person: s.Person,
		Resolve: func(_ context.Context, refs sop.Refs) (secret.Value, provider.Source, error) {
			for i, r := range refs {
				if v, ok := lookup(string(r)); ok {
					src := provider.Source{Ref: r, Fallback: i > 0}
					for _, o := range refs[i+1:] {
						if _, set := lookup(string(o)); set {
							src.Others = append(src.Others, o)
						}
					}
					return secret.New(v), src, nil
				}
			}
			return secret.Value{}, provider.Source{}, fmt.Errorf("none of %v is set", refs)
		},
		Text: func(t sop.Text) (string, error) {
			for _, x := range t {
				if !strings.HasPrefix(x, "env:") {
					return x, nil
				}
				if v, ok := lookup(x); ok {
					return v, nil
				}
			}
			return "", fmt.Errorf("none of %v is set", t)
		},
	}
}

func (s *Stage) around() http.RoundTripper {
	if s.Around != nil {
		return s.Around(s)
	}
	return s
}

// InOrder runs calls one after the other and joins their errors.
func InOrder(calls ...func() error) error {
	var errs []error
	for _, c := range calls {
		if err := c(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
