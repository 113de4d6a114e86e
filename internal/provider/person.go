package provider

import (
	"context"

	"rekey/internal/secret"
)

// Want is what is wanted of a person.
type Want string

// What a person can be asked for.
const (
	WantLook   Want = "look"   // which generations are live? Answer.Names
	WantMake   Want = "make"   // make one with this name and hand it over: Answer.Bundle
	WantEnd    Want = "end"    // end the one with this name: Answer.Yes once it is done
	WantListed Want = "listed" // is the one with this name still, or already, there? Answer.Yes
	WantWhich  Want = "which"  // which of Among is stored and in use? Answer.Names, one or none
)

// Task is what only a person can do or see, in a portal that Rekey cannot reach. Nothing in
// it is secret.
type Task struct {
	Want   Want     `json:"want"`
	Name   string   `json:"name,omitempty"`   // of the generation; "" where none is meant
	Link   string   `json:"link"`             // where it is done
	Steps  []string `json:"steps"`            // how it is done, in order
	Fields []string `json:"fields,omitempty"` // WantMake: what is handed over, by name; all of it is hidden while typed
	Among  []string `json:"among,omitempty"`  // WantWhich
}

// Answer is what came of a task.
type Answer struct {
	Names  []string      `json:"names,omitempty"`
	Bundle secret.Bundle `json:"-"`
	Yes    bool          `json:"yes,omitempty"`
}

// Person carries out a task. One call is one attempt; it ends with ctx. Giving
// up is an answer (an empty bundle, no Yes), an error means that nobody answered.
type Person func(ctx context.Context, t Task) (Answer, error)
