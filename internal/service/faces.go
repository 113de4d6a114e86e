package service

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"rekey/internal/access"
	"rekey/internal/console"
	"rekey/internal/engine"
	"rekey/internal/estate"
	"rekey/internal/refs"
	"rekey/internal/rotation"
	"rekey/internal/scheduler"
	"rekey/internal/secret"
	"rekey/internal/server"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// here are the surroundings of an estate of this process.
func (s *Service) here() estate.Surroundings {
	return estate.Surroundings{Env: s.o.Env, User: s.o.User, Tool: s.o.Tool, Random: s.o.Random, Journal: s.journal, Past: s.past,
		Who: func(ctx context.Context) (rotation.Who, error) {
			if who, is := scheduler.From(ctx); is {
				return who, nil
			}
			if s.access == nil {
				return rotation.Who{}, errors.New("nobody asks this process")
			}
			return s.access.Who(ctx)
		}}
}

// faces makes what answers requests.
func (s *Service) faces(ctx context.Context) error {
	value := func(name string) string { v, _ := s.o.Env(name); return v }
	var err error
	s.access, err = access.New(ctx, access.Options{
		Config: s.config.Now(), Listen: s.o.Listen, URL: s.o.URL, Journal: s.journal, User: s.o.User(), Resolve: s.resolve,
		Looks: func(r *http.Request) bool { return server.Looks(r) || console.Looks(r) },
		Noted: s.o.Noted, Transport: vendorhttp.NewTransport(vendorhttp.Proxies(value)), Now: s.o.Now, Random: s.o.Random, Log: s.o.Log,
	})
	if err != nil {
		return err
	}
	guarded := s.access.Guard(s.engine)
	pages, err := console.New(console.Options{
		ByHand: s.byHand, Asked: s.desk.Asked, HandOver: func(ctx context.Context, run, id string, answer estate.Answer) error {
			if err := guarded.MayHandOver(ctx, run); err != nil {
				return err
			}
			return s.estate.Load().HandOver(ctx, s.desk, run, id, answer)
		},
		Ops: guarded, Now: s.o.Now, Tool: s.o.Tool, Log: s.o.Log, File: s.config.Told().File, Simulated: s.config.Now().Simulate != "", Mistakes: s.mistaken,
		Who:    func(r *http.Request) (rotation.Who, bool) { return access.From(r.Context()) },
		SignIn: s.access.SignInAt, SignOut: func(r *http.Request) string { return access.SignOutAt(r.Context()) },
		Workers: s.workers, Leases: s.leases, Doctor: guarded.Doctor, Facts: s.facts, Guide: s.o.Guide,
	})
	if err != nil {
		return err
	}
	s.server, err = server.New(server.Options{
		Engine: guarded, Configured: s.config.Told, Version: s.o.Tool, Console: pages, SignIn: s.access.Middleware, Public: map[string]http.Handler{access.Prefix: s.access.Routes()},
		Who: access.From, Tokens: tokens{s.access}, Sees: s.sees, May: func(ctx context.Context, id string) error {
			switch id {
			case "getCredentials":
				return guarded.Some(ctx, sop.OpStatus)
			case "metrics", "readyz":
				return s.access.Can(ctx, sop.OpStatus, "")
			}
			return nil // the operations refuse it themselves
		}, Hosts: s.hosts(), Secure: strings.HasPrefix(s.o.URL, "https:"), Behind: s.o.Behind, Probes: s.probes(), Gauges: s.gauges, Probed: s.engine, Log: s.o.Log, Now: s.o.Now, Random: s.o.Random,
	})
	return err
}

// sees reports whether whoever asks may look at a credential; "": at all of them.
func (s *Service) sees(ctx context.Context, credential string) bool {
	return s.access.Can(ctx, sop.OpStatus, credential) == nil
}

// workers are the processes, for whoever may look at everything.
func (s *Service) workers(ctx context.Context) ([]engine.Worker, error) {
	if !s.sees(ctx, "") {
		return nil, nil
	}
	return s.engine.Workers(ctx)
}

// leases are those of the credentials that whoever asks may look at.
func (s *Service) leases(ctx context.Context) ([]engine.Lease, error) {
	all, err := s.engine.Leases(ctx)
	return slices.DeleteFunc(all, func(l engine.Lease) bool { return !s.sees(ctx, l.Credential) }), err
}

// mistaken are the mistakes of the newest rekey.yaml. They name whatever they are about,
// so they are for whoever may look at everything.
func (s *Service) mistaken(ctx context.Context) []string {
	if !s.sees(ctx, "") {
		return nil
	}
	return s.config.Mistakes()
}

// byHand reports whether a person makes what a vendor of rekey.yaml issues.
func (s *Service) byHand(vendor string) bool {
	return s.config.Now().Vendors[vendor].Type == "assisted"
}

// resolve finds the secret that a reference of rekey.yaml names.
func (s *Service) resolve(ctx context.Context, r sop.Refs) (secret.Value, error) {
	finder := refs.Finder{Dir: s.config.Now().Dir, Env: s.o.Env, Asked: &s.asked}
	value, _, err := finder.Secret(ctx, r)
	return value, err
}

// hosts are the names by which the server may be asked for.
func (s *Service) hosts() []string {
	u, err := url.Parse(s.o.URL)
	if err != nil || s.o.URL == "" {
		return nil
	}
	return []string{u.Hostname()}
}
