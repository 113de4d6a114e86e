package external

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"rekey/internal/outside"
	"rekey/internal/secret"
)

// Ask starts a program and asks it to describe itself. It is not pinned yet: what it
// says is shown to a person, who then pins it.
func Ask(ctx context.Context, by outside.Ways, program string) (Description, error) {
	e, err := by.Exec(ctx, outside.Command{Path: program, Env: environment, Stdin: secret.New(`{"rekey":1,"op":"describe"}` + "\n"), Limit: longest, Patience: patience})
	if err != nil {
		return Description{}, fmt.Errorf("describe: %w", err)
	}
	var a struct{ Result json.RawMessage }
	if err := json.Unmarshal([]byte(e.Stdout.Reveal()), &a); err != nil || a.Result == nil {
		return Description{}, errors.New(`describe: want one line of JSON on standard output: {"result": {…}}`)
	}
	return Describe(a.Result)
}

// Variables reads what a program printed as an object of texts: the variables of a
// world that a driver is tried in.
func Variables(e outside.Ended, into *map[string]string) error {
	return json.Unmarshal([]byte(e.Stdout.Reveal()), into)
}
