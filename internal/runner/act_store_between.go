package runner

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// interleaved fails the step where somebody else wrote a slot between the
// observation and our write, by the values that the history shows: a version alone
// proves nothing, for a note beside a secret counts one up as well, and some stores
// count for the whole place. It asks only where versions were skipped.
func (r *Runner) interleaved(ctx context.Context, p sop.Place, written map[string]provider.Held) (rotation.Outcome, bool) {
	for _, s := range r.seenSlots(p.Key) {
		version, _, err := r.between(ctx, p, s, written[s.Slot])
		switch {
		case errors.Is(err, errRemoved):
			return failed(cred.Failed, "slot %s was removed by somebody else between the observation and this write (version %s)", s.Slot, version), true
		case errors.Is(err, errBegunAgain):
			return failed(cred.Failed, "slot %s was deleted and made again by somebody else between the observation and this write", s.Slot), true
		case cred.ClassOf(err) == cred.Unknown, cred.ClassOf(err) == cred.Limited:
			return afterEffect(err), true // to be looked at again
		case err != nil:
			return failed(cred.Failed, "slot %s was written more than once since it was observed, and what was in between cannot be read: %s", s.Slot, Problems(err)[0]), true
		case version != "":
			return failed(cred.Failed, "somebody else wrote slot %s between the observation and this write (version %s)", s.Slot, version), true
		}
	}
	return rotation.Outcome{}, false
}

// oneUp says so where every slot that counts is one version further.
func (r *Runner) oneUp(p sop.Place, written map[string]provider.Held) string {
	for _, s := range r.seenSlots(p.Key) {
		was, err1 := strconv.Atoi(s.Version)
		now, err2 := strconv.Atoi(written[s.Slot].Version)
		if err1 == nil && err2 == nil && now != was+1 {
			return ""
		}
	}
	return ", one version up"
}

// errBegunAgain means that a slot counts from the beginning: it was deleted and made
// again, and its earlier versions may be shown under the same numbers.
var errBegunAgain = errors.New("it counts from the beginning again: it was deleted and made again")

// errRemoved means that a version in between is of a slot that was taken away.
var errRemoved = errors.New("it was removed in between")

// mostBetween bounds how far back a history is read.
const mostBetween = 50

// between returns the latest version between what was observed and what a slot
// holds now whose value is neither the old one nor made by this run: somebody else's. "" if
// there is none.
func (r *Runner) between(ctx context.Context, p sop.Place, seen rotation.SlotSeen, now provider.Held) (string, secret.Value, error) {
	was, err := strconv.Atoi(seen.Version)
	if err != nil && seen.Present {
		return "", secret.Value{}, nil // a store that counts nothing
	}
	is, err := strconv.Atoi(now.Version)
	switch {
	case err != nil:
		return "", secret.Value{}, nil
	case is <= was && r.Keyer.Of(now.Value) != seen.Fingerprint:
		return "", secret.Value{}, errBegunAgain
	case !seen.Present:
		was = max(was, is-mostBetween) // a place that counts as a whole begins anywhere
	case is-was > mostBetween:
		return "", secret.Value{}, fmt.Errorf("it has %d versions more than when it was observed", is-was)
	}
	for n := is - 1; n > was; n-- {
		v, err := r.keeper(p.Key).ReadVersion(ctx, seen.Slot, strconv.Itoa(n))
		if !seen.Present && cred.ClassOf(err) == cred.Absent {
			return "", secret.Value{}, nil // it begins after this one
		}
		if cred.ClassOf(err) == cred.Absent {
			return strconv.Itoa(n), secret.Value{}, errRemoved
		}
		if err != nil {
			return "", secret.Value{}, err
		}
		if of := r.Keyer.Of(v); of != seen.Fingerprint && !r.isOurs(p.Key, seen.Slot, of) {
			return strconv.Itoa(n), v, nil
		}
	}
	return "", secret.Value{}, nil
}

// overwritten replaces in back what somebody else wrote between the observation
// and our write, which the history shows: theirs is what we took away, so theirs
// is given back. It costs calls only where versions were skipped.
func (r *Runner) overwritten(ctx context.Context, p sop.Place, back []provider.SlotValue, held map[string]provider.Held) ([]string, error) {
	var told []string
	for i, v := range back {
		for _, s := range r.seenSlots(p.Key) {
			if s.Slot != v.Slot {
				continue
			}
			version, theirs, err := r.between(ctx, p, s, held[v.Slot])
			switch {
			case errors.Is(err, errRemoved):
				// Everybody is given the old one, and this is where it is kept.
				told = append(told, p.Key+": slot "+v.Slot+" was removed by somebody else as version "+version+", and is given back what it held before that")
			case errors.Is(err, errBegunAgain):
				continue // which life a number is of cannot be told; what was observed goes back
			case err != nil:
				return nil, err
			case version != "":
				back[i].Value = theirs
				told = append(told, p.Key+": slot "+v.Slot+" is given back what somebody else wrote as version "+version)
			}
		}
	}
	return told, nil
}
