package notary

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"rekey/internal/evidence"
	"rekey/internal/journal"
	"rekey/internal/provider/webhook"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// Bounds of one command's sending. What is left over is for the next one.
const (
	sendTimeout = 15 * time.Second
	maxPosts    = 20
)

// send sends every sink what it does not have yet, side by side.
func (n *Notary) send(ctx context.Context) []Sent {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	out := make([]Sent, len(n.Config.Sinks))
	calls := make([]func() error, 0, len(out))
	for i, s := range n.Config.Sinks {
		out[i].Sink = s.Name
		sent, err := n.Journal.SentTo(ctx, s.Name)
		var left []journal.Checkpoint
		if err == nil {
			left, err = n.Journal.CheckpointsAfter(ctx, sent.ID)
		}
		if err != nil {
			out[i].Problem = err.Error()
			continue
		}
		if len(left) == 0 {
			continue
		}
		known := sent.ID > 0
		calls = append(calls, func() error {
			done, behind, err := n.sendTo(ctx, s, left, known)
			out[i].Sent, out[i].Behind = done, behind
			if err != nil {
				out[i].Problem = err.Error()
			}
			return nil
		})
	}
	if len(calls) > 0 {
		_ = n.Env.Together(calls...)
	}
	return out
}

// sendTo sends checkpoints to one sink, oldest first, and notes what has arrived.
// What may have arrived is sent again: a second copy proves the same.
func (n *Notary) sendTo(ctx context.Context, s sop.Sink, left []journal.Checkpoint, known bool) (done, behind int, err error) {
	if s.Webhook != nil {
		if !known {
			left = left[len(left)-1:] // what was before it was named is not its business
		}
		done, err = n.post(ctx, s, left)
		return done, len(left) - done, err
	}
	newest := left[len(left)-1]
	if s.File != "" {
		err = n.toFile(s.File, left)
	} else {
		// It says what all before it say. Infisical removes white space at the ends of
		// a value, so the store refuses one: the note's last newline stays here.
		err = n.Put(ctx, s.Store, s.Slot, strings.TrimSuffix(newest.Note, "\n"))
	}
	if err == nil {
		err = n.arrived(s, newest)
	}
	if err != nil {
		return 0, len(left), err
	}
	return len(left), 0, nil
}

// post posts checkpoints one by one, as many as one command may.
func (n *Notary) post(ctx context.Context, s sop.Sink, left []journal.Checkpoint) (done int, err error) {
	for i, c := range left[:min(len(left), maxPosts)] {
		err := n.toWebhook(ctx, s, c)
		if err == nil {
			err = n.arrived(s, c)
		}
		if err != nil {
			return i, err
		}
		done++
	}
	return done, nil
}

func (n *Notary) arrived(s sop.Sink, c journal.Checkpoint) error {
	// It has left: that must not be lost with an interruption.
	return n.Journal.MarkSent(context.Background(), s.Name, c.ID, n.now())
}

// toFile appends notes with a blank line between them. The folder must be there:
// were it made, a disk of another machine that is not mounted would go unnoticed.
func (n *Notary) toFile(name string, list []journal.Checkpoint) error {
	path := n.place(name)
	text := ""
	if torn(path) {
		text = "\n\n"
	}
	for _, c := range list {
		text += c.Note + "\n"
	}
	err := appendTo(path, text, os.O_CREATE)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("the folder %s is not there: is it mounted?", filepath.Dir(path))
	case err != nil:
		return fmt.Errorf("append to the file: %w", err)
	}
	return nil
}

// torn reports whether a file ends in the middle of a note.
func torn(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	var end [2]byte
	st, err := f.Stat()
	if err != nil || st.Size() == 0 {
		return false
	}
	if st.Size() < 2 {
		return true
	}
	_, err = f.ReadAt(end[:], st.Size()-2)
	return err != nil || string(end[:]) != "\n\n"
}

// Event is a checkpoint as a webhook gets it: CloudEvents 1.0, structured JSON.
type Event struct {
	SpecVersion     string    `json:"specversion"`
	Type            string    `json:"type"`
	Source          string    `json:"source"` // origin
	ID              string    `json:"id"`     // the same for every copy of one checkpoint
	Time            time.Time `json:"time"`   // when it was made, by the sender's clock
	DataContentType string    `json:"datacontenttype"`
	Data            string    `json:"data"` // the signed note
}

// EventType of a checkpoint.
const EventType = "dev.rekey.checkpoint.v1"

func (n *Notary) toWebhook(ctx context.Context, s sop.Sink, c journal.Checkpoint) error {
	to, _, err := n.Env.Resolve(ctx, s.Webhook.URL)
	if err != nil {
		return err
	}
	header := map[string]secret.Value{}
	for name, refs := range s.Webhook.Headers {
		if header[name], _, err = n.Env.Resolve(ctx, refs); err != nil {
			return fmt.Errorf("header %s: %w", name, err)
		}
	}
	origin := evidence.OriginOf(c.Note)
	return webhook.Post(ctx, n.Env, s.Name, "application/cloudevents+json", to, header, Event{
		SpecVersion: "1.0", Type: EventType, Source: origin, ID: fmt.Sprintf("%s/%d/%d", origin, c.Size, c.ID),
		Time: c.Made, DataContentType: "text/plain; charset=utf-8", Data: c.Note,
	})
}
