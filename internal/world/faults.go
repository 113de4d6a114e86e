package world

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Fault is something that goes wrong with a request. Faults are tried in order;
// the first that fits is used up once.
type Fault struct {
	Vendor   string   `json:"vendor,omitempty"`      // name of a double; "": any
	Endpoint string   `json:"endpoint,omitempty"`    // part of "METHOD /path/{pattern}"; "": any
	After    int      `json:"after,omitempty"`       // leave so many fitting requests alone first
	Times    int      `json:"times,omitempty"`       // how often; 0: once, -1: for ever
	Status   int      `json:"status,omitempty"`      // answer with this, in the vendor's own shape
	ID       string   `json:"id,omitempty"`          // the vendor's own word for it, as two_factor; "": the usual one of the status
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

// answer writes what a fault says, given what would have been answered; d is whose
// shape a failure has, nil: no vendor's.
func (f *Fault) answer(rw http.ResponseWriter, d Fails, real *Reply) {
	switch {
	case f.Cut:
		panic(http.ErrAbortHandler)
	case f.Empty:
		rw.WriteHeader(http.StatusOK)
		return
	case f.Half:
		CopyHeader(rw.Header(), real.header)
		rw.WriteHeader(real.Status)
		_, _ = rw.Write(real.Body.Bytes()[:real.Body.Len()/2])
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
	if d != nil {
		d.Fail(rw, status, f.ID)
		return
	}
	WriteJSON(rw, status, map[string]string{"error": http.StatusText(status)}) // nobody in particular: a hook
}
