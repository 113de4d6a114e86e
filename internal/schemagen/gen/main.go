// Command gen writes internal/sop/rekey.schema.json and docs/vendors; run by go generate.
package main

import (
	"flag"
	"log"
	"os"
	"path/filepath"

	"rekey/internal/packed"
	"rekey/internal/provider/all"
	"rekey/internal/schemagen"
)

func main() {
	into := flag.String("into", ".", "folder of the module that is written into")
	flag.Parse()
	b, err := schemagen.Schema(".", all.Vendors())
	if err != nil {
		log.Fatal(err)
	}
	small, err := packed.Pack(b)
	if err != nil {
		log.Fatal(err)
	}
	for name, text := range map[string][]byte{"rekey.schema.json": b, "rekey.schema.json.gz": small} {
		if err := os.WriteFile(filepath.Join(*into, "internal/sop", name), text, 0o644); err != nil {
			log.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(*into, "docs/vendors"), 0o755); err != nil {
		log.Fatal(err)
	}
	for _, d := range all.Vendors() {
		if err := os.WriteFile(filepath.Join(*into, "docs/vendors", d.Name+".md"), schemagen.Page(d), 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
