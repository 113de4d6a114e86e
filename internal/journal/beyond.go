package journal

import (
	"context"
	"database/sql"
	"fmt"
)

// ofLeast is what follows the name of tables in the row that says which of their versions a
// Rekey has to know at least to work with them. There is none where an older version has
// made the newest of them: then it has to know that.
const ofLeast = ".least"

// least is the version that has to be known to work with what these migrations make.
func least(migrations []Migration) int {
	n := 1
	for i, m := range migrations {
		if m.Breaks {
			n = i + 1
		}
	}
	return n
}

// wants reports whether tables want more than so many known migrations; least is what the
// row of ofLeast says, 0 where there is none.
func wants(least, known int) bool { return least == 0 || least > known }

// beyond refuses (*Newer) tables which a newer version has made in a way that one which
// knows so many of their migrations cannot work with.
func (j *Journal) beyond(ctx context.Context, q querier, name string, version, known int) error {
	if version <= known {
		return nil
	}
	least, err := j.version(ctx, q, name+ofLeast)
	if err != nil {
		return err
	}
	if wants(least, known) {
		return &Newer{Path: j.path, Name: name, Version: version, Known: known}
	}
	return nil
}

// Outdated refuses (*Newer) to go on in a process that has opened tables before a newer
// version changed them in a way that it cannot work with.
func (j *Journal) Outdated(ctx context.Context) error {
	now := map[string]int{}
	err := scan(ctx, j.db, func(r *sql.Rows) error {
		var name string
		var version int
		err := r.Scan(&name, &version)
		now[name] = version
		return err
	}, `SELECT name, version FROM versions`)
	if err != nil {
		return fmt.Errorf("look which version the tables have: %w", j.told(err))
	}
	var outdated error
	j.tables.Range(func(name, known any) bool {
		n, k := name.(string), known.(int)
		if least := now[n+ofLeast]; now[n] > k && wants(least, k) {
			outdated = &Newer{Path: j.path, Name: n, Version: now[n], Known: k}
		}
		return outdated == nil
	})
	return outdated
}
