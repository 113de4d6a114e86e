// Command gen writes internal/sop/rekey.schema.json and docs/vendors; run by go generate.
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
	if err := os.MkdirAll("docs/vendors", 0o755); err != nil {
		log.Fatal(err)
	}
	for _, d := range all.Vendors() {
		if err := os.WriteFile("docs/vendors/"+d.Name+".md", schemagen.Page(d), 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
