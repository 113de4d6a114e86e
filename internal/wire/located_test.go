package wire

import (
	"context"
	"testing"
	"time"

	"rekey/internal/provider"
)

// able is a consumer with everything that one may have besides.
type able struct {
	provider.Consumer
	asked int
}

func (a *able) Held(context.Context, []string) (map[string]provider.Held, error) {
	a.asked++
	return map[string]provider.Held{"A": {}}, nil
}

func (*able) Ahead() (time.Duration, bool) { return time.Minute, true }

// TestWhereAConsumerStandsHidesNothingOfIt: what it can be asked besides, it can be
// asked still.
func TestWhereAConsumerStandsHidesNothingOfIt(t *testing.T) {
	a := &able{}
	var c provider.Consumer = located{a, "rekey.yaml:12"}
	h, holds := c.(provider.Holder)
	clock, clocked := c.(provider.Clocked)
	if !holds || !clocked {
		t.Fatal("it can only be asked for everything")
	}
	if held, err := h.Held(t.Context(), []string{"A"}); err != nil || len(held) != 1 || a.asked != 1 {
		t.Errorf("%v, %v, asked %d times", held, err, a.asked)
	}
	if ahead, known := clock.Ahead(); !known || ahead != time.Minute {
		t.Errorf("%v, %v", ahead, known)
	}
}
