package heroku

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
)

func (a *app) configVars(ctx context.Context, slots []string) (map[string]provider.Held, error) {
	return a.Platform.configVars(ctx, "read config vars", a.path, nil, slots)
}

// Held reads the config vars and nothing else; that one is not there is confirmed.
func (a *app) Held(ctx context.Context, slots []string) (map[string]provider.Held, error) {
	all, err := a.lately(ctx, "read config vars", a.path, nil)
	if err != nil {
		return nil, err
	}
	held := named(all, slots)
	if len(absent(held)) == 0 {
		return held, nil
	}
	newest, err := a.releases(ctx)
	if err == nil {
		err = a.confirmed(ctx, held, newest)
	}
	return held, err
}

// configVars returns the named values of an app, a release or a stage only: the
// answer holds every secret there is, so the rest is dropped at once.
func (p *Platform) configVars(ctx context.Context, op, path string, header map[string]string, slots []string) (map[string]provider.Held, error) {
	all, err := p.vars(ctx, op, path, header)
	if err != nil {
		return nil, err
	}
	return named(all, slots), nil
}

// named are some of the config vars.
func named(all map[string]secret.Value, slots []string) map[string]provider.Held {
	held := make(map[string]provider.Held, len(slots))
	for _, name := range slots {
		v, present := all[name]
		held[name] = provider.Held{Present: present, Value: v}
	}
	return held
}

// vars reads the config vars of something. Any JSON object of texts is of their
// shape, so an empty one, or one that reads like an error, has to bear the id that
// Heroku gives to every answer. That a config var is not there is still for the
// caller to confirm.
func (p *Platform) vars(ctx context.Context, op, path string, header map[string]string) (map[string]secret.Value, error) {
	resp, err := p.api.Do(ctx, vendorhttp.Request{Op: op, Method: http.MethodGet, Path: path + "/config-vars", Header: header})
	if err != nil {
		return nil, err
	}
	var all map[string]secret.Value
	if err := resp.Decode(&all); err != nil {
		return nil, err
	}
	odd := len(all) == 0
	for _, word := range []string{"message", "error", "errors", "detail"} {
		_, has := all[word]
		odd = odd || has
	}
	if odd && resp.Header.Get("Request-Id") == "" {
		return nil, resp.Nonsense("it holds no config vars, and does not bear the id that Heroku gives to every answer")
	}
	if header == nil && len(all) > 0 && slices.ContainsFunc(p.apps, func(app string) bool { return path == "/apps/"+url.PathEscape(app) }) {
		p.recall.keep(path, all, p.env.Now())
	}
	return all, nil
}

// confirmed asks the release in force as well, where a config var is not there:
// what was not told is not taken for deleted.
func (a *app) confirmed(ctx context.Context, held map[string]provider.Held, newest []release) error {
	gone := absent(held)
	if len(gone) == 0 {
		return nil
	}
	const op = "read config vars of the release in force"
	version := inForce(newest)
	if version == 0 {
		return a.unsure(op, gone[0]+" is not there, and none of the newest releases is in force to confirm it")
	}
	again, err := a.Platform.configVars(ctx, op, fmt.Sprintf("%s/releases/%d", a.path, version), nil, gone)
	if err != nil {
		return err
	}
	for _, name := range gone {
		if again[name].Present {
			return a.unsure(op, fmt.Sprintf("release v%d has %s, and the config vars were answered without it", version, name))
		}
	}
	return nil
}

// absent are the names that are not there, in order.
func absent(held map[string]provider.Held) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(held)) {
		if !held[name].Present {
			out = append(out, name)
		}
	}
	return out
}

// Write sends one PATCH for all names: one release and one restart, however
// many names (docs/vendors/heroku.md). A zero value removes the name. The
// answer, which holds every secret of the app, is only looked at for what was set: an
// error under the status of success has the shape of config vars as well. Only a
// denial and the rate limit prove that nothing was set: after any other answer, a
// 409 "somebody else is changing it" among them, it is looked before it is tried again.
func (a *app) Write(ctx context.Context, values []provider.SlotValue) error {
	return a.wrote(a.patch(ctx, "set config vars", a.path, nil, values))
}

// wrote names the app that a write did not find.
func (a *app) wrote(err error) error {
	if e, ok := errors.AsType[*cred.Error](err); ok && e.Class == cred.Absent {
		out := *e
		out.Why = "there is no app " + a.settings.App + " that the token may see"
		return &out
	}
	return err
}

func (p *Platform) patch(ctx context.Context, op, path string, header map[string]string, values []provider.SlotValue) error {
	body := make(map[string]*string, len(values))
	for _, v := range values {
		body[v.Slot] = nil
		if v.Value.Present() {
			s := v.Value.Reveal()
			body[v.Slot] = &s
		}
	}
	p.recall.drop(path)
	if header == nil {
		p.looks.writes(path, p.env.Now())
	}
	resp, err := p.api.Do(ctx, vendorhttp.Request{Op: op, Method: http.MethodPatch, Path: path + "/config-vars", Header: header, Body: body})
	if err != nil {
		return err
	}
	var now map[string]secret.Value
	if err := resp.Decode(&now); err != nil {
		return err
	}
	if resp.Header.Get("X-Heroku-Warning") != "" {
		return nil
	}
	for _, v := range values {
		if is, there := now[v.Slot]; v.Value.Present() && (!there || !is.Equal(v.Value)) {
			return resp.Nonsense("the answer does not have " + v.Slot + " as it was set")
		}
	}
	return nil
}
