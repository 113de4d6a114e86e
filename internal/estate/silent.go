package estate

import (
	"context"

	"rekey/internal/rotation"
)

// Silent is a Face that shows nothing and confirms nothing; others are made of it, which
// show some.
type Silent struct{}

var _ Face = Silent{}

func (Silent) Behind(error)             {}
func (Silent) Past([]rotation.Event)    {}
func (Silent) Event(rotation.Event)     {}
func (Silent) Starts([]rotation.Action) {}
func (Silent) Waits(rotation.Wait)      {}
func (Silent) Call(Call)                {}
func (Silent) End()                     {}

// Confirm returns ErrNotConfirmed.
func (Silent) Confirm(context.Context, rotation.Ask) (string, error) { return "", ErrNotConfirmed }
