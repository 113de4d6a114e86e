package vault

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
)

// mount is what is mounted at the beginning of a path.
type mount struct {
	path      string // without slashes around it
	versioned bool   // KV version 2
}

// mounted asks what is mounted at the beginning of a path, once for each:
// GET /v1/sys/internal/ui/mounts/{path}, as Vault's own command line does.
func (s *Server) mounted(ctx context.Context, path string) (mount, error) {
	const op = "ask what is mounted there"
	s.mu.Lock()
	known, ok := s.kinds[path]
	s.mu.Unlock()
	if ok {
		return known, nil
	}
	resp, err := s.api.Do(ctx, vendorhttp.Request{Op: op, Method: http.MethodGet, Path: "/v1/sys/internal/ui/mounts/" + escape(path)})
	if err != nil {
		return mount{}, err
	}
	var out struct {
		Data struct {
			Type    string            `json:"type"`
			Path    string            `json:"path"`
			Options map[string]string `json:"options"`
		} `json:"data"`
	}
	if err := resp.Decode(&out); err != nil {
		return mount{}, err
	}
	if out.Data.Type == "" || out.Data.Path == "" {
		return mount{}, resp.Nonsense("the answer does not tell what is mounted")
	}
	if out.Data.Type != "kv" && out.Data.Type != "generic" {
		return mount{}, s.problem(op, cred.Refused, "what is mounted there is no KV engine")
	}
	m := mount{path: strings.Trim(out.Data.Path, "/"), versioned: out.Data.Options["version"] == "2"}
	s.mu.Lock()
	s.kinds[path] = m
	s.mu.Unlock()
	return m, nil
}

// Refer reads one key of a secret: MOUNT/PATH#KEY. It may be in an engine without
// versions too, for it is only read.
func (s *Server) Refer(ctx context.Context, rest string) (secret.Value, error) {
	const op = "read what a reference names"
	at := strings.LastIndexByte(rest, '#')
	if at < 0 || at == len(rest)-1 {
		return secret.Value{}, s.problem(op, cred.Refused, "want MOUNT/PATH#KEY")
	}
	path, err := clean(rest[:at])
	if err != nil || !strings.Contains(path, "/") {
		return secret.Value{}, s.problem(op, cred.Refused, "want MOUNT/PATH#KEY, with single slashes")
	}
	key := rest[at+1:]
	m, err := s.mounted(ctx, path)
	if err != nil {
		return secret.Value{}, err
	}
	below, inside := strings.CutPrefix(path, m.path+"/")
	if !inside {
		return secret.Value{}, s.problem(op, cred.Refused, "it names a mount and no path below it")
	}
	var v version
	if m.versioned {
		v, err = (&kv{Server: s, mount: m.path, path: below}).get(ctx, op, 0)
	} else {
		v.Values, err = s.plain(ctx, op, path)
	}
	if err != nil {
		return secret.Value{}, err
	}
	switch h := v.held(key); {
	case h.Problem != "":
		return secret.Value{}, s.problem(op, cred.Refused, h.Problem)
	case v.gone:
		return secret.Value{}, s.problem(op, cred.Absent, "the latest version of the secret is deleted")
	case !h.Present:
		return secret.Value{}, s.problem(op, cred.Absent, "there is no such secret, or it has no such key")
	default:
		return h.Value, nil
	}
}

// plain reads a secret of an engine without versions.
func (s *Server) plain(ctx context.Context, op, path string) (map[string]json.RawMessage, error) {
	resp, err := s.api.Do(ctx, vendorhttp.Request{Op: op, Method: http.MethodGet, Path: "/v1/" + escape(path)})
	if codeOf(err) == nothing {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out struct {
		Data map[string]json.RawMessage `json:"data"`
	}
	err = resp.Decode(&out)
	return out.Data, err
}
