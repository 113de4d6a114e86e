package service_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rekey/internal/service"
	"rekey/internal/sop"
)

// Whoever is refused at the door reads a problem of the form that docs/api.md gives.
func TestRefusedAtTheDoorInTheFormOfTheAPI(t *testing.T) {
	p := serve(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.at+"/api/v1/whoami", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var said struct {
		Type, Code, Instance string
		Status               int
	}
	if err := json.NewDecoder(resp.Body).Decode(&said); err != nil {
		t.Fatal(err)
	}
	id := resp.Header.Get("Request-Id")
	if said.Type != "urn:rekey:problem:"+said.Code || said.Code == "" || said.Status != resp.StatusCode || resp.StatusCode != http.StatusUnauthorized || said.Instance != id || id == "" {
		t.Errorf("%d %s was answered with %+v", resp.StatusCode, id, said)
	}
}

// What cannot be served is refused in words, whichever part refuses it and however much
// is open by then: without identity nobody but this machine may reach it, by an address
// that it listens on or by the name under which a proxy leads others to it.
func TestWhatIsRefusedAtTheStart(t *testing.T) {
	for name, tt := range map[string]struct{ listen, url, journal, want string }{
		"every address":          {"0.0.0.0:0", "", "", "rekey.yaml has no identity"},
		"every address, by none": {":0", "", "", "rekey.yaml has no identity"},
		"a name for others":      {"127.0.0.1:0", "https://rekey.example.com", "", "not as https://rekey.example.com, for rekey.yaml has no identity"},
		"a journal that is none": {"127.0.0.1:0", "", "journal: rekey.yaml\n", "rekey.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "rekey.yaml")
			text := strings.Replace(sop.Example(), "rekey: 1\n", "rekey: 1\nsimulate: http://127.0.0.1:1\n"+tt.journal, 1)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := service.Open(t.Context(), service.Options{
				File: file, Listen: tt.listen, URL: tt.url, Name: "one", Tool: "test",
				Env: func(string) (string, bool) { return "", false }, User: func() string { return "alice@laptop" }, Log: slog.New(slog.DiscardHandler),
			})
			if err == nil {
				_ = s.Close()
				t.Fatal("it is served")
			}
			if s != nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("it was refused with %v, want %q", err, tt.want)
			}
		})
	}
	// A URL of this machine leads nobody here.
	p := filepath.Join(t.TempDir(), "rekey.yaml")
	if err := os.WriteFile(p, []byte(strings.Replace(sop.Example(), "rekey: 1\n", "rekey: 1\nsimulate: http://127.0.0.1:1\n", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := service.Open(t.Context(), service.Options{
		File: p, Listen: "127.0.0.1:0", URL: "http://localhost:8420", Name: "one", Tool: "test",
		Env: func(string) (string, bool) { return "", false }, User: func() string { return "alice@laptop" }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
