package double

import (
	"net/http"
)

// issues are what the server finds wrong with a body, in the words of zod, which
// it validates with (recorded: 01-login.json, 10-create.json, 20-batch.json).
type issues []map[string]any

// text wants a text at a path below an object.
func (is *issues) text(object map[string]any, name string, optional bool, above ...any) {
	v, there := object[name]
	if _, ok := v.(string); ok || !there && optional {
		return
	}
	is.wrong("string", v, there, append(above, name)...)
}

func (is *issues) wrong(want string, got any, there bool, path ...any) {
	received, message := "undefined", "Required"
	if there {
		received = typeOf(got)
		message = "Expected " + want + ", received " + received
	}
	if path == nil {
		path = []any{}
	}
	*is = append(*is, map[string]any{"code": "invalid_type", "expected": want, "received": received, "path": path, "message": message})
}

func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case float64:
		return "number"
	case bool:
		return "boolean"
	case []any:
		return "array"
	}
	return "object"
}

// object returns the body, if it is one.
func (is *issues) object(body any) map[string]any {
	if fields, ok := body.(map[string]any); ok {
		return fields
	}
	is.wrong("object", body, true)
	return nil
}

// valid answers with what is wrong, if anything is: 401 in 2024 (recorded), 422
// today (docs/vendors/infisical.md).
func (a *asked) valid(is issues) bool {
	if len(is) == 0 {
		return true
	}
	status := http.StatusUnprocessableEntity
	if a.server().old() {
		status = http.StatusUnauthorized
	}
	a.fail(status, "ValidationFailure", is)
	return false
}
