package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
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

// post sends a body that is JSON already, once.
func (p poster) post(ctx context.Context, to secret.Value, contentType string, header map[string]string, body []byte) error {
	u, err := url.Parse(to.Reveal())
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return p.refuse("what the reference gives is no address: want https://host/path")
	case u.Scheme == "http" && !sop.Loopback(u.Hostname()):
		return p.refuse("the address must be https: whoever listens would learn it")
	}
	h := map[string]string{"Content-Type": contentType}
	for k, v := range header {
		h[k] = v
	}
	own := func(r *vendorhttp.Response) bool { return !r.IsHTML() }
	client := vendorhttp.Client{Vendor: p.name, Base: u.String(), Transport: p.s.Transport, Now: p.s.Now, Timeout: timeout, Own: own}
	got, err := client.Do(ctx, vendorhttp.Request{Op: "notify", Method: http.MethodPost, Header: h, Body: json.RawMessage(body)})
	if err == nil && got.IsHTML() {
		// Something in front of the receiver says that all is well, and it has not got it.
		return &cred.Error{Vendor: p.name, Op: "notify", Class: cred.Unknown, Status: got.Status, Why: "a page was answered, which is not the receiver's"}
	}
	return err
}

// slack is an incoming webhook: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
type slack struct {
	poster
	to secret.Value
}

// escape: Slack takes these three for its own signs, and no others
// (https://docs.slack.dev/messaging/formatting-message-text).
var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func (c slack) send(ctx context.Context, n Notice) error {
	mark := ""
	if n.Page {
		mark = ":rotating_light: "
	}
	text := mark + "*" + escape.Replace(n.Title) + "*"
	if n.Text != "" {
		text += "\n" + escape.Replace(n.Text)
	}
	if n.Next != "" {
		text += "\n`" + escape.Replace(strings.ReplaceAll(n.Next, "`", "'")) + "`"
	}
	if n.Link != "" {
		text += "\n" + escape.Replace(n.Link)
	}
	body, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		return err
	}
	return c.post(ctx, c.to, "application/json", nil, body)
}

func (slack) over(context.Context, Notice) error { return nil }
func (slack) many() bool                         { return true }

// pagerDuty is the Events API v2: https://developer.pagerduty.com/docs/send-alert-event
type pagerDuty struct {
	poster
	key    secret.Value
	to     string
	source string
}

func (s *Senders) events(region string) string {
	switch {
	case s.PagerDuty != "":
		return s.PagerDuty
	case region == "eu":
		return "https://events.eu.pagerduty.com/v2/enqueue"
	}
	return "https://events.pagerduty.com/v2/enqueue"
}

// What the API takes at most.
const (
	maxSummary = 1024
	maxDedup   = 255
)

func (c pagerDuty) event(action string, n Notice) map[string]any {
	key := n.ID
	if len(key) > maxDedup {
		key = "rekey/" + digest(n.ID)
	}
	return map[string]any{"routing_key": c.key.Reveal(), "event_action": action, "dedup_key": key}
}

func (c pagerDuty) send(ctx context.Context, n Notice) error {
	severity := "warning"
	if n.Page {
		severity = "critical"
	}
	e := c.event("trigger", n)
	summary := []rune(n.Title)
	e["payload"] = map[string]any{
		"summary": string(summary[:min(len(summary), maxSummary)]), "source": c.source, "severity": severity, "timestamp": n.At.UTC().Format(time.RFC3339),
		"component": n.Credential, "group": n.Owner, "class": string(n.Kind), "custom_details": map[string]string{"text": n.Text, "next": n.Next, "run": n.Run},
	}
	e["client"] = "Rekey"
	if n.Link != "" {
		e["links"] = []map[string]string{{"href": n.Link, "text": "in the console"}}
	}
	return c.enqueue(ctx, e)
}

// over resolves the incident.
func (c pagerDuty) over(ctx context.Context, n Notice) error {
	return c.enqueue(ctx, c.event("resolve", n))
}

func (c pagerDuty) enqueue(ctx context.Context, e map[string]any) error {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return c.post(ctx, secret.New(c.to), "application/json", nil, body)
}

func (pagerDuty) many() bool { return true }

// webhook takes CloudEvents 1.0 in structured JSON (CloudEvents 1.0.2, JSON event format).
type webhook struct {
	poster
	to     secret.Value
	secret secret.Value
	header map[string]string
	source string
}

func (s *Senders) webhook(ctx context.Context, name string, h sop.SignedHook) (sender, error) {
	c := webhook{poster: s.post(name), header: map[string]string{}, source: s.Source}
	var err error
	if c.to, err = s.Resolve(ctx, h.URL); err != nil {
		return nil, err
	}
	if c.secret, err = s.Resolve(ctx, h.Secret); err != nil {
		return nil, err
	}
	for k, refs := range h.Headers {
		v, err := s.Resolve(ctx, refs)
		if err != nil {
			return nil, fmt.Errorf("header %s: %w", k, err)
		}
		c.header[k] = v.Reveal()
	}
	return c, nil
}

// EventType begins the type of each event: dev.rekey.notice.stuck.v1.
const EventType = "dev.rekey.notice."

// Event is a notice as a webhook gets it.
type Event struct {
	SpecVersion     string    `json:"specversion"`
	Type            string    `json:"type"`
	Source          string    `json:"source"`
	ID              string    `json:"id"` // the same for every copy of one notice
	Time            time.Time `json:"time"`
	Subject         string    `json:"subject,omitempty"` // the credential
	DataContentType string    `json:"datacontenttype"`
	Data            Notice    `json:"data"`
}

func (c webhook) send(ctx context.Context, n Notice) error { return c.event(ctx, n, "") }

// over tells that it is over, as an event of its own.
func (c webhook) over(ctx context.Context, n Notice) error { return c.event(ctx, n, "over") }

func (c webhook) event(ctx context.Context, n Notice, over string) error {
	kind, id := string(n.Kind), n.ID
	if over != "" {
		kind, id = over, n.ID+"/"+over
	}
	body, err := json.Marshal(Event{SpecVersion: "1.0", Type: EventType + kind + ".v1", Source: c.source, ID: id, Time: n.At.UTC(), Subject: n.Credential, DataContentType: "application/json", Data: n})
	if err != nil {
		return err
	}
	header := map[string]string{"Rekey-Signature": Sign(c.secret, body, c.s.Now())}
	for k, v := range c.header {
		header[k] = v
	}
	return c.post(ctx, c.to, "application/cloudevents+json", header, body)
}

func (webhook) many() bool { return false }

// Sign makes the signature of a body: the time in seconds since 1970, and the HMAC-SHA256
// of that time, a point and the body, in hex: "t=1764288000,v1=…". Whoever receives it
// computes the same, compares in constant time, and takes nothing that is older than five
// minutes: what was overheard cannot be sent again later.
func Sign(key secret.Value, body []byte, at time.Time) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
