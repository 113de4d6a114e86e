package estate

import (
	"errors"
	"path/filepath"
	"strings"

	"rekey/internal/journal"
	"rekey/internal/kept"
	"rekey/internal/sop"
)

// ofKeeping is the error of a journal, or of a key beside it, that cannot be used; nil:
// it is another one.
func ofKeeping(err error) *Error {
	if moved, ok := errors.AsType[*journal.Moved](err); ok {
		return &Error{Code: MovedAway, Dir: moved.Path, Name: moved.To, Err: moved, Advice: followed(moved)}
	}
	if coming, ok := errors.AsType[*journal.Arriving](err); ok {
		return &Error{Code: MovedAway, Dir: coming.Path, Err: errors.New(firstLine(coming)), Advice: nexts(coming)}
	}
	if other, ok := errors.AsType[*kept.OtherKey](err); ok {
		return &Error{Code: OtherKey, Err: other, Advice: keyed(other)}
	}
	if damaged, ok := errors.AsType[*kept.KeyDamaged](err); ok {
		out := &Error{Code: KeyDamaged, Err: damaged, Advice: []string{"restore it from a backup", "move it away: a new one is made, and earlier fingerprints in the journal no longer match anything"}}
		if !damaged.InFile {
			out.Advice = []string{"write there what fingerprint.key of the machine that began the journal holds"}
		}
		return out
	}
	if of[*journal.Unusable](err) || of[*journal.Unprivileged](err) || of[*journal.Newer](err) {
		said := base(err)
		return &Error{Code: NoDatabase, Err: errors.New(firstLine(said)), Advice: nexts(said)}
	}
	return nil
}

func of[E error](err error) bool { _, ok := errors.AsType[E](err); return ok }

// base is the error that says what is wrong with a database.
func base(err error) error {
	if e, ok := errors.AsType[*journal.Unusable](err); ok {
		return e
	}
	if e, ok := errors.AsType[*journal.Unprivileged](err); ok {
		return e
	}
	e, _ := errors.AsType[*journal.Newer](err)
	return e
}

func firstLine(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return first
}

// nexts are what an error says to do next, line by line.
func nexts(err error) (out []string) {
	lines := strings.Split(err.Error(), "\n")
	for _, l := range lines[1:] {
		l = strings.TrimSpace(l)
		for _, head := range []string{"next ", "or "} {
			if rest, ok := strings.CutPrefix(l, head); ok {
				out = append(out, strings.TrimSpace(rest))
				break
			}
		}
	}
	return out
}

// followed is how a configuration follows a journal that was moved.
func followed(m *journal.Moved) []string {
	switch {
	case m.Name != "" && sop.CheckDatabase(m.Name) == nil:
		return []string{"write in rekey.yaml: database: " + sop.ShownDatabase(m.Name)}
	case filepath.IsAbs(m.To):
		return []string{"take database out of rekey.yaml, and write there: journal: " + m.To}
	}
	return []string{"name its address in rekey.yaml under database"}
}

// keyed is what to do about a fingerprint key that is not the journal's.
func keyed(o *kept.OtherKey) []string {
	const lost = "where it is lost, go on with another one: rekey journal key --new --reason \"what happened\""
	switch {
	case !o.InFile:
		return []string{"let the reference lead to the same key as on the other machines", lost}
	case o.Missing:
		return []string{"copy the file there from a machine that has it, or name the key under fingerprint_key in rekey.yaml", lost}
	}
	return []string{"copy the file over it from a machine that works, or name the key under fingerprint_key in rekey.yaml", lost}
}
