// Package byhand is what a vendor says of how its part of a procedure is done by hand: shell, portal steps, least privilege, links.
//
// A recipe is plain data, made from configuration alone: no vendor is asked and
// no secret is read to write it down. The shell of a recipe works in a working
// folder ($DESK), a private one in which every value is a file, because an argument can be read
// by everybody on the machine (docs/vendors/heroku.md; T19, T23).
//
// Files of the working folder that recipes share:
//
//	was/FIELD, new/FIELD, wrong/FIELD   fields of the old, the new and a made-up bundle
//	old-id, new-id, new-name            non-secret identity of both generations
//	DIR/names.json                      slots of a store or consumer, a list
//	DIR/now.json, was.json, new.json    what the slots hold: {"SLOT": "value" or null}
package byhand

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Roles of which a recipe can be asked.
const (
	Issuer   = "issuer"
	Store    = "store"
	Consumer = "consumer"
)

// Question is which part of a procedure is meant.
type Question struct {
	Role       string          // Issuer, Store or Consumer
	Kind       string          // what the issuer makes
	Tool       string          // word by which shell functions and files of this vendor's instance begin; an identifier
	Connection json.RawMessage // the vendor's settings under vendors
	Settings   json.RawMessage // the role's own
	Dir        string          // folder of this store or consumer in the working folder
	// Waits in whole or decimal seconds, by the names of timing, and grace (of a
	// roll); they fill @quiet@, @verify@, @settle@, @grace@ in recipes.
	Waits map[string]string
}

// Recipe is a vendor's answer: everything that its part needs, verb by verb.
type Recipe struct {
	Title     string    // the vendor, as its makers write it
	Tool      string    // of the question
	ByPerson  bool      // a person does it in a portal: the procedure is assisted
	Addresses []Address // shell variables that may be led elsewhere, as to a simulated world
	Inputs    []Input   // credentials and settings that have to be at hand
	Desk      string    // bash: functions; said once for each vendor
	Login     string    // bash: makes of the inputs what requests need
	// Steps by the verbs of rotation; and "observe" and "read" (writes DIR/now.json).
	// An issuer's Desk defines ask FOLDER|- ADDRESS STATUS, which prints accepted,
	// denied, open or unclear, as cred.Verdict says it.
	Steps map[string]Step
	// Doc is the vendor's page, and Sections the headings under its "Worth knowing"
	// that apply here; "" are the points before the first of them.
	Doc      string
	Sections []string
	Links    []Link
}

// Step is one thing to do.
type Step struct {
	Text   string  // Markdown of the vendor's folder; never from configuration
	Portal *Portal // what a person does in a portal first
	Shell  string  // bash, run in the working folder with set -euo pipefail; "": none
}

// Portal is what is done where no program can.
type Portal struct {
	Link  string   // an address, or a reference to one
	Lines []string // from configuration; {name} stands for the generation
}

// Input is what has to be at hand.
type Input struct {
	Title string   // "API token"
	File  string   // its file in the working folder
	Refs  []string // references in order of preference; of a Plain one also texts
	Plain bool     // not a secret
	Least []string // what it has to be allowed, and no more
}

// Address is a shell variable with the address that it has unless it is set.
type Address struct{ Var, Default string }

// API is the one address of a vendor that has one, under its word.
func (q Question) API(base string) []Address {
	return []Address{{Var: strings.ToUpper(q.Tool) + "_API", Default: strings.TrimRight(base, "/")}}
}

// Link is a page of the vendor.
type Link struct{ Label, URL string }

// StoreDir is the store's folder in the working folder.
const StoreDir = "store"

// FurtherDir is the folder of the i-th store that follows the first, from 0.
func FurtherDir(i int) string { return StoreDir + "-" + strconv.Itoa(i+2) }

// ConsumerDir is the folder of the i-th consumer in the working folder, from 0.
func ConsumerDir(i int) string { return "consumer-" + strconv.Itoa(i+1) }
