package client

import (
	"context"

	"rekey/internal/api"
	"rekey/internal/estate"
)

// Schedule tells of every credential when it is due and whether it may begin now.
func (c *Client) Schedule(ctx context.Context) (out estate.Schedule, err error) {
	err = c.look(ctx, asking{id: "getSchedule"}, &out)
	return out, err
}

// Pause has the service begin nothing by itself.
func (c *Client) Pause(ctx context.Context, reason string) error {
	return c.look(ctx, asking{id: "pause", body: api.Reason{Reason: reason}}, new(api.Noted))
}

// Continue lets the service begin again what is due.
func (c *Client) Continue(ctx context.Context, reason string) error {
	return c.look(ctx, asking{id: "continue", body: api.Reason{Reason: reason}}, new(api.Noted))
}
