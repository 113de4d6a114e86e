package heroku

import (
	"context"
	"net/url"
	"sync"
	"time"

	"rekey/internal/secret"
)

// justRead is how old config vars may be for the look who else holds a credential,
// which comes right after the look at the same app as a consumer.
const justRead = 3 * time.Second

// recall keeps what was just read of the apps that are opened as consumers, so that a
// look at the whole account does not ask for the same again. Whatever is proven of a
// consumer is read anew.
type recall struct {
	mu   sync.Mutex
	at   map[string]time.Time
	vars map[string]map[string]secret.Value // by path
}

func (r *recall) keep(path string, vars map[string]secret.Value, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.vars == nil {
		r.at, r.vars = map[string]time.Time{}, map[string]map[string]secret.Value{}
	}
	r.at[path], r.vars[path] = now, vars
}

// take returns what is not older than justRead, once.
func (r *recall) take(path string, now time.Time) (map[string]secret.Value, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	vars, ok := r.vars[path]
	fresh := ok && now.Sub(r.at[path]) <= justRead
	delete(r.vars, path)
	return vars, fresh
}

func (r *recall) drop(path string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.vars, path)
}

// opened is the path of an app as it was opened as a consumer, by its name or its id;
// "" if it was not.
func (p *Platform) opened(a listed) string {
	for _, named := range p.apps {
		if named == a.Name || named == a.ID {
			return "/apps/" + url.PathEscape(named)
		}
	}
	return ""
}

// lately reads the config vars of something, or takes what was just read.
func (p *Platform) lately(ctx context.Context, op, path string, header map[string]string) (map[string]secret.Value, error) {
	if header == nil {
		if vars, ok := p.recall.take(path, p.env.Now()); ok {
			return vars, nil
		}
	}
	return p.vars(ctx, op, path, header)
}
