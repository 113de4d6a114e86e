package estate

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rekey/internal/discover"
	"rekey/internal/history"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// wished is the spec of what somebody wants. A rehearsal looks at production for it.
func (e *Estate) wished(ctx context.Context, w Wish, reviewed *rotation.Plan) (sop.Spec, error) {
	if w.Purpose == sop.ToForget {
		return e.forgetting(w.Target)
	}
	spec, err := e.spec(w.Credential)
	if err != nil {
		return spec, err
	}
	if reviewed != nil {
		spec.Issuer.Strategy, spec.Despite = reviewed.Spec.Issuer.Strategy, reviewed.Spec.Despite
		if len(w.Despite) > 0 {
			return spec, &Error{Code: PlanDecides, Credential: spec.Name}
		}
	} else {
		spec.Despite = w.Despite
	}
	switch w.Strategy {
	case "":
	case "replace", "roll":
		spec.Issuer.Strategy = w.Strategy
	default:
		return spec, &Error{Code: BadStrategy, Name: w.Strategy}
	}
	if err := e.placesKnown(w.Despite); err != nil {
		return spec, err
	}
	switch w.Purpose {
	case sop.ToRevoke, sop.ToDelete:
		spec.Others, err = e.unregistered(ctx, spec.Name)
	case sop.ToRepair:
		if w.Target == spec.Store.Key {
			w.Target = ""
		}
		err = isPlace(spec, w.Target)
	case sop.ToRehearse:
		return e.rehearsal(ctx, spec, w)
	}
	spec.Purpose, spec.Target = w.Purpose, w.Target
	return spec, err
}

// saw has what somebody has seen by hand answer what the look asks.
func (w Wish) saw(to *work) { to.seen = w.ByHand }

// forgetting is the spec of a credential without one of its former names.
func (e *Estate) forgetting(former string) (sop.Spec, error) {
	spec, _, ok := e.config.Formerly(former)
	if ok {
		return spec.WithoutName(former), nil
	}
	if _, err := e.config.Spec(former); err == nil {
		return spec, &Error{Code: NotFormer, Name: former}
	}
	return spec, &Error{Code: NoFormerName, Name: former}
}

// isPlace refuses a repair from what is neither a consumer nor a store that follows the
// first.
func isPlace(spec sop.Spec, key string) error {
	var keys []string
	for _, p := range spec.Places()[1:] {
		keys = append(keys, p.Key)
	}
	if key != "" && !slices.Contains(keys, key) {
		return &Error{Code: NoConsumer, Credential: spec.Name, Place: key, Known: keys}
	}
	return nil
}

// placesKnown refuses a place of a vendor that the configuration does not have.
func (e *Estate) placesKnown(despite []string) error {
	for _, key := range despite {
		vendor, place, said := strings.Cut(key, ":")
		if _, there := e.config.Vendors[vendor]; !there || !said || place == "" {
			return &Error{Code: UnknownPlace, Place: key, Known: slices.Sorted(maps.Keys(e.config.Vendors))}
		}
	}
	return nil
}

// practised is the setting that tells a store from others like it, and another value of it;
// nil where none is known.
func practised(store sop.Place) []string {
	var settings map[string]any
	_ = json.Unmarshal(store.Settings, &settings)
	_, where, _ := strings.Cut(store.Key, ":")
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		switch value, _ := settings[key].(string); {
		case value == "" || value != where:
		case strings.HasSuffix(value, "/"): // a folder
			return []string{key, "/rekey-rehearsal/"}
		default:
			return []string{key, value + "-rehearsal"}
		}
	}
	return nil
}

// rehearsal is the spec by which a run is practised. It looks at production first: a
// rehearsal that goes well beside a run that would be refused says the wrong thing.
func (e *Estate) rehearsal(ctx context.Context, spec sop.Spec, wish Wish) (sop.Spec, error) {
	if spec.Rehearse == nil {
		return spec, &Error{Code: NotRehearsed, Credential: spec.Name, Known: practised(spec.Store)}
	}
	w, err := e.prepare(spec, wish.saw)
	if err != nil {
		return spec, err
	}
	defer w.close()
	seen, refusals, problems := w.look(ctx, "rehearsal")
	switch {
	case problems != nil:
		return spec, &Error{Code: RunUnseen, Credential: spec.Name, Problems: problems, Asks: w.unanswered}
	case len(refusals) > 0:
		return spec, &Error{Code: Refused, Credential: spec.Name, Refusals: refusals}
	}
	practice := spec.ForRehearsal()
	practice.Target = seen.Issuer.Owner // what an issuer that copies makes the throwaway after
	return practice, nil
}

// unregistered tells, from the last look for others, who holds a credential without
// being registered: an emergency does not wait for another look.
func (e *Estate) unregistered(ctx context.Context, name string) (out []string, err error) {
	err = e.ifJournal(ctx, func(book history.Book) error {
		all, err := newest[report.Discovered](ctx, e, book, history.Discovered)
		if err != nil {
			return err
		}
		for _, f := range all[name].Findings {
			if f.Kind == discover.Unregistered || f.Kind == discover.StoredCopy {
				out = append(out, fmt.Sprintf("%s held it in %s on %s", f.Where, strings.Join(f.Slots, ", "), all[name].At.Format(time.DateOnly)))
			}
		}
		return nil
	})
	return out, err
}
