package traces

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// variables are those of a process.
type variables map[string]string

func (v variables) env(name string) (string, bool) { s, ok := v[name]; return s, ok }

func exporter(t *testing.T, v variables) *Exporter {
	t.Helper()
	c, err := Configured(v.env, "one", "v1")
	if err != nil || c == nil {
		t.Fatalf("%v, %v", c, err)
	}
	e := NewExporter(c, http.DefaultTransport)
	t.Cleanup(e.Close)
	return e
}

func TestWhatACollectorIsSent(t *testing.T) {
	var body []byte
	var header http.Header
	var path string
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		if body, err = io.ReadAll(in); err != nil {
			t.Error(err)
		}
		header, path = r.Header, r.URL.Path
		_, _ = io.WriteString(w, `{"partialSuccess":{"rejectedSpans":"2","errorMessage":"no"}}`)
	}))
	defer collector.Close()
	e := exporter(t, variables{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL + "/base/", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
		"OTEL_EXPORTER_OTLP_HEADERS": "x-token=a%20b,tenant=7", "OTEL_SERVICE_NAME": "rotations", "OTEL_RESOURCE_ATTRIBUTES": "service.name=other,deployment.environment.name=prod"})
	dropped, err := e.Send(t.Context(), Of(aRun("kv54ds", 1)))
	if err != nil || dropped != 2 {
		t.Fatalf("%d, %v", dropped, err)
	}
	if path != "/base/v1/traces" || header.Get("X-Token") != "a b" || header.Get("Tenant") != "7" || header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %v", path, header)
	}
	var got struct {
		ResourceSpans []struct {
			Resource   struct{ Attributes []struct{ Key string } }
			ScopeSpans []struct {
				Spans []struct{ TraceID, SpanID, Name string }
			}
		}
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	spans := got.ResourceSpans[0].ScopeSpans[0].Spans
	if len(spans) != 8 || spans[7].TraceID != TraceID("kv54ds") || spans[7].Name != "rotate" {
		t.Errorf("%+v", spans)
	}
	if !bytes.Contains(body, []byte(`"stringValue":"rotations"`)) || !bytes.Contains(body, []byte("prod")) {
		t.Errorf("the resource is not named: %s", body)
	}
}

// TestWhatMayBeSentAgain is by OTLP's own table: these four, and no answer at all.
func TestWhatMayBeSentAgain(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		again  bool
		says   string
	}{
		{200, "", false, ""},
		{429, "", true, "the collector answered 429"},
		{502, "", true, "the collector answered 502"},
		{503, "", true, "the collector answered 503"},
		{504, "", true, "the collector answered 504"},
		{400, "secret", false, "the collector answered 400: none of it was accepted"},
		{401, "", false, "the collector answered 401: none of it was accepted"},
		{500, "", false, "the collector answered 500: none of it was accepted"},
		{307, "", false, "the collector answered 307: none of it was accepted"},
		{200, "<html>sign in</html>", false, "the answer is not a collector's: is the address right?"},
	} {
		collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}))
		_, err := exporter(t, variables{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL}).Send(t.Context(), Of(aRun("kv54ds", 1)))
		collector.Close()
		again, after := later(err)
		says := ""
		if err != nil {
			says = err.Error()
		}
		if again != c.again || says != c.says || again && after != 7*time.Second {
			t.Errorf("%d: %q, again %v after %s", c.status, says, again, after)
		}
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	_, err := exporter(t, variables{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": gone.URL + "/p?key=SECRET"}).Send(t.Context(), nil)
	if again, _ := later(err); !again || strings.Contains(err.Error(), "SECRET") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("nobody there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := exporter(t, variables{"OTEL_EXPORTER_OTLP_ENDPOINT": gone.URL}).Send(ctx, nil); err == nil {
		t.Error("sent after the end")
	}
}

func TestWhatIsWrongWithTheVariablesIsSaidAtOnce(t *testing.T) {
	for _, none := range []variables{{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}} {
		if c, err := Configured(none.env, "one", "v1"); c != nil || err != nil {
			t.Errorf("%v: %v, %v", none, c, err)
		}
	}
	_, err := Configured(variables{
		"OTEL_EXPORTER_OTLP_ENDPOINT": "https://alice:hunter2@c:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TIMEOUT": "10s",
		"OTEL_EXPORTER_OTLP_HEADERS": "hunter2", "OTEL_EXPORTER_OTLP_COMPRESSION": "zstd", "OTEL_TRACES_EXPORTER": "zipkin",
		"OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere", "OTEL_EXPORTER_OTLP_CLIENT_KEY": "/nowhere", "OTEL_RESOURCE_ATTRIBUTES": "x",
	}.env, "one", "v1")
	for _, name := range []string{"OTLP_ENDPOINT", "PROTOCOL", "TIMEOUT", "HEADERS", "COMPRESSION", "TRACES_EXPORTER", "OTLP_CERTIFICATE", "CLIENT_CERTIFICATE", "RESOURCE_ATTRIBUTES"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in %v", name, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a secret is quoted: %v", err)
	}
	for endpoint, ok := range map[string]bool{"http://collector:4318": false, "http://127.0.0.1:4318": true, "https://collector": true} {
		_, err := Configured(variables{"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20x"}.env, "one", "v1")
		if (err == nil) != ok {
			t.Errorf("%s with a token: %v", endpoint, err)
		}
	}
}

func TestABrokenAnswerIsNoAnswer(t *testing.T) {
	for _, b := range []string{"\x0a", "\x0a\x05\x08", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "<html>", "\x0b", "\x09\x00"} {
		if n, err := rejected([]byte(b)); err == nil {
			t.Errorf("%q: %d", b, n)
		}
	}
	if n, err := rejected([]byte("\x0a\x02\x08\x05")); err != nil || n != 5 {
		t.Errorf("%d, %v", n, err)
	}
}
