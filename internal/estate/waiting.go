package estate

import (
	"context"
	"time"

	"rekey/internal/notify"
	"rekey/internal/provider"
	"rekey/internal/report"
)

// ByHand says in words what somebody is asked to do by hand, and where.
func ByHand(t Task) string {
	words := map[Want]string{
		provider.WantLook: "look which credentials are live", provider.WantMake: "make the new credential and hand it over",
		provider.WantEnd: "end the old credential", provider.WantListed: "look whether one is listed", provider.WantWhich: "find out which one is in use",
	}
	says := "somebody has to " + words[t.Want]
	if t.Name != "" {
		says += " (" + t.Name + ")"
	}
	if t.Link != "" {
		says += ", at " + t.Link
	}
	return says + "; the run's page says how, and takes the answer"
}

const (
	// tellTrouble is how often in a row a run could not be carried out before people are
	// told: the pauses between these tries come to some minutes.
	tellTrouble = 8
	// tellLeft is how long ago a run was opened that nobody is at, for people to be told:
	// whoever has interrupted it may be about to go on.
	tellLeft = time.Hour
)

// waiting tells of the open runs that are not stuck and do not go on by themselves.
func (e *Estate) waiting(ctx context.Context, known *report.Known) (map[string]notify.Waiting, error) {
	leased, err := e.standing(ctx, known, false)
	if err != nil {
		return nil, err
	}
	out := map[string]notify.Waiting{}
	for _, r := range known.Runs {
		if !r.Open() || r.Stuck != "" {
			continue
		}
		var w notify.Waiting
		switch s := leased[r.Run]; {
		case s.ByHand != "":
			w = notify.Waiting{For: known.ByHand[r.Credential], ByHand: true, Unserved: known.Unserved}
		case s.Waits != "":
			w.For = s.Waits
		case s.Process:
		case known.Asks[r.Credential]:
			w.For = Unconfirmed
		case s.Trouble != "" && s.Tries >= tellTrouble:
			w.Trouble = s.Trouble
		case !s.AtWork && e.now().Sub(r.Opened) >= tellLeft:
			w.Left = true
		}
		if w != (notify.Waiting{}) {
			out[r.Run] = w
		}
	}
	return out, nil
}
