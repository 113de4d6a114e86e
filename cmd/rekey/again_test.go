package main

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/creack/pty"

	"rekey/internal/provider"
	"rekey/internal/secret"
)

// TestAWrongPasteCanBeEnteredAgain: a value is typed unseen, so whoever knows that it
// was the wrong one enters it once more.
func TestAWrongPasteCanBeEnteredAgain(t *testing.T) {
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = master.Close(); _ = tty.Close() }()
	go func() { _, _ = io.Copy(io.Discard, master) }()
	go func() {
		// Each is typed when the one before was read: a hidden prompt throws away
		// nothing that comes later.
		for _, line := range []string{"the-wrong-one", "again", "the-right-one", ""} {
			_, _ = io.WriteString(master, line+"\n")
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	w := &app{streams: streams{in: tty, out: tty, err: tty}}
	answer, err := w.person(ctx, provider.Task{Want: provider.WantMake, Name: "console-1", Fields: []string{"value"}})
	if err != nil {
		t.Fatal(err)
	}
	if !answer.Bundle["value"].Equal(secret.New("the-right-one")) {
		t.Error("another value was taken than the one that was entered last")
	}
}
