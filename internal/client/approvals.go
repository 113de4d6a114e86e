package client

import (
	"context"

	"rekey/internal/api"
	"rekey/internal/estate"
)

// Approvals returns the requests that somebody can still answer.
func (c *Client) Approvals(ctx context.Context) ([]estate.Approval, error) {
	var out api.Approvals
	err := c.look(ctx, asking{id: "listApprovals"}, &out)
	return out.Approvals, err
}

// Approve agrees to a request.
func (c *Client) Approve(ctx context.Context, a estate.Answering) (out estate.Approval, err error) {
	err = c.once(ctx, "approve", "", a, &out)
	return out, err
}

// Refuse refuses a request.
func (c *Client) Refuse(ctx context.Context, a estate.Answering) (out estate.Approval, err error) {
	err = c.once(ctx, "refuse", "", a, &out)
	return out, err
}

// TakeBack takes back what the caller has agreed to, or has asked for.
func (c *Client) TakeBack(ctx context.Context, a estate.Answering) (out estate.Approval, err error) {
	err = c.once(ctx, "takeBack", "", a, &out)
	return out, err
}
