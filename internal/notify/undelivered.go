package notify

import (
	"context"
	"fmt"
	"time"

	"rekey/internal/journal"
)

// Channel is the kind of the notice that another channel takes nothing.
const Channel Kind = "channel"

// undeliveredAfter is how often a channel must have been tried in vain for the others to be
// told: some minutes, in which many receivers come back.
const undeliveredAfter = 3

// undelivered are the channels that take nothing, which the others are told, whatever
// their rules: nobody would find out from what he is not told. The channel is in
// Credential.
func (t *telling) undelivered(holds map[[2]string]bool) (out []Notice) {
	first := map[string]told{}
	for key, was := range t.was {
		if _, there := t.config.Channels[was.Channel]; !there || !holds[key] || was.Sent > 0 || was.Over > 0 || was.Tries < undeliveredAfter {
			continue
		}
		if f, known := first[was.Channel]; !known || was.First < f.First {
			first[was.Channel] = was
		}
	}
	for name, was := range first {
		since := time.UnixMilli(was.First).UTC()
		n := Notice{ID: "channel/" + name, Kind: Channel, Page: true, Credential: name, At: since,
			Title: "the channel " + name + " takes no notices", Text: was.Problem, Next: "rekey notify test " + name, Link: t.config.Console}
		out = append(out, n)
	}
	return out
}

// Undelivered counts what was tried in vain and is tried again, over all channels. 0 where
// nobody was ever told anything: a scrape or a page makes no tables.
func Undelivered(ctx context.Context, j *journal.Journal) (n int, err error) {
	if there, err := j.HasTables(ctx, "notices", tables()...); err != nil || !there {
		return 0, err
	}
	db, _ := j.DB()
	if err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM notices_told WHERE sent = 0 AND over = 0 AND tries > 0`).Scan(&n); err != nil {
		return 0, fmt.Errorf("count what was not told: %w", err)
	}
	return n, nil
}
