package infisical

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/secret"
)

// Three failed logins within half a minute lock an identity for five minutes, for
// everybody who uses it, the healthy ones included. So ours are counted, those of the
// commands before this one too.
const (
	lockWindow   = 30 * time.Second // in which failures count together
	retryAfter   = time.Minute      // and one that failed is not tried again
	mostFailures = 2                // that are ours
)

// name of an identity among marks.
func (s *session) name(id secret.Value) string {
	return "infisical login " + strings.TrimSuffix(s.api.Base, "/") + " " + id.Reveal()
}

func (s *session) mark(id, key secret.Value) {
	if s.env.Marks != nil {
		s.env.Marks.Mark(s.name(id), key, s.env.Now())
	}
}

func (s *session) clear(id secret.Value) {
	if s.env.Marks != nil {
		s.env.Marks.Clear(s.name(id))
	}
}

// brake refuses a login that another command has just seen refused, and one that
// could be the third within the window.
func (s *session) brake(id, key secret.Value, op string) error {
	if s.env.Marks == nil {
		return nil
	}
	at, same := s.env.Marks.Marked(s.name(id), key)
	now := s.env.Now()
	recent := 0
	var oldest time.Time
	for _, t := range at {
		if age := now.Sub(t); age >= 0 && age <= lockWindow {
			if recent++; oldest.IsZero() {
				oldest = t
			}
		}
	}
	if len(at) > 0 && same {
		if age := now.Sub(at[len(at)-1]); age >= 0 && age < retryAfter {
			return &cred.Error{Vendor: s.api.Vendor, Op: op, Class: cred.Denied, Status: http.StatusUnauthorized,
				Why: fmt.Sprintf("client id or client secret is wrong: that was the answer %s ago, and the same is not sent again within a minute, since three failed logins lock the identity for everybody", age.Round(time.Second))}
		}
	}
	if recent >= mostFailures {
		return &cred.Error{Vendor: s.api.Vendor, Op: op, Class: cred.Limited, RetryAfter: lockWindow - now.Sub(oldest) + time.Second,
			Why: fmt.Sprintf("not sent: %d logins as this identity were refused within half a minute, and a third would lock it for everybody", recent)}
	}
	return nil
}
