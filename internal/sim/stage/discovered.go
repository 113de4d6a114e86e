package stage

import (
	"context"
	"errors"

	"rekey/internal/discover"
	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/sim"
	"rekey/internal/wire"
)

// Discovered looks for what nobody registered about all credentials of the stage,
// and returns it with what was seen of each and how many requests that took.
func (s *Stage) Discovered() ([]discover.Finding, []discover.Seen, int, error) {
	before := s.Calls
	estate := wire.OpenEstate(s.Config.Specs, s.Config.Vendors, s.Driver())
	defer estate.Close(context.Background())
	events, err := s.Log.Events()
	if err != nil {
		return nil, nil, 0, err
	}
	ctx := context.Background()
	accounts, errs := estate.Surveys()
	if len(errs) > 0 {
		return nil, nil, 0, errors.Join(errs...)
	}
	var looker *runner.Runner
	var all []runner.Known
	for _, spec := range s.Config.Specs {
		crew, err := estate.Crew(spec)
		if err != nil {
			return nil, nil, 0, err
		}
		looker = &runner.Runner{Roles: crew.Roles, Can: crew.Can, Keyer: s.Keyer, Clock: s.Clock, Together: InOrder}
		all = append(all, looker.Know(ctx, spec, rotation.Generations(of(events, spec.Name))))
	}
	found := looker.Everywhere(ctx, accounts, all)
	var seen []discover.Seen
	for i, k := range all {
		seen = append(seen, discover.Seen{Spec: s.Config.Specs[i], Issuer: k.Issuer, Rules: k.Rules, Copies: found.Copies[i], Unseen: k.Unseen})
	}
	return discover.Findings(seen, found.Blind, runsOf(events), s.Clock.Now()), seen, s.Calls - before, nil
}

// of are the events of the runs of one credential.
func of(events []rotation.Event, credential string) []rotation.Event {
	runs := map[string]bool{}
	var out []rotation.Event
	for _, e := range events {
		if e.Opened != nil && e.Opened.Credential == credential {
			runs[e.Run] = true
		}
		if runs[e.Run] {
			out = append(out, e)
		}
	}
	return out
}

func runsOf(events []rotation.Event) []discover.Run {
	var out []discover.Run
	for _, e := range events {
		switch {
		case e.Opened != nil:
			out = append(out, discover.Run{ID: e.Run, Credential: e.Opened.Credential, Open: true})
		case e.Closed != nil:
			for i := range out {
				if out[i].ID == e.Run {
					out[i].Open = false
					if e.Closed.Current != nil {
						out[i].Current = e.Closed.Current.ID
					}
				}
			}
		}
	}
	return out
}

// Scatter puts what nobody registered into the world: an app that works with the
// token, one that keeps it inside other text and one that knows its id only, a
// second name in a registered app, a stage of the pipeline, a second folder, another
// environment, and a token of our name that was never ended.
func Scatter(w *sim.State) {
	c := w.Cloudflare.Tokens[0]
	pair := c.ClientID + ":" + c.Secret
	AddApp(w, Other, map[string]string{"EDGE_TOKEN": pair, "MODE": "fast"})
	AddApp(w, "raxx-worker", map[string]string{"ACCESS_ID": c.ClientID, "ACCESS_SECRET": c.Secret, "SETTINGS": `{"password":"hunter2","cf":"` + c.Secret + `"}`})
	AddApp(w, "raxx-docs", map[string]string{"EDGE_CLIENT": c.ClientID})
	Release(w.Heroku.Apps[0], w.At, map[string]string{"OLD_EDGE_TOKEN": pair})
	w.Heroku.Pipelines[0].Vars["review"]["EDGE_TOKEN"] = pair
	put := func(environment, path, key, value string) {
		w.Infisical.Secrets = append(w.Infisical.Secrets, &sim.StoredSecret{ID: key + path, Environment: environment, Path: path, Key: key, Created: w.At, Versions: []sim.Version{{Value: value, At: w.At}}})
	}
	w.Infisical.Folders = append(w.Infisical.Folders, "/backup")
	put("prod", "/backup", "CONSOLE_SECRET", c.Secret)
	put("dev", "/MooseQuest", "CF_ACCESS_SVC_CONSOLE", c.Secret)
	left := *c
	left.ID, left.ClientID, left.Secret, left.Name = "0b1f6a52-0000-4000-8000-00000000aaaa", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.access", "left-"+c.Secret, "raxx-console-svc-2025-11-01"
	w.Cloudflare.Tokens = append(w.Cloudflare.Tokens, &left)
}
