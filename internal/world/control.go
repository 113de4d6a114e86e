package world

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
)

// control is the world's own interface, for tests and people.
func (w *World) control(rw http.ResponseWriter, req *http.Request, what string) {
	switch {
	case what == "_world" && req.Method == http.MethodGet:
		w.See(func(*State) { w.view(rw) })
	case what == "_env" && req.Method == http.MethodGet:
		WriteJSON(rw, http.StatusOK, w.Env())
	case what == "_faults" && req.Method == http.MethodPost:
		var in struct {
			Faults []Fault         `json:"faults"`
			World  json.RawMessage `json:"world"`
			Clear  bool            `json:"clear"`
		}
		dec := json.NewDecoder(io.LimitReader(req.Body, 1<<20))
		dec.DisallowUnknownFields()
		err := dec.Decode(&in)
		w.Turn(func(k *Knobs) {
			if err == nil && len(in.World) > 0 {
				d := json.NewDecoder(bytes.NewReader(in.World))
				d.DisallowUnknownFields()
				err = d.Decode(k)
			}
			if err == nil && in.Clear {
				w.state.Faults = nil
			}
		})
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		w.Inject(in.Faults...)
		WriteJSON(rw, http.StatusOK, map[string]int{"injected": len(in.Faults)})
	case what == "_faults" && req.Method == http.MethodGet:
		w.See(func(s *State) {
			WriteJSON(rw, http.StatusOK, map[string]any{"faults": append([]*Fault{}, s.Faults...), "world": s.Knobs})
		})
	case what == "_faults" && req.Method == http.MethodDelete:
		taken := 0
		w.Turn(func(k *Knobs) {
			taken, w.state.Faults, *k = len(w.state.Faults), nil, w.healthy
		})
		WriteJSON(rw, http.StatusOK, map[string]int{"taken_back": taken})
	default:
		http.Error(rw, "GET /_world, GET /_env, or GET, POST, DELETE /_faults", http.StatusMethodNotAllowed)
	}
}

// view shows everything but the environment.
func (w *World) view(rw http.ResponseWriter) {
	b, err := Marshal(w.state, w.doubles)
	var out map[string]json.RawMessage
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	delete(out, "env")
	if w.state.Outages == nil {
		out["outages"] = json.RawMessage("[]")
	}
	WriteJSON(rw, http.StatusOK, out)
}
