package double

import (
	"encoding/json"
	"net/http"
	"strconv"

	"rekey/internal/world"
)

// The most that a page of a list has: of Access 1000, as observed and as
// cloudflare-go has it; of API tokens 50, as documented.
const (
	accessPage = 1000
	tokenPage  = 50
)

// raws are the entries of a list as they are sent.
func raws[T any](all []T) []json.RawMessage {
	out := make([]json.RawMessage, len(all))
	for i := range all {
		out[i], _ = json.Marshal(all[i])
	}
	return out
}

// page answers a list, by default 20 a page. Where lists shift, somebody else has an
// entry at the top of the first page and has deleted it before the second is asked
// for: the top of the second is on neither.
func (w *Double) page(rw http.ResponseWriter, req *http.Request, all []json.RawMessage, most int) {
	s := w
	if s.Knobs.PageSize > 0 {
		most = min(most, s.Knobs.PageSize)
	}
	number, per := 1, min(20, most)
	if n, err := strconv.Atoi(req.URL.Query().Get("page")); err == nil && n > 0 {
		number = n
	}
	if n, err := strconv.Atoi(req.URL.Query().Get("per_page")); err == nil && n > 0 {
		per = min(n, most)
	}
	if s.Knobs.ListShift > 0 && len(all) > per && number == 1 {
		all = append([]json.RawMessage{passing(all[0])}, all...)
		s.Knobs.ListShift--
	}
	from := min((number-1)*per, len(all))
	items := all[from:min(from+per, len(all))]
	world.WriteJSON(rw, http.StatusOK, map[string]any{
		"success": true, "errors": []any{}, "messages": []any{}, "result": items,
		"result_info": map[string]int{"page": number, "per_page": per, "count": len(items), "total_count": len(all)},
	})
}

// passing is an entry of the same kind that concerns nobody and is soon gone.
func passing(like json.RawMessage) json.RawMessage {
	var entry map[string]any
	_ = json.Unmarshal(like, &entry)
	entry["id"], entry["name"], entry["client_id"] = "00000000-0000-4000-8000-0000000000ff", "about to be deleted", "simulated-passing.access"
	entry["include"], entry["policies"] = []any{}, []any{}
	b, _ := json.Marshal(entry)
	return b
}
