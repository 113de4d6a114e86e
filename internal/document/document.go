// Package document lays out the written procedure of a credential, from its configuration, its history and the vendors' recipes, as Markdown and HTML.
//
// Which steps there are, and in which order, is rotation.Outline's word, the same
// code that makes a plan; how each is done by hand is the vendors' (byhand). So
// the page cannot say another procedure than the one that runs.
package document

import (
	"time"

	"rekey/internal/byhand"
	"rekey/internal/history"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sop"
	show "rekey/internal/visible"
)

// Input is everything that a page is made of.
type Input struct {
	Spec sop.Spec
	// Siblings are all credentials of the same procedure, this one included.
	Siblings []sop.Spec
	// Pattern of names that the procedure applies to; "" if it has none.
	Pattern   string
	Can       rotation.Capabilities
	Issuer    byhand.Recipe
	Store     byhand.Recipe
	Further   map[string]byhand.Recipe // of the stores that follow it, by key
	Consumers map[string]byhand.Recipe // by key
	// Now is what changes with time and history; nil leaves it out.
	Now *Now
}

// Now is what is known at one moment, offline.
type Now struct {
	At      time.Time
	Refs    map[string]string // state of each reference in words: never a value
	Journal string            // where it is; "": there is none yet
	// Simulated is set where the journal's runs were on simulated vendors.
	Simulated bool
	Known     report.Known
	// Plan is the newest plan of the credential; nil if there is none.
	Plan   *rotation.Plan
	PlanAt time.Time
	// Check is the newest check of the credential; nil if there is none.
	Check   *history.Check
	CheckAt time.Time
}

// Document is a page, laid out.
type Document struct {
	Title  string
	Blocks []block
}

// Build lays the page out. It fails only where the configured strategy is none
// that the issuer offers.
func Build(in Input) (Document, error) {
	plan, err := rotation.Outline(in.Spec, in.Can)
	if err != nil {
		return Document{}, err
	}
	in.Now = show.Copy(in.Now)
	b := &builder{Input: in, plan: plan}
	if in.Now != nil {
		rows := report.Rows([]sop.Spec{in.Spec}, in.Now.Known, in.Now.At)
		b.row = &rows[0]
	}
	b.head()
	b.applies()
	b.when()
	b.prerequisites()
	b.steps()
	b.auditStep()
	b.rollback()
	b.references()
	b.gotchas()
	b.record()
	return Document{Title: "Rotation SOP — " + in.Spec.Name, Blocks: b.out}, nil
}

// builder collects blocks.
type builder struct {
	Input
	plan rotation.Plan
	row  *report.Row // nil without Now
	out  []block
}

func (b *builder) add(blocks ...block) { b.out = append(b.out, blocks...) }

// kind is the word of the page that this project started from.
func (b *builder) mode() string {
	if b.Issuer.ByPerson {
		return "assisted"
	}
	return "programmatic"
}
