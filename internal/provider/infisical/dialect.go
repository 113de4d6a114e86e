package infisical

import (
	"context"
	"net/url"

	"rekey/internal/vendorhttp"
)

// dialect is which generation of the secrets API a server speaks. v4 came in
// 2025; a server without it answers 404 "Route … not found" (recorded:
// 02-access-token-errors.json), which is how it is told.
type dialect struct {
	secrets string // list, and one by name below it
	batch   string
	project string // name of the project's id
	upsert  bool   // one batch writes names that exist and names that do not
}

var (
	v4 = dialect{secrets: "/api/v4/secrets", batch: "/api/v4/secrets/batch", project: "projectId", upsert: true}
	v3 = dialect{secrets: "/api/v3/secrets/raw", batch: "/api/v3/secrets/batch/raw", project: "workspaceId"}
)

// speak returns the server's dialect; v4 until it is known that there is none.
func (s *Server) speak() dialect {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.old {
		return v3
	}
	return v4
}

// do sends a request. It tells an ended session from a refusal, and learns from
// the first answer which dialect the server speaks: that answer changed nothing,
// so the same request in the other dialect is no repetition of an effect.
func (f *folder) do(ctx context.Context, build func(dialect) vendorhttp.Request, out any) error {
	d := f.speak()
	r := build(d)
	resp, err := f.api.Do(ctx, r)
	if err != nil && d.upsert && absentWhat(err) == noRoute {
		f.mu.Lock()
		f.old = true
		f.mu.Unlock()
		r = build(v3)
		resp, err = f.api.Do(ctx, r)
	}
	if err != nil {
		return f.session.ended(err, r.Op)
	}
	return resp.Decode(out)
}

// query names the place, and says what defaults leave open.
func (f *folder) query(d dialect, more ...string) url.Values {
	q := url.Values{
		d.project: {f.project}, "environment": {f.at.Environment}, "secretPath": {f.at.Path},
		// Both are said because their defaults differ between versions.
		"viewSecretValue": {"true"}, "expandSecretReferences": {"false"},
	}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return q
}

// body names the place for a write.
func (f *folder) body(d dialect, more map[string]any) map[string]any {
	out := map[string]any{d.project: f.project, "environment": f.at.Environment, "secretPath": f.at.Path}
	for k, v := range more {
		out[k] = v
	}
	return out
}
