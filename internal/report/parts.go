package report

import "rekey/internal/rotation"

// What a face that lays a plan or a run out itself takes the words from. None of it is
// coloured, and all of it is legible.

// StrategyWords says by which strategy a credential is replaced.
func StrategyWords(strategy string) string { return strategyWords(strategy) }

// Overlap says from which step to which both credentials are valid.
func Overlap(p *rotation.Plan) string { return overlap(p) }

// GoingBack says what going back can and cannot do.
func GoingBack(p *rotation.Plan) []string { return goingBack(legible(p)) }

// Changes are every value and rule that becomes another: where, what, how, and a remark.
func Changes(p *rotation.Plan) [][]string { return changes(legible(p), Style{}) }

// Shown is one thing that a run has shown.
type Shown struct {
	What string
	Kind ShownKind
}

// ShownKind tells a proof from what is not known, and from what was seen to be otherwise.
type ShownKind int

// The kinds.
const (
	Proof ShownKind = iota
	NotKnown
	Otherwise
)

// Proofs are what a run has shown, in the order of its plan.
func Proofs(st *rotation.State) (out []Shown) {
	if st.Plan == nil {
		return nil
	}
	st = legible(st)
	for _, text := range proofs(st) {
		kind := Proof
		if weigh(text, Style{}) == "?" {
			kind = NotKnown
		}
		out = append(out, Shown{text, kind})
	}
	for _, text := range atTheEnd(st) {
		out = append(out, Shown{text, Otherwise})
	}
	return out
}

// AfterBack is what was seen after a run went back, and whether all of it is as it was
// before the run.
func AfterBack(st *rotation.State) (lines []string, whole bool) {
	if st.Plan == nil {
		return nil, false
	}
	st = legible(st)
	lines, whole = lastLook(st)
	return append(lines, leftAlone(st)...), whole
}
