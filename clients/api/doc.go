// Package api is a client of Rekey's API that oapi-codegen makes from the committed document; it is made before each test, and not kept.
package api

// What the made client imports is named here, since `go mod tidy` does not see a file that is not kept.
import _ "github.com/oapi-codegen/runtime"

//go:generate go tool oapi-codegen -config config.yaml ../../internal/api/openapi.json
