package client

import (
	"context"
	"net/url"

	"rekey/internal/api"
	"rekey/internal/estate"
	"rekey/internal/report"
)

// Findings tells what the last looks have found, and who lets it be.
func (c *Client) Findings(ctx context.Context) (estate.Findings, error) {
	out := estate.Findings{Findings: []report.Finding{}}
	err := c.pages(ctx, asking{id: "listFindings", query: url.Values{}}, func(ctx context.Context, a asking) (string, error) {
		var page api.FoundList
		err := c.look(ctx, a, &page)
		out.At, out.Findings = page.At, append(out.Findings, page.Findings...)
		return page.Next, err
	})
	return out, err
}

// Acknowledge lets a finding be until a day, or no longer.
func (c *Client) Acknowledge(ctx context.Context, a estate.Acknowledging) (out estate.Acknowledged, err error) {
	err = c.once(ctx, "acknowledge", "", a, &out)
	return out, err
}
