package contract

import (
	"errors"
	"fmt"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// flat takes an error apart into the single faults that it is made of.
func flat(err error) []error {
	switch e := err.(type) {
	case nil:
		return nil
	case openapi3.MultiError:
		var out []error
		for _, x := range e {
			out = append(out, flat(x)...)
		}
		return out
	case *openapi3filter.RequestError:
		return inside(e, e.Err)
	case *openapi3filter.ResponseError:
		return inside(e, e.Err)
	case *openapi3.SchemaError:
		// A composed schema says only that it does not match; its origin says why.
		if inner := flat(e.Origin); len(inner) > 0 {
			return inner
		}
	}
	return []error{err}
}

func inside(outer, inner error) []error {
	if inner == nil {
		return []error{outer}
	}
	var out []error
	for _, x := range flat(inner) {
		out = append(out, &within{outer: outer, err: x})
	}
	return out
}

// within is a fault in a part of a request or answer.
type within struct{ outer, err error }

func (w *within) Error() string { return w.err.Error() }
func (w *within) Unwrap() error { return w.err }

// partOf tells which part of a request an error is about.
func partOf(err error) string {
	if w, ok := err.(*within); ok {
		err = w.outer
	}
	if _, ok := errors.AsType[*openapi3filter.SecurityRequirementsError](err); ok {
		return "credential"
	}
	if e, ok := errors.AsType[*openapi3filter.RequestError](err); ok && e.Parameter != nil {
		return e.Parameter.In
	}
	return "request body"
}

// reason leaves out the schema and the value that the validator's own text quotes.
func reason(err error) string {
	if s, ok := errors.AsType[*openapi3.SchemaError](err); ok {
		return fmt.Sprintf("/%s: %s", strings.Join(s.JSONPointer(), "/"), s.Reason)
	}
	if s, ok := errors.AsType[*openapi3filter.SecurityRequirementsError](err); ok {
		return fmt.Sprint(s.Errors)
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}
