package driver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestOneQuestionOneAnswer: results, errors of a class, other errors without their
// words, and operations that there are not.
func TestOneQuestionOneAnswer(t *testing.T) {
	operations := map[string]Operation{
		"find": func(_ context.Context, q Question) (any, error) {
			return map[string]any{"handle": Handle{ID: q.Handle.ID, Name: "n"}}, nil
		},
		"revoke": func(context.Context, Question) (any, error) { return nil, nil },
		"list":   func(context.Context, Question) (any, error) { return nil, &Error{Class: "denied", Why: "no"} },
		"owner":  func(context.Context, Question) (any, error) { return nil, errors.New("token hunter2") },
		"read": func(_ context.Context, q Question) (any, error) {
			return map[string]Held{"A": {Present: true, Value: q.Bundle["key"]}}, nil
		},
	}
	for question, want := range map[string]string{
		`{"op":"describe"}`:                 `{"result":{"name":"x"}}`,
		`{"op":"find","handle":{"id":"7"}}`: `{"result":{"handle":{"id":"7","name":"n"}}}`,
		`{"op":"revoke"}`:                   `{"result":{}}`,
		`{"op":"list"}`:                     `{"error":{"class":"denied","why":"no"}}`,
		`{"op":"owner"}`:                    `{"error":{"class":"unknown","why":"the driver met an error that it does not know"}}`,
		`{"op":"dance"}`:                    `{"error":{"class":"refused","why":"this driver does not know the operation"}}`,
		`{"op":`:                            `{"error":{"class":"unsent","why":"the question is not of the protocol"}}`,
		`{"op":"read","bundle":{"key":{"secret":"s3"}}}`: `{"result":{"A":{"present":true,"value":{"secret":"s3"}}}}`,
	} {
		var out strings.Builder
		Main(strings.NewReader(question+"\n"), &out, map[string]string{"name": "x"}, operations)
		if got := strings.TrimSpace(out.String()); got != want {
			t.Errorf("%s: %s, want %s", question, got, want)
		}
	}
}

// TestASecretIsNotPrinted: by no verb.
func TestASecretIsNotPrinted(t *testing.T) {
	s := NewSecret("hunter2")
	if got := fmt.Sprintf("%v %+v %#v %s %q %v", s, s, s, s, s, struct{ S Secret }{s}); strings.Contains(got, "hunter2") {
		t.Error(got)
	}
}
