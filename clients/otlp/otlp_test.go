package otlp

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"rekey/internal/cred"
	"rekey/internal/rotation"
	"rekey/internal/sop"
	"rekey/internal/traces"
)

// receiver starts the collector's receiver, and returns where it listens.
func receiver(t *testing.T, sink *consumertest.TracesSink) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	_ = l.Close()
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig().(*otlpreceiver.Config)
	web := config.Protocols.HTTP.GetOrInsertDefault()
	web.ServerConfig.NetAddr.Endpoint = at
	r, err := factory.CreateTraces(t.Context(), receivertest.NewNopSettings(factory.Type()), config, sink)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Shutdown(context.Background()) })
	return "http://" + at
}

func spans() []traces.Span {
	at := time.Date(2026, 11, 28, 12, 0, 0, 123456789, time.UTC)
	spec := sop.Spec{Name: "API_TOKEN", Issuer: sop.Issuer{Vendor: "cloudflare"}}
	events := []rotation.Event{
		{Opened: &rotation.Opened{Credential: "API_TOKEN", Spec: spec, Tool: "v1"}},
		{Planned: &rotation.Plan{Spec: spec, Steps: []rotation.Step{{ID: "create", Verb: rotation.Create}}}},
		{Intent: &rotation.Intent{Steps: []string{"create"}, Generation: 2}},
		{Resumed: &rotation.Resumed{Worker: "zwei – 2"}},
		{Outcome: &rotation.Outcome{Step: "create", Generation: 2, Class: cred.Denied, Calls: 300}},
		{Stuck: &rotation.Stuck{Why: "x"}},
		{Closed: &rotation.Closed{Ending: rotation.RolledBack}},
	}
	for i := range events {
		events[i].Run, events[i].Seq, events[i].At = "kv54ds", int64(1<<40+i), at.Add(time.Duration(i)*time.Second)
	}
	return traces.Of(events)
}

// TestTheCollectorReadsWhatWasMeant in both encodings, small and not.
func TestTheCollectorReadsWhatWasMeant(t *testing.T) {
	for _, protocol := range []string{"http/protobuf", "http/json"} {
		for _, compression := range []string{"none", "gzip"} {
			t.Run(protocol+" "+compression, func(t *testing.T) {
				sink := &consumertest.TracesSink{}
				v := map[string]string{
					"OTEL_EXPORTER_OTLP_ENDPOINT": receiver(t, sink), "OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_COMPRESSION": compression,
					"OTEL_SERVICE_NAME": "rotations", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=prod%2C%20eu",
				}
				c, err := traces.Configured(func(name string) (string, bool) { s, ok := v[name]; return s, ok }, "one", "v1")
				if err != nil {
					t.Fatal(err)
				}
				want := spans()
				e := traces.NewExporter(c, &http.Transport{TLSClientConfig: &tls.Config{}})
				defer e.Close()
				if dropped, err := e.Send(t.Context(), want); dropped != 0 || err != nil {
					t.Fatalf("%d, %v", dropped, err)
				}
				if n := sink.SpanCount(); n != len(want) || n != 4 {
					t.Fatalf("%d of %d spans came", n, len(want))
				}
				of := sink.AllTraces()[0].ResourceSpans().At(0)
				if got := fmt.Sprint(of.Resource().Attributes().AsRaw()); got != "map[deployment.environment.name:prod, eu service.instance.id:one service.name:rotations service.version:v1]" {
					t.Errorf("the resource is %s", got)
				}
				scope := of.ScopeSpans().At(0)
				if scope.Scope().Name() != "rekey" || scope.Scope().Version() != "v1" {
					t.Errorf("the scope is %s %s", scope.Scope().Name(), scope.Scope().Version())
				}
				for i, w := range want {
					same(t, scope.Spans().At(i), w)
				}
			})
		}
	}
}

func same(t *testing.T, got ptrace.Span, want traces.Span) {
	t.Helper()
	attributes := map[string]any{}
	for _, a := range want.Attributes {
		attributes[a.Key] = a.Value
	}
	g := fmt.Sprint([16]byte(got.TraceID()), [8]byte(got.SpanID()), [8]byte(got.ParentSpanID()), got.Name(), got.Kind() == ptrace.SpanKindInternal, got.StartTimestamp().AsTime(), got.EndTimestamp().AsTime(), int(got.Status().Code()), got.Status().Message(), got.Attributes().AsRaw())
	w := fmt.Sprint(want.Trace, want.ID, want.Parent, want.Name, true, want.Start, want.End, int(want.Status), want.Why, attributes)
	if g != w {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}
