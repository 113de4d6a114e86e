package vault

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/vendorhttp"
)

const (
	// keptByDefault is how many versions are kept where nobody has said how many
	// (developer.hashicorp.com/vault/docs/secrets/kv/kv-v2).
	keptByDefault = 10
	// fewVersions: so few are kept that writes of others could drop the old value
	// before a run has ended.
	fewVersions = 4
)

// Foresee tells whether the token may write, and whether the value of today is still
// kept after the write: the engine drops the oldest version.
func (k *kv) Foresee(ctx context.Context, _ []provider.Intended) (provider.Foreseen, error) {
	var out provider.Foreseen
	now, err := k.get(ctx, "read the secret", 0)
	if err != nil {
		return out, err
	}
	path := k.data()
	want := "update"
	if now.Metadata.Version == 0 {
		want = "create"
	}
	missing, err := k.may(ctx, []string{path}, want)
	if err != nil {
		return out, err
	}
	for _, p := range missing {
		out.Refused = append(out.Refused, fmt.Sprintf("no policy of the token gives the capability %s on %s", want, p))
	}
	kept, _, err := k.rules(ctx, now.Metadata.Version > 0)
	switch {
	case cred.ClassOf(err) == cred.Denied:
		out.Told = append(out.Told, fmt.Sprintf("how many versions are kept is not known, for the token may not read %s and the mount's config: with max_versions 1 today's value could not be restored", k.metadata()))
	case err != nil:
		return out, err
	case kept == 1 && now.Metadata.Version > 0:
		out.Refused = append(out.Refused, "only one version is kept (max_versions 1), so the write drops today's value, and a rollback could not give it back: set it to 10")
	case kept < fewVersions && now.Metadata.Version > 0:
		out.Told = append(out.Told, fmt.Sprintf("only %d versions are kept (max_versions), of all keys of the secret together: a few writes by others during the run would drop today's value", kept))
	}
	return out, nil
}

// rules are how many versions are kept and how long each, as secret and engine say. Of
// two numbers of versions the greater counts, of two durations the shorter
// (vault-plugin-secrets-kv: AddVersion, deletionTime).
func (k *kv) rules(ctx context.Context, there bool) (kept int, lives time.Duration, err error) {
	type rule struct {
		Data struct {
			Max   int    `json:"max_versions"`
			After string `json:"delete_version_after"`
		} `json:"data"`
	}
	paths := []string{k.mount + "/config"}
	if there {
		paths = append(paths, k.metadata())
	}
	for _, path := range paths {
		resp, err := k.api.Do(ctx, vendorhttp.Request{Op: "read how many versions are kept", Method: http.MethodGet, Path: "/v1/" + escape(path)})
		if err != nil {
			return 0, 0, err
		}
		var r rule
		if err := resp.Decode(&r); err != nil {
			return 0, 0, err
		}
		kept = max(kept, r.Data.Max)
		if d, err := time.ParseDuration(r.Data.After); err == nil && d > 0 && (lives == 0 || d < lives) {
			lives = d
		}
	}
	if kept == 0 {
		kept = keptByDefault
	}
	return kept, lives, nil
}

// Advise tells of versions that are gone, or will be by themselves.
func (k *kv) Advise(ctx context.Context, _ cred.Handle) ([]string, error) {
	now, err := k.get(ctx, "read the secret", 0)
	if err != nil {
		return nil, err
	}
	var out []string
	number := now.Metadata.Version
	switch {
	case now.Metadata.Destroyed:
		out = append(out, fmt.Sprintf("the latest version of the secret, %d, was destroyed; a run writes a new one", number))
	case now.gone:
		out = append(out, fmt.Sprintf("the latest version of the secret, %d, was deleted at %s; vault kv undelete -versions=%d gives it back", number, now.ends().UTC().Format(time.RFC3339), number))
	case !now.ends().IsZero():
		out = append(out, fmt.Sprintf("the present version of the secret deletes itself at %s (delete_version_after), and so will the one that a run writes, some time later", now.ends().UTC().Format(time.RFC3339)))
	}
	if number == 0 {
		if _, lives, err := k.rules(ctx, false); err == nil && lives > 0 {
			out = append(out, fmt.Sprintf("what is written there deletes itself after %s (delete_version_after)", lives))
		}
	}
	return out, nil
}
