package sop

import _ "embed"

//go:embed example.yaml
var example string

// Example returns a commented rekey.yaml: the SOP's own two credentials.
func Example() string { return example }
