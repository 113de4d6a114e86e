package kubernetes

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
)

// remembered is how many earlier versions are kept.
const remembered = 3

// noteKey names, on the Secret that keeps, a version and the resourceVersion that it had:
// a Secret of another one since, by our write or by somebody's, is one further.
const noteKey = "rekey/version"

// store is a Secret whose earlier values are kept in another, as keys N.SLOT.
type store struct {
	*object
	keep string
}

// Calls tells the requests that change something.
func (s *store) Calls() map[string]string {
	call := "PATCH " + s.path(s.at.Secret)
	return map[string]string{"write": call, "remove": call}
}

// version returns the number of a Secret that was read, and what keeps its past; ok
// is false where nothing does yet.
func (s *store) version(ctx context.Context, of opaque) (n int, kept opaque, ok bool, err error) {
	if s.keep == "" {
		return 0, kept, false, nil
	}
	kept, err = s.get(ctx, "read what is kept", s.keep)
	if cred.ClassOf(err) == cred.Absent {
		return 1, kept, false, nil
	}
	if err != nil {
		return 0, kept, false, err
	}
	number, _, _ := strings.Cut(kept.Meta.Annotations[noteKey], " ")
	if n, err = strconv.Atoi(number); err != nil || n < 1 {
		return 0, kept, false, s.wrong("read what is kept", cred.Refused, "the Secret %s is not one that Rekey made to keep earlier values", s.keep)
	}
	if kept.Meta.Annotations[noteKey] != noted(n, of) {
		n++
	}
	return n, kept, true, nil
}

func noted(n int, of opaque) string { return strconv.Itoa(n) + " " + of.Meta.ResourceVersion }

// Read returns what the slots hold now.
func (s *store) Read(ctx context.Context, slots []string) (map[string]provider.Held, error) {
	const op = "read the Secret"
	now, err := s.get(ctx, op, s.at.Secret)
	if err != nil {
		return nil, err
	}
	n, _, _, err := s.version(ctx, now)
	if err != nil {
		return nil, err
	}
	return s.versioned(op, now, slots, n)
}

func (s *store) versioned(op string, of opaque, slots []string, n int) (map[string]provider.Held, error) {
	held, err := s.held(op, of, slots)
	for name, h := range held {
		if n > 0 && h.Present {
			h.Version = strconv.Itoa(n)
			held[name] = h
		}
	}
	return held, err
}

// ReadVersion reads a kept version, or the Secret itself if it is of that version.
func (s *store) ReadVersion(ctx context.Context, slot, version string) (secret.Value, error) {
	const op = "read version"
	absent := s.wrong(op, cred.Absent, "no version %s of slot %s is kept", version, slot)
	want, err := strconv.Atoi(version)
	if err != nil || want < 1 || s.keep == "" {
		return secret.Value{}, absent
	}
	from, err := s.get(ctx, op, s.at.Secret)
	if err != nil {
		return secret.Value{}, err
	}
	n, kept, _, err := s.version(ctx, from)
	if err != nil {
		return secret.Value{}, err
	}
	key := slot
	if n != want {
		from, key = kept, version+"."+slot
	}
	v, present, err := from.value(key)
	switch {
	case err != nil:
		return secret.Value{}, s.wrong(op, cred.Unknown, "the answer is not of the documented form")
	case !present:
		return secret.Value{}, absent
	}
	return v, nil
}

// History proves that what a write replaces can be had back: what keeps it is there, or
// can be made, and the slots hold still what was read.
func (s *store) History(ctx context.Context, now map[string]provider.Held) error {
	const op = "read version"
	if s.keep == "" {
		return s.wrong(op, cred.Refused, "a Secret has no history of its own: name another one for it with keep_secret")
	}
	of, err := s.get(ctx, op, s.at.Secret)
	if err != nil {
		return err
	}
	_, kept, ok, err := s.version(ctx, of)
	switch {
	case err != nil:
		return err
	case ok && kept.Immutable:
		return s.wrong(op, cred.Refused, "the Secret %s is immutable, so nothing can be kept in it", s.keep)
	case !ok: // a trial of making it, which stores nothing
		if err := s.make(ctx, "try to make what keeps earlier values", of, nil, 1, true); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if v, _, err := of.value(name); err != nil || !v.Equal(now[name].Value) {
			return s.wrong(op, cred.Foreign, "slot %s was edited by somebody else since it was read", name)
		}
	}
	return nil
}

// Foresee tells who else writes the Secret.
func (s *store) Foresee(ctx context.Context, writes []provider.Intended) (out provider.Foreseen, err error) {
	now, err := s.get(ctx, "read the Secret", s.at.Secret)
	if err != nil {
		return out, err
	}
	who, over := now.managed()
	switch {
	case over:
		out.Refused = append(out.Refused, s.at.title()+": "+who)
	case who != "":
		out.Told = append(out.Told, s.at.title()+": "+who)
	}
	if now.Immutable {
		out.Refused = append(out.Refused, s.at.title()+" is immutable: it can only be deleted and recreated")
	}
	for _, w := range writes {
		if !dataKey.MatchString(w.Slot) {
			out.Refused = append(out.Refused, "slot "+w.Slot+" is not a key of a Secret: want letters, digits, -, _ and .")
		}
	}
	return out, nil
}

// Write keeps what the Secret holds, and then changes it in one request. Killed in
// between, the Secret is as it was and its values are kept once more.
func (s *store) Write(ctx context.Context, values []provider.SlotValue) (map[string]provider.Held, error) {
	const op = "write the Secret"
	before := 0
	now, err := s.write(ctx, op, values, func(was opaque) error {
		if s.keep == "" {
			return nil
		}
		n, kept, ok, err := s.version(ctx, was)
		if err != nil {
			return err
		}
		before = n
		return s.preserve(ctx, was, kept, ok, n)
	})
	if err != nil {
		return nil, err
	}
	n, kept, ok, err := s.version(ctx, now)
	if before > 0 && err == nil && ok {
		// Without this note an edit by somebody else would count as ours; the write
		// itself stands, so that it fails is not an error of it.
		_, _ = s.patch(ctx, "note the version", kept, nil, map[string]any{noteKey: noted(n, now)})
	}
	slots := make([]string, len(values))
	for i, v := range values {
		slots[i] = v.Slot
	}
	held, err2 := s.versioned(op, now, slots, n)
	if err == nil {
		err = err2
	}
	if err != nil {
		return nil, s.wrong(op, cred.Unknown, "it was written, and then what is kept could not be read")
	}
	return held, nil
}

// preserve keeps all values of a Secret as version n, and forgets what is too old.
func (s *store) preserve(ctx context.Context, was, kept opaque, ok bool, n int) error {
	const op = "keep what it held"
	data := map[string]any{}
	for key := range kept.Data {
		number, _, _ := strings.Cut(key, ".")
		if of, err := strconv.Atoi(number); err == nil && of <= n-remembered {
			data[key] = nil
		}
	}
	for key, v := range was.Data {
		data[fmt.Sprintf("%d.%s", n, key)] = v.Reveal()
	}
	if !ok {
		return s.make(ctx, op, was, data, n, false)
	}
	_, err := s.patch(ctx, op, kept, data, map[string]any{noteKey: noted(n, was)})
	return err
}

// make makes the Secret that keeps; a trial is answered as the real one and stores
// nothing [kubernetes.io/docs/reference/using-api/api-concepts, dry-run].
func (s *store) make(ctx context.Context, op string, was opaque, data map[string]any, n int, trial bool) error {
	r := vendorhttp.Request{Op: op, Method: http.MethodPost, Path: s.path(""), Reads: trial, Body: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data,
		"metadata": map[string]any{"name": s.keep, "annotations": map[string]any{noteKey: noted(n, was)}}}}
	r.Path = strings.TrimSuffix(r.Path, "/")
	if trial {
		r.Query = map[string][]string{"dryRun": {"All"}}
	}
	var made opaque
	err := s.ask(ctx, r, &made)
	if trial && made.Meta.ResourceVersion == "" {
		made.Meta.ResourceVersion = "0" // what was not stored has none
	}
	return s.whole(op, s.keep, made, err)
}

// Remove takes slots away.
func (s *store) Remove(ctx context.Context, slots []string) error {
	_, err := s.Write(ctx, provider.Gone(slots))
	return err
}
