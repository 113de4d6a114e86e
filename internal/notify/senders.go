package notify

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// timeout of one try to tell somebody something.
const timeout = 15 * time.Second

// Senders send to the channels of a configuration.
type Senders struct {
	Transport http.RoundTripper
	Now       func() time.Time
	// Resolve fetches the first reference that is set.
	Resolve func(ctx context.Context, refs sop.Refs) (secret.Value, error)
	// Text resolves a printable setting.
	Text func(t sop.Text) (string, error)
	// TLS of mail servers; nil: the system's authorities.
	TLS *tls.Config
	// PagerDuty is where its events go; "": the address of the account's region.
	PagerDuty string
	// Source names this installation.
	Source string
}

// Needs are the references of a channel, each of which has to be set.
func Needs(c sop.Channel) (out []sop.Refs) {
	switch {
	case c.Slack != nil:
		out = append(out, c.Slack)
	case c.PagerDuty != nil:
		out = append(out, c.PagerDuty.Key)
	case c.Webhook != nil:
		out = append(out, c.Webhook.URL, c.Webhook.Secret)
		for _, name := range slices.Sorted(maps.Keys(c.Webhook.Headers)) {
			out = append(out, c.Webhook.Headers[name])
		}
	case c.Email != nil && len(c.Email.Password) > 0:
		out = append(out, c.Email.Password)
	}
	return out
}

// sender opens a channel. Its secrets are fetched each time: they may be rotated.
func (s *Senders) sender(ctx context.Context, name string, config *sop.Notices) (sender, error) {
	c := config.Channels[name]
	switch {
	case c.Slack != nil:
		to, err := s.Resolve(ctx, c.Slack)
		return slack{s.post(name), to}, err
	case c.PagerDuty != nil:
		key, err := s.Resolve(ctx, c.PagerDuty.Key)
		return pagerDuty{s.post(name), key, s.events(c.PagerDuty.Region), s.Source}, err
	case c.Webhook != nil:
		return s.webhook(ctx, name, *c.Webhook)
	case c.Email != nil:
		return s.email(ctx, name, *c.Email)
	}
	return nil, fmt.Errorf("there is no channel %s", name)
}

// poster posts to one channel. It follows no redirect, and quotes nothing of an answer
// and nothing of an address.
type poster struct {
	name string
	s    *Senders
}

func (s *Senders) post(name string) poster { return poster{name, s} }

func (p poster) refuse(why string) error {
	return &cred.Error{Vendor: p.name, Op: "notify", Class: cred.Refused, Why: why}
}

// post sends a body that is JSON already, once. taken tells whether an answer of success
// is the receiver's; nil: any is. words are what of the receiver's refusals is known, by
// their whole text.
func (p poster) post(ctx context.Context, to secret.Value, contentType string, header map[string]string, body []byte, taken func(answer []byte) bool, words map[string]string) error {
	u, err := url.Parse(to.Reveal())
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return p.refuse("the reference does not give an address: it must be https://host/path")
	case u.Scheme == "http" && !sop.Loopback(u.Hostname()):
		return p.refuse("the address must be https: anybody on the network could read it")
	}
	h := map[string]string{"Content-Type": contentType}
	for k, v := range header {
		h[k] = v
	}
	own := func(r *vendorhttp.Response) bool { return !r.IsHTML() }
	explain := func(status int, answer []byte) (cred.Class, string, string) {
		if why, known := words[strings.TrimSpace(string(answer))]; known {
			return cred.Refused, "", why
		}
		return "", "", ""
	}
	client := vendorhttp.Client{Vendor: p.name, Base: u.String(), Transport: p.s.Transport, Now: p.s.Now, Timeout: timeout, Own: own, Explain: explain}
	got, err := client.Do(ctx, vendorhttp.Request{Op: "notify", Method: http.MethodPost, Header: h, Body: json.RawMessage(body)})
	switch {
	case err != nil:
		return err
	case got.IsHTML():
		// Something in front of the receiver says that all is well, and it does not have it.
		return &cred.Error{Vendor: p.name, Op: "notify", Class: cred.Unknown, Status: got.Status, Why: "a web page answered instead of the receiver"}
	case taken != nil && !taken(got.Body):
		why := "the answer is not a confirmation"
		if of, known := words[strings.TrimSpace(string(got.Body))]; known {
			why = of
		}
		return &cred.Error{Vendor: p.name, Op: "notify", Class: cred.Unknown, Status: got.Status, Why: why}
	}
	return nil
}
