package estate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/notary"
	"rekey/internal/refs"
	"rekey/internal/sop"
)

// databaseFindings tell whether the journal's database can be used from here: reached,
// written, and with the keys that this machine has.
func (e *Estate) databaseFindings(ctx context.Context) []Finding {
	at := e.place()
	finder := &refs.Finder{Dir: e.config.Dir, Env: e.here.Env}
	if sop.DatabaseIsReference(e.config.Database) && !finder.IsSet(sop.Ref(e.config.Database)) {
		return []Finding{{"journal", "database: " + at.Name() + " is not set", false, "set it to the database's address"}}
	}
	facts, err := at.Facts(ctx)
	if err != nil {
		return []Finding{unsound(failed(err))}
	}
	out := []Finding{{"journal", "the database that " + at.Name() + " names is " + facts.String(), true, ""}}
	if facts.Replica {
		return append(out, Finding{"journal", "it is a replica, which can only be read", false, "name the primary, or all hosts with target_session_attrs=read-write"})
	}
	j, err := at.Read(ctx)
	if errors.Is(err, journal.ErrNone) {
		if !facts.Makes {
			return append(out, Finding{"journal", fmt.Sprintf("there is no journal in it yet, and the role %s may not make tables", facts.Role), false, "let the owner of the schema run the first command, or grant CREATE to the role"})
		}
		return append(out, Finding{"journal", "there is no journal in it yet, and it can be made", true, ""})
	}
	if err != nil {
		return append(out, unsound(failed(err)))
	}
	defer func() { _ = j.Close() }()
	if err := e.withJournal(ctx, func(history.Book) error { return nil }); err != nil {
		return append(out, unsound(err))
	}
	if err := j.Writable(ctx); err != nil {
		out = append(out, unsound(failed(err)))
	} else {
		out = append(out, Finding{"journal", "the journal in it can be written", true, ""})
	}
	if err := at.Has(ctx, j); err != nil {
		return append(out, unsound(failed(err)))
	}
	out = append(out, Finding{"journal", "this machine has the key of its fingerprints, or will make it", true, ""})
	if keys, err := j.Keys(ctx); err == nil && len(keys) > 0 && len(e.config.Evidence.Key) == 0 {
		if _, err := os.Stat(filepath.Join(e.journalDir(), notary.KeyFile)); errors.Is(err, os.ErrNotExist) {
			out = append(out, Finding{"journal", "this machine does not have the key that signs checkpoints: what it writes is signed later by a machine that has it", true, ""})
		}
	}
	return out
}
