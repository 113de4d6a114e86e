package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"rekey/internal/secret"
	"rekey/internal/sop"
)

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
	return c.post(ctx, c.to, "application/cloudevents+json", header, body, nil, nil)
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
