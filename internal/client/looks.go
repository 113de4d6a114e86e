package client

import (
	"context"
	"net/url"
	"slices"
	"strconv"

	"rekey/internal/api"
	"rekey/internal/estate"
	"rekey/internal/rotation"
)

// pageSize is how much is asked for at once.
const pageSize = "5000"

// Check looks at everything that a run would need.
func (c *Client) Check(ctx context.Context, w estate.Wish) (out estate.Checked, err error) {
	err = c.look(ctx, asking{id: "check", body: w}, &out)
	return out, err
}

// Plan tells what a run of a wish would do.
func (c *Client) Plan(ctx context.Context, w estate.Wish) (out estate.Planned, err error) {
	err = c.look(ctx, asking{id: "plan", body: w}, &out)
	return out, err
}

// PlanBack tells what GoBack would do.
func (c *Client) PlanBack(ctx context.Context, run string) (out estate.BackPlan, err error) {
	err = c.look(ctx, asking{id: "planBack", run: run}, &out)
	return out, err
}

// Compare compares issuer, store and consumers.
func (c *Client) Compare(ctx context.Context, credentials []string) (out estate.Compared, err error) {
	err = c.look(ctx, asking{id: "compare", body: api.Named{Credentials: credentials}}, &out)
	return out, err
}

// Discover finds who holds a credential without being registered.
func (c *Client) Discover(ctx context.Context, credentials []string) (out estate.Discovered, err error) {
	err = c.look(ctx, asking{id: "discover", body: api.Named{Credentials: credentials}}, &out)
	return out, err
}

// FormerNames tells who still has a former name.
func (c *Client) FormerNames(ctx context.Context, credentials []string) (out estate.FormerNames, err error) {
	err = c.look(ctx, asking{id: "formerNames", body: api.Named{Credentials: credentials}}, &out)
	return out, err
}

// Doctor tells everything that the server's machine lacks.
func (c *Client) Doctor(ctx context.Context, credentials []string) ([]estate.Finding, error) {
	var out api.Findings
	err := c.look(ctx, asking{id: "doctor", body: api.Named{Credentials: credentials}}, &out)
	return out.Findings, err
}

// Verify checks the server's journal.
func (c *Client) Verify(ctx context.Context, v estate.Verifying) (out estate.Verified, err error) {
	err = c.look(ctx, asking{id: "verify", body: v}, &out)
	return out, err
}

// Sign signs the server's journal as it is.
func (c *Client) Sign(ctx context.Context) (out estate.Signed, err error) {
	err = c.look(ctx, asking{id: "sign"}, &out)
	return out, err
}

// Key returns the public key with which checkpoints are verified.
func (c *Client) Key(ctx context.Context) (string, error) {
	var out api.Key
	err := c.look(ctx, asking{id: "getKey"}, &out)
	return out.Public, err
}

// NewKey hands over to a new key.
func (c *Client) NewKey(ctx context.Context, n estate.NewKey) (out estate.HandedOver, err error) {
	err = c.once(ctx, "newKey", "", n, &out)
	return out, err
}

// Whoami tells as whom the server knows the caller.
func (c *Client) Whoami(ctx context.Context) (out estate.Whoami, err error) {
	err = c.look(ctx, asking{id: "whoami"}, &out)
	return out, err
}

// Configured tells what the server's rekey.yaml says.
func (c *Client) Configured(ctx context.Context) (out api.Configured, err error) {
	err = c.look(ctx, asking{id: "getCredentials"}, &out)
	return out, err
}

// Status tells of every credential.
func (c *Client) Status(ctx context.Context, a estate.StatusAsked) (estate.Status, error) {
	q := url.Values{}
	for name, said := range map[string]bool{"live": a.Live, "working": a.Working} {
		if said {
			q.Set(name, strconv.FormatBool(said))
		}
	}
	var out estate.Status
	err := c.pages(ctx, asking{id: "getStatus", query: q}, func(ctx context.Context, p asking) (string, error) {
		var page api.Status
		err := c.look(ctx, p, &page)
		rows := append(out.Rows, page.Rows...)
		out = page.Status
		out.Rows = rows
		return page.Next, err
	})
	if err != nil {
		return estate.Status{}, err
	}
	return out, nil
}

// Runs returns all runs, oldest first.
func (c *Client) Runs(ctx context.Context) ([]estate.Summary, error) {
	return c.runs(ctx, url.Values{})
}

// RunsOf returns the runs of one credential, oldest first.
func (c *Client) RunsOf(ctx context.Context, credential string) ([]estate.Summary, error) {
	return c.runs(ctx, url.Values{"credential": {credential}})
}

// OneRun returns one run in one line.
func (c *Client) OneRun(ctx context.Context, run string) (out estate.Summary, err error) {
	err = c.look(ctx, asking{id: "getRun", run: run}, &out)
	return out, err
}

func (c *Client) runs(ctx context.Context, q url.Values) (out []estate.Summary, err error) {
	err = c.pages(ctx, asking{id: "listRuns", query: q}, func(ctx context.Context, p asking) (string, error) {
		var page api.Runs
		err := c.look(ctx, p, &page)
		out = append(out, page.Runs...)
		return page.Next, err
	})
	slices.Reverse(out)
	return out, err
}

// OpenRuns returns those that are open.
func (c *Client) OpenRuns(ctx context.Context) ([]estate.OpenRun, error) {
	var out api.OpenRuns
	err := c.look(ctx, asking{id: "listOpenRuns"}, &out)
	return out.Runs, err
}

// Log returns everything that the journal holds of a run.
func (c *Client) Log(ctx context.Context, run string) (estate.Logged, error) {
	var out estate.Logged
	err := c.pages(ctx, asking{id: "getLog", run: run, query: url.Values{}}, func(ctx context.Context, p asking) (string, error) {
		var page api.Log
		err := c.look(ctx, p, &page)
		out.Entries = append(out.Entries, page.Entries...)
		return page.Next, err
	})
	if err != nil {
		return estate.Logged{}, err
	}
	for _, entry := range out.Entries {
		e := rotation.Event{Seq: entry.Seq, At: entry.At, Run: entry.Run, Kind: rotation.Kind(entry.Kind)}
		if err := e.Decode(entry.Body); err != nil {
			return estate.Logged{}, &estate.Error{Code: estate.Failed, Err: err}
		}
		out.Events = append(out.Events, e)
	}
	return out, nil
}

// pages asks for one page after the other.
func (c *Client) pages(ctx context.Context, a asking, one func(context.Context, asking) (next string, err error)) error {
	a.query.Set("limit", pageSize)
	for {
		next, err := one(ctx, a)
		if err != nil || next == "" {
			return err
		}
		a.query.Set("cursor", next)
	}
}
