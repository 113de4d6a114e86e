package httpcheck

import (
	"context"
	"fmt"
	"time"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// Command runs a check that is a command: true where it ends with status 0. What it is
// given goes by its standard input, for arguments and environment of a process can be
// read by others; what it prints may quote that, and is shown to nobody.
func Command(ctx context.Context, env provider.Env, k sop.Check, since time.Time, stdin secret.Value) (class cred.Class, detail string, err error) {
	args := make([]string, 0, len(k.Command)-1)
	for _, a := range k.Command[1:] {
		if a == "$since" {
			a = from(since)
		}
		args = append(args, a)
	}
	err = env.Look(ctx, "check", "run "+k.Title(), func(ctx context.Context) error {
		ended, err := env.Ways().Exec(ctx, outside.Command{Path: k.Command[0], Args: args, Stdin: stdin})
		if err != nil {
			return err
		}
		switch ended.Exit {
		case 0:
			class, detail = cred.Done, "it ended with status 0"
		case -1:
			class, detail = cred.Waiting, "it was ended by a signal"
		default:
			class, detail = cred.Waiting, fmt.Sprintf("it ended with status %d", ended.Exit)
		}
		return nil
	})
	return class, detail, err
}

// from is the time from which an answer proves something; "" before the switch.
func from(since time.Time) string {
	if since.IsZero() {
		return ""
	}
	// Rounded up: a check made in the same second may be from before.
	return since.UTC().Truncate(time.Second).Add(time.Second).Format(time.RFC3339)
}
