package estate

import (
	"context"
	"slices"

	"rekey/internal/history"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// namesSeen are the vendors' own names for consumers and for what they restart, by key.
func namesSeen(all []rotation.ConsumerSeen) map[string][]string {
	out := map[string][]string{}
	for _, c := range all {
		if names := slices.Concat(c.Names, c.Restarts); len(names) > 0 {
			out[c.Key] = names
		}
	}
	return out
}

// things are all names that are known for the consumers of a credential, in the order of
// its consumers: what rekey.yaml calls them, and what their vendors were seen to call them,
// by the last run and the last comparison.
func things(ctx context.Context, book history.Book, spec sop.Spec) ([][]string, error) {
	plan, _, err := book.LastPlan(ctx, spec.Name)
	if err != nil {
		return nil, err
	}
	known := map[string][]string{}
	if plan != nil {
		known = namesSeen(plan.Seen.Consumers)
	}
	compared, found, err := history.NewestNote[report.Compared](ctx, book, spec.Name, history.Compared)
	if err != nil {
		return nil, err
	}
	out := make([][]string, len(spec.Consumers))
	for i, c := range spec.Consumers {
		out[i] = append([]string{c.Thing()}, known[c.Key]...)
		if found {
			out[i] = append(out[i], compared.Names[c.Key]...)
		}
	}
	return out, nil
}
