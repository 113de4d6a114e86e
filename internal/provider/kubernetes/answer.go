package kubernetes

import (
	"encoding/json"

	"rekey/internal/cred"
	"rekey/internal/vendorhttp"
)

// status is the shape of every error of the API server
// [kubernetes.io/docs/reference/kubernetes-api/common-definitions/status].
type status struct {
	Kind    string `json:"kind"`
	Version string `json:"apiVersion"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Code    int    `json:"code"`
}

func statusOf(body []byte) (s status, ok bool) {
	ok = json.Unmarshal(body, &s) == nil && s.Kind == "Status" && s.Version == "v1" && s.Status == "Failure"
	return s, ok
}

// own: only an answer of that shape, of the code with which it came, is the server's.
func own(r *vendorhttp.Response) bool {
	s, ok := statusOf(r.Body)
	return ok && s.Code == r.Status
}

// reasons are the server's words [k8s.io/apimachinery, meta/v1, StatusReason].
var reasons = map[string]struct {
	class cred.Class
	why   string
}{
	"Unauthorized":         {cred.Denied, "the server does not accept the token or certificate: it is not valid, or for another cluster"},
	"Forbidden":            {cred.Denied, "a role lacks the right, or a policy or quota stands against it"},
	"NotFound":             {cred.Absent, "there is no such Secret, workload or namespace"},
	"AlreadyExists":        {cred.Conflict, "it exists already"},
	"Conflict":             {cred.Conflict, "somebody else changed it at the same time"},
	"Invalid":              {cred.Refused, "the server finds it invalid: an immutable Secret, a name or a value that it does not take"},
	"BadRequest":           {cred.Refused, "the server finds the request invalid"},
	"MethodNotAllowed":     {cred.Refused, "the server does not offer this"},
	"UnsupportedMediaType": {cred.Refused, "the server does not take this kind of request"},
	"TooManyRequests":      {cred.Limited, "the server has too much to do"},
	// These may come after the effect.
	"ServerTimeout": {cred.Unknown, "the server did not finish in time"}, "Timeout": {cred.Unknown, "the server did not finish in time"},
	"InternalError": {cred.Unknown, "the server failed: a webhook that it asks may not answer"}, "ServiceUnavailable": {cred.Unknown, "the server cannot work now"},
}

func explain(_ int, body []byte) (cred.Class, string, string) {
	s, _ := statusOf(body)
	r := reasons[s.Reason]
	if r.class == "" {
		return "", "", ""
	}
	return r.class, s.Reason, r.why
}

// notApplied: what was found invalid by validation, or not found, was not stored. A
// conflict proves nothing: a proxy that sends a request twice gets one for its second.
func notApplied(r *vendorhttp.Response) bool {
	s, _ := statusOf(r.Body)
	switch s.Reason {
	case "Invalid", "BadRequest", "NotFound", "MethodNotAllowed", "UnsupportedMediaType":
		return true
	}
	return false
}
