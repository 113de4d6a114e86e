package infisical

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/vendorhttp"
)

// Advise tells of secret syncs that carry this folder elsewhere: what is written
// here is then written there by Infisical itself, later and apart from what a run
// proves, and where the place is a consumer of this credential two writers change
// it (docs/vendors/infisical.md). GET /api/v1/secret-syncs?projectId= [api-reference/
// endpoints/secret-syncs/list].
func (f *folder) Advise(ctx context.Context, _ cred.Handle) ([]string, error) {
	syncs, err := f.syncs(ctx)
	if e, ok := cred.AsError(err); ok && e.Code != noRoute && e.Code != "PermissionDenied" {
		return nil, err // what stands in the way here stands in the way of the other
	}
	notes, unread := f.notes(ctx)
	return append(syncs, notes...), errors.Join(err, unread)
}

// notes tells where the project takes notes beside secrets only encrypted: ours are
// written so, and beside notes that others have left in clear there are none.
func (f *folder) notes(ctx context.Context) ([]string, error) {
	p, err := f.read(ctx)
	if err != nil || !p.Encrypted {
		return nil, err
	}
	f.encrypts()
	f.known.Lock()
	defer f.known.Unlock()
	var plain []string
	for name, it := range f.last {
		if slices.ContainsFunc(it.Metadata, func(m metadatum) bool { ours, inClear := isOf(m); return !ours && inClear }) {
			plain = append(plain, name)
		}
	}
	out := []string{"the project takes metadata beside secrets only encrypted: what Rekey notes there (run, generation, fingerprint) is written encrypted"}
	if slices.Sort(plain); len(plain) > 0 {
		out = append(out, "others have left metadata in clear beside "+strings.Join(plain, ", ")+", which the project takes no longer: it stays as it is, and Rekey notes nothing there")
	}
	return out, nil
}

// syncs tells of secret syncs that carry this folder elsewhere.
func (f *folder) syncs(ctx context.Context) ([]string, error) {
	const op = "read the secret syncs"
	var said struct {
		Syncs *[]struct {
			Name        string       `json:"name"`
			Destination string       `json:"destination"`
			Auto        *bool        `json:"isAutoSyncEnabled"`
			Environment *environment `json:"environment"`
			Folder      *struct {
				Path string `json:"path"`
			} `json:"folder"`
			Config struct {
				App string `json:"appName"`
			} `json:"destinationConfig"`
			Options struct {
				KeepsOthers bool `json:"disableSecretDeletion"`
			} `json:"syncOptions"`
		} `json:"secretSyncs"`
	}
	resp, err := f.api.Do(ctx, vendorhttp.Request{Op: op, Method: http.MethodGet, Path: "/api/v1/secret-syncs", Query: url.Values{"projectId": {f.project}}})
	if absentWhat(err) == noRoute {
		return nil, &cred.Error{Vendor: f.api.Vendor, Op: op, Class: cred.Absent, Status: http.StatusNotFound, Code: noRoute, Why: "the server lists none, as those did that are older than secret syncs; look at its integrations by hand"}
	}
	if err != nil {
		return nil, f.session.ended(err, op)
	}
	if err := resp.Decode(&said); err != nil {
		return nil, err
	}
	if said.Syncs == nil {
		return nil, resp.Nonsense("the answer lacks the syncs")
	}
	var out []string
	for _, s := range *said.Syncs {
		// One whose source is gone has neither, and carries nothing.
		if s.Environment == nil || s.Folder == nil || s.Environment.Slug != f.at.Environment || "/"+strings.Trim(s.Folder.Path, "/") != f.at.Path {
			continue
		}
		to := s.Destination
		if s.Config.App != "" {
			to += " (" + s.Config.App + ")"
		}
		text := fmt.Sprintf("the secret sync %q carries this folder to %s by itself; if that is a consumer here, two writers change it, and the sync does not wait for any proof", s.Name, to)
		if s.Auto != nil && !*s.Auto {
			text = fmt.Sprintf("the secret sync %q carries this folder to %s whenever somebody starts it", s.Name, to)
		}
		if !s.Options.KeepsOthers {
			text += "; it also removes there what is not in this folder"
		}
		out = append(out, text)
	}
	return out, nil
}
