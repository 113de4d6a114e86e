// Package api is a client of Rekey's API that oapi-codegen makes from the committed document; it is made before each test, and not kept.
package api

//go:generate go tool oapi-codegen -config config.yaml ../../internal/api/openapi.json
