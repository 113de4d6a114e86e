package provider

import (
	"context"
	"encoding/json"
	"time"

	"rekey/internal/secret"
)

// Surveys is a Vendor that can list every place of its account that might hold a
// value, registered or not.
type Surveys interface {
	// Survey lists who might hold a value, in one list (all pages), without reading any; living
	// leaves out those in which nothing runs. A list that may not be read is Denied:
	// then nothing is known, which is not "nothing there". Read-only.
	Survey(ctx context.Context, living bool) ([]Surveyed, error)
}

// Surveyed is something to read: an app, a stage of a pipeline, all folders of an
// environment.
type Surveyed struct {
	Key string // for people and for --despite: "heroku:raxx-console-prod"
	// Read returns all that is there, in one request, or in none where the list tells that
	// nothing has changed since it was last read. Denied and Absent mean that
	// it cannot be seen. Whoever calls drops the values at once. Read-only.
	Read func(ctx context.Context) ([]Spot, error)
}

// Spot is one place and everything that it holds.
type Spot struct {
	Key      string          // "heroku:raxx-console-prod"; of a store with its environment: "infisical:dev/backup"
	Settings json.RawMessage // as they would stand in rekey.yaml
	Consumer bool            // it can be registered as a consumer; otherwise it is a folder of a store
	// Is reports whether these settings, of this vendor, mean this place.
	Is func(settings json.RawMessage) bool
	// Kept: rekey.yaml says of this place that it keeps what it holds, dead.
	Kept  bool
	Slots map[string]secret.Value
	// Hidden are slots whose values may not be read.
	Hidden []string
	// Since is when it was read, if that was before this look and the vendor tells by a
	// list that it has not changed since; zero: it was read now.
	Since time.Time
}
