package traces

import (
	"encoding/hex"
	"encoding/json"
	"strconv"
)

// OTLP's JSON is that of Protocol Buffers, but for ids, which are written in hexadecimal
// digits (https://opentelemetry.io/docs/specs/otlp/, "JSON Protobuf Encoding").

type object map[string]any

func attributes(all []Attribute) []object {
	out := make([]object, 0, len(all))
	for _, a := range all {
		var value object
		switch v := a.Value.(type) {
		case string:
			value = object{"stringValue": v}
		case bool:
			value = object{"boolValue": v}
		case int64:
			value = object{"intValue": strconv.FormatInt(v, 10)}
		}
		out = append(out, object{"key": a.Key, "value": value})
	}
	return out
}

// plain writes the same request as protobuf, in JSON.
func plain(o Origin, spans []Span) ([]byte, error) {
	all := make([]object, 0, len(spans))
	for _, s := range spans {
		status := object{"code": int(s.Status)}
		if s.Why != "" {
			status["message"] = s.Why
		}
		one := object{
			"traceId": hex.EncodeToString(s.Trace[:]), "spanId": hex.EncodeToString(s.ID[:]), "name": s.Name, "kind": s.kind(),
			"startTimeUnixNano": strconv.FormatInt(s.Start.UnixNano(), 10), "endTimeUnixNano": strconv.FormatInt(s.End.UnixNano(), 10),
			"attributes": attributes(s.Attributes), "status": status,
		}
		if s.Parent != [8]byte{} {
			one["parentSpanId"] = hex.EncodeToString(s.Parent[:])
		}
		all = append(all, one)
	}
	return json.Marshal(object{"resourceSpans": []object{{
		"resource":   object{"attributes": attributes(o.resource())},
		"scopeSpans": []object{{"scope": object{"name": scopeName, "version": o.Version}, "spans": all}},
	}}})
}

// rejectedPlain is rejected for an answer in JSON.
func rejectedPlain(b []byte) (int64, error) {
	var answer struct {
		PartialSuccess struct {
			RejectedSpans json.Number `json:"rejectedSpans"` // a text, or a number
		} `json:"partialSuccess"`
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return 0, errAnswer
	}
	if answer.PartialSuccess.RejectedSpans == "" {
		return 0, nil
	}
	n, err := answer.PartialSuccess.RejectedSpans.Int64()
	if err != nil {
		return 0, errAnswer
	}
	return n, nil
}
