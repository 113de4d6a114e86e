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
	return c.once(ctx, "pause", "", api.Reason{Reason: reason}, new(estate.Noted))
}

// Continue lets the service begin again what is due.
func (c *Client) Continue(ctx context.Context, reason string) error {
	return c.once(ctx, "continue", "", api.Reason{Reason: reason}, new(estate.Noted))
}
