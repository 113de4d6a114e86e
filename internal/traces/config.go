package traces

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"rekey/internal/secret"
	"rekey/internal/sop"
)

// scopeName names who made the spans.
const scopeName = "rekey"

// Origin is who tells: OpenTelemetry's resource.
type Origin struct {
	Service    string // service.name
	Process    string // service.instance.id
	Version    string // service.version
	Attributes []Attribute
}

func (o Origin) resource() []Attribute {
	return append([]Attribute{text("service.name", o.Service), text("service.version", o.Version), text("service.instance.id", o.Process)}, o.Attributes...)
}

// kind as OpenTelemetry numbers them.
func (s Span) kind() int {
	if s.Client {
		return 3 // a request to somebody else
	}
	return 1 // internal
}

// Config says where traces go.
type Config struct {
	Origin   Origin
	to       *url.URL
	headers  map[string]secret.Value
	timeout  time.Duration
	json     bool
	compress bool
	tls      *tls.Config // what is beside the system's authorities; nil: nothing
}

// Host is where they go, without anything that may be secret.
func (c *Config) Host() string { return c.to.Host }

// Configured reads OpenTelemetry's variables, as their specification says
// (https://opentelemetry.io/docs/specs/otel/protocol/exporter/); nil: nothing is to be
// sent, for no address is given or OTEL_SDK_DISABLED or OTEL_TRACES_EXPORTER say so.
//
// Errors: everything that is wrong with them, at once; none quotes a value that may be
// secret.
func Configured(env func(string) (string, bool), process, version string) (*Config, error) {
	r := reader{env: env}
	exporter := r.value("OTEL_TRACES_EXPORTER")
	if strings.EqualFold(r.value("OTEL_SDK_DISABLED"), "true") || exporter == "none" {
		return nil, nil
	}
	named, raw := r.either("ENDPOINT")
	if raw == "" {
		return nil, nil
	}
	if exporter != "" && exporter != "otlp" {
		r.bad("OTEL_TRACES_EXPORTER", "want otlp or none")
	}
	c := &Config{timeout: 10 * time.Second, Origin: Origin{Service: "rekey", Process: process, Version: version}}
	c.to = r.address(named, raw)
	c.protocol(&r)
	if name, v := r.either("COMPRESSION"); v != "" && v != "none" && v != "gzip" {
		r.bad(name, "want gzip or none")
	} else {
		c.compress = v == "gzip"
	}
	if name, v := r.either("TIMEOUT"); v != "" {
		ms, err := strconv.Atoi(v)
		if err != nil || ms <= 0 {
			r.bad(name, "want milliseconds")
		}
		c.timeout = time.Duration(ms) * time.Millisecond
	}
	c.header(&r)
	c.identity(&r)
	c.certificates(&r)
	return c, errors.Join(r.wrong...)
}

func (c *Config) protocol(r *reader) {
	switch name, v := r.either("PROTOCOL"); v {
	case "", "http/protobuf":
	case "http/json":
		c.json = true
	default:
		r.bad(name, "want http/protobuf or http/json: gRPC is not supported; collectors accept HTTP at port 4318")
	}
}

func (c *Config) header(r *reader) {
	name, v := r.either("HEADERS")
	pairs, ok := pairsOf(v)
	if !ok {
		r.bad(name, "want name=value,name=value, with special characters as %XX")
	}
	c.headers = map[string]secret.Value{}
	for _, p := range pairs {
		c.headers[http.CanonicalHeaderKey(p.key)] = secret.New(p.value)
		secrets := slices.ContainsFunc([]string{"auth", "key", "token", "secret"}, func(s string) bool { return strings.Contains(strings.ToLower(p.key), s) })
		if secrets && c.to != nil && c.to.Scheme == "http" && !sop.Loopback(c.to.Hostname()) {
			r.bad(name, p.key+" would be sent unencrypted: use an https address")
		}
	}
}

func (c *Config) identity(r *reader) {
	pairs, ok := pairsOf(r.value("OTEL_RESOURCE_ATTRIBUTES"))
	if !ok {
		r.bad("OTEL_RESOURCE_ATTRIBUTES", "want name=value,name=value, with special characters as %XX")
	}
	for _, p := range pairs {
		switch p.key {
		case "service.name":
			c.Origin.Service = p.value
		case "service.instance.id":
			c.Origin.Process = p.value
		case "service.version":
		default:
			c.Origin.Attributes = append(c.Origin.Attributes, text(p.key, p.value))
		}
	}
	if v := r.value("OTEL_SERVICE_NAME"); v != "" {
		c.Origin.Service = v
	}
}

func (c *Config) certificates(r *reader) {
	set := func() *tls.Config {
		if c.tls == nil {
			c.tls = &tls.Config{}
		}
		return c.tls
	}
	if name, file := r.either("CERTIFICATE"); file != "" {
		pool, err := x509.NewCertPool(), error(nil)
		b, err := os.ReadFile(file)
		if err != nil || !pool.AppendCertsFromPEM(b) {
			r.bad(name, "want a file of certificates, as PEM")
		}
		set().RootCAs = pool
	}
	cert, certFile := r.either("CLIENT_CERTIFICATE")
	_, keyFile := r.either("CLIENT_KEY")
	if certFile == "" && keyFile == "" {
		return
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		r.bad(cert, "with _CLIENT_KEY: want the files of a certificate and of its key, as PEM")
	}
	set().Certificates = []tls.Certificate{pair}
}

// reader reads variables and collects what is wrong with them.
type reader struct {
	env   func(string) (string, bool)
	wrong []error
}

func (r *reader) value(name string) string {
	v, _ := r.env(name)
	return strings.TrimSpace(v)
}

// either is the variable for traces, or else that for everything.
func (r *reader) either(what string) (name, value string) {
	name = "OTEL_EXPORTER_OTLP_TRACES_" + what
	if v := r.value(name); v != "" {
		return name, v
	}
	name = "OTEL_EXPORTER_OTLP_" + what
	return name, r.value(name)
}

func (r *reader) bad(name, why string) { r.wrong = append(r.wrong, fmt.Errorf("%s: %s", name, why)) }

// address: that for traces is taken as it is, and the other gets a path.
func (r *reader) address(name, v string) *url.URL {
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		r.bad(name, "want http://host:4318 or https://host")
		return nil
	case u.User != nil:
		r.bad(name, "a password does not belong in an address: want OTEL_EXPORTER_OTLP_HEADERS")
		return nil
	}
	if !strings.Contains(name, "_TRACES_") {
		u = u.JoinPath("v1", "traces")
	}
	return u
}

type pair struct{ key, value string }

// pairsOf reads name=value,name=value (https://www.w3.org/TR/baggage/, without properties).
func pairsOf(v string) (out []pair, ok bool) {
	for part := range strings.SplitSeq(v, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		key, value, found := strings.Cut(part, "=")
		key = strings.TrimSpace(key)
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if !found || key == "" || err != nil || strings.ContainsAny(key+value, "\r\n") {
			return nil, false
		}
		out = append(out, pair{key, value})
	}
	return out, true
}
