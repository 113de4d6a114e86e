package sim

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Fault is something that goes wrong with a request. Faults are tried in order;
// the first that fits is used up once.
type Fault struct {
	Vendor   string   `json:"vendor,omitempty"`      // cloudflare, infisical, heroku, edge; "": any
	Endpoint string   `json:"endpoint,omitempty"`    // part of "METHOD /path/{pattern}"; "": any
	After    int      `json:"after,omitempty"`       // leave so many fitting requests alone first
	Times    int      `json:"times,omitempty"`       // how often; 0: once, -1: for ever
	Status   int      `json:"status,omitempty"`      // answer with this, in the vendor's own shape
	ID       string   `json:"id,omitempty"`          // the vendor's own word for it (Heroku: two_factor); "": the usual one of the status
	Applied  bool     `json:"applied,omitempty"`     // the effect happens all the same
	HTML     bool     `json:"html,omitempty"`        // answer with a proxy's HTML page instead of JSON
	Cut      bool     `json:"cut,omitempty"`         // cut the connection instead of answering
	Empty    bool     `json:"empty,omitempty"`       // answer 200 with nothing in it
	Half     bool     `json:"half,omitempty"`        // answer with half of the real answer
	Wait     int      `json:"retry_after,omitempty"` // Retry-After, seconds
	Delay    Duration `json:"delay,omitempty"`       // before anything
}

// Inject adds faults.
func (w *World) Inject(faults ...Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range faults {
		w.state.Faults = append(w.state.Faults, &f)
	}
}

// fault takes the first fault that fits, if any.
func (s *State) fault(vendor, endpoint string) *Fault {
	for i, f := range s.Faults {
		if f.Vendor != "" && f.Vendor != vendor || !strings.Contains(endpoint, f.Endpoint) {
			continue
		}
		if f.After > 0 {
			f.After--
			continue
		}
		switch {
		case f.Times < 0:
		case f.Times <= 1:
			s.Faults = append(append([]*Fault{}, s.Faults[:i]...), s.Faults[i+1:]...)
		default:
			f.Times--
		}
		return f
	}
	return nil
}

// answer writes what a fault says, given what would have been answered.
func (f *Fault) answer(rw http.ResponseWriter, vendor string, real *reply) {
	switch {
	case f.Cut:
		panic(http.ErrAbortHandler)
	case f.Empty:
		rw.WriteHeader(http.StatusOK)
		return
	case f.Half:
		copyHeader(rw.Header(), real.header)
		rw.WriteHeader(real.status)
		_, _ = rw.Write(real.body.Bytes()[:real.body.Len()/2])
		return
	}
	if f.Wait > 0 {
		rw.Header().Set("Retry-After", strconv.Itoa(f.Wait))
	}
	status := f.Status
	if status == 0 {
		status = http.StatusBadGateway
	}
	if f.HTML {
		rw.Header().Set("Content-Type", "text/html; charset=UTF-8")
		rw.WriteHeader(status)
		_, _ = fmt.Fprintf(rw, "<!DOCTYPE html><html><head><title>%d</title></head><body><h1>%s</h1></body></html>", status, http.StatusText(status))
		return
	}
	if vendor == "infisical" && f.ID != "" {
		infisicalFailure(rw, status, f.ID, "Something went wrong", false)
		return
	}
	if vendor == "heroku" && f.ID != "" {
		herokuFailure(rw, status, f.ID, herokuSays(f.ID))
		return
	}
	if fail := failures[vendor]; fail != nil {
		fail(rw, status)
		return
	}
	writeJSON(rw, status, map[string]string{"error": http.StatusText(status)}) // nobody in particular: a hook
}

// failures answer a status in each vendor's own shape.
var failures = map[string]func(http.ResponseWriter, int){
	"cloudflare": func(rw http.ResponseWriter, status int) {
		code, message := 10001, "Internal error"
		switch status {
		case 401, 403:
			code, message = 10000, "Authentication error"
		case 404:
			code, message = 7003, "Could not route to the object, perhaps your object identifier is invalid?"
		case 409:
			code, message = 12130, "access.api.error.conflict"
		case 429:
			code, message = 971, "Please wait and consider throttling your request speed"
		}
		cloudflareFailure(rw, status, code, message)
	},
	"infisical": func(rw http.ResponseWriter, status int) {
		name := map[int]string{400: "BadRequest", 422: "ValidationFailure", 401: "UnauthorizedError", 403: "PermissionDenied", 404: "NotFound", 429: "RateLimitExceeded"}[status]
		if name == "" {
			name = "InternalServerError"
		}
		infisicalFailure(rw, status, name, "Something went wrong", false)
	},
	"heroku": func(rw http.ResponseWriter, status int) {
		id := map[int]string{
			400: "bad_request", 401: "unauthorized", 402: "delinquent", 403: "forbidden", 404: "not_found", 406: "not_acceptable",
			409: "conflict", 410: "gone", 416: "requested_range_not_satisfiable", 422: "invalid_params", 429: "rate_limit",
		}[status]
		if id == "" {
			id = "internal_server_error"
		}
		herokuFailure(rw, status, id, herokuSays(id))
	},
	"edge": func(rw http.ResponseWriter, status int) {
		rw.Header().Set("Content-Type", "text/html")
		rw.WriteHeader(status)
		_, _ = fmt.Fprintf(rw, "<html><body>error code: %d</body></html>", status)
	},
}

// herokuSays is the message of an error, where it is known (platform-api-reference, Errors).
func herokuSays(id string) string {
	if id == "rate_limit" {
		return "Your account reached the API rate limit\nPlease wait a few minutes before making new requests"
	}
	return "simulated"
}

func (d Duration) std() time.Duration { return time.Duration(d) }
