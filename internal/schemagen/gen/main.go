// Command gen writes internal/sop/rekey.schema.json; run by go generate.
package main

import (
	"log"
	"os"

	"rekey/internal/provider/all"
	"rekey/internal/schemagen"
)

func main() {
	b, err := schemagen.Schema(".", all.Vendors())
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("internal/sop/rekey.schema.json", b, 0o644); err != nil {
		log.Fatal(err)
	}
}
