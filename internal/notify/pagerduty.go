package notify

import (
	"context"
	"encoding/json"
	"time"

	"rekey/internal/secret"
)

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
	return c.post(ctx, secret.New(c.to), "application/json", nil, body, pagerDutyTaken, nil)
}

// pagerDutyTaken: 202 comes with {"status":"success"}.
func pagerDutyTaken(answer []byte) bool {
	var said struct{ Status string }
	return json.Unmarshal(answer, &said) == nil && said.Status == "success"
}

func (pagerDuty) many() bool { return true }
