package estate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/wire"
)

// referred reads a reference to a secret that a vendor keeps: TYPE:REST, or where the
// configuration has several of that type TYPE:NAME:REST or TYPE[NAME]:REST. What REST
// says is the vendor's.
func (w *work) referred(ctx context.Context, r sop.Ref) (secret.Value, error) {
	kind, name, rest := w.split(r)
	var those []string
	for _, n := range slices.Sorted(maps.Keys(w.config.Vendors)) {
		if w.config.Vendors[n].Type == kind && (name == "" || name == n) {
			those = append(those, n)
		}
	}
	switch len(those) {
	case 0:
		return secret.Value{}, fmt.Errorf("there is no such vendor of type %s under vendors", kind)
	case 1:
		return wire.Refer(ctx, those[0], w.config.Vendors, w.env, rest)
	}
	return secret.Value{}, fmt.Errorf("several vendors are of type %s (%s), and this reference does not say which is meant", kind, strings.Join(those, ", "))
}

// split takes a reference apart; name is "" where none is said. Before a second colon it
// stands only where it is that of a vendor.
func (w *work) split(r sop.Ref) (kind, name, rest string) {
	kind, name, rest, _ = r.Vendor()
	before, after, said := strings.Cut(rest, ":")
	if v, there := w.config.Vendors[before]; name == "" && said && there && v.Type == kind {
		return kind, before, after
	}
	return kind, name, rest
}
