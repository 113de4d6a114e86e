package double

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"

	"rekey/internal/world"
)

var rangeFrom = regexp.MustCompile(`^(\w+) \]?(\d+)\.\.`)

// herokuPage answers a list, 200 entries at most; if there are more, 206 and
// Next-Range say where to go on (platform-api-reference, Ranges). What stands
// there is the server's own business: here it is a position.
func herokuPage(rw http.ResponseWriter, req *http.Request, all []map[string]any) {
	from := 0
	if m := rangeFrom.FindStringSubmatch(req.Header.Get("Range")); m != nil {
		from, _ = strconv.Atoi(m[2])
	}
	from = min(from, len(all))
	end := min(from+200, len(all))
	rw.Header().Set("Accept-Ranges", "id")
	status := http.StatusOK
	if end < len(all) {
		status = http.StatusPartialContent
		rw.Header().Set("Next-Range", fmt.Sprintf("id ]%d..; max=200", end))
	}
	world.WriteJSON(rw, status, all[from:end])
}
