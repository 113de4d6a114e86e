package traces

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"rekey/internal/vendorhttp"
)

// Exporter sends spans to one collector.
type Exporter struct {
	c    *Config
	way  http.RoundTripper
	done func()
}

// NewExporter returns an exporter that goes this way to the network. Whoever gets one
// closes it.
func NewExporter(c *Config, way http.RoundTripper) *Exporter {
	e := &Exporter{c: c, way: way, done: func() {}}
	if c.tls != nil {
		e.way, e.done = vendorhttp.WithTLS(way, func(t *tls.Config) {
			if c.tls.RootCAs != nil {
				t.RootCAs = c.tls.RootCAs
			}
			t.Certificates = c.tls.Certificates
		})
	}
	return e
}

// Close lets go of connections.
func (e *Exporter) Close() { e.done() }

// failure is why spans were not taken.
type failure struct {
	why   string
	later bool          // the same may be taken later
	after time.Duration // and not before; 0: the collector did not say
}

func (f *failure) Error() string { return f.why }

// most of an answer that is read.
const most = 64 << 10

// Send sends spans once. dropped are those that the collector has taken and did not want.
//
// Errors: nothing was taken. Some may be taken when they are sent again; they are the same
// spans then, for they have the same ids. No error quotes an address, a
// header or a body.
func (e *Exporter) Send(ctx context.Context, spans []Span) (dropped int64, err error) {
	body, kind, err := e.written(spans)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, e.c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.c.to.String(), bytes.NewReader(body))
	if err != nil {
		return 0, &failure{why: "the address of the collector is not usable"}
	}
	for name, value := range e.c.headers {
		req.Header.Set(name, value.Reveal())
	}
	req.Header.Set("Content-Type", kind)
	if e.c.compress {
		req.Header.Set("Content-Encoding", "gzip")
	}
	hc := http.Client{Transport: e.way, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := hc.Do(req)
	if err != nil {
		var u *url.Error // it quotes the address
		if errors.As(err, &u) {
			err = u.Err
		}
		return 0, &failure{why: vendorhttp.Reason(ctx, err, e.c.to.Host), later: true}
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, most))
	switch {
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusBadGateway, resp.StatusCode == http.StatusServiceUnavailable, resp.StatusCode == http.StatusGatewayTimeout:
		return 0, &failure{why: fmt.Sprintf("the collector answered %d", resp.StatusCode), later: true, after: vendorhttp.RetryAfter(resp.Header, time.Now())}
	case resp.StatusCode/100 != 2:
		// What else it answers is final (https://opentelemetry.io/docs/specs/otlp/, "Failures").
		return 0, &failure{why: fmt.Sprintf("the collector answered %d: none of it was accepted", resp.StatusCode)}
	case err != nil:
		return 0, nil // it has taken them, and its answer was cut off
	}
	return e.refused(answer)
}

// refused reads what the collector did not want of what it took.
func (e *Exporter) refused(answer []byte) (n int64, err error) {
	if len(answer) == 0 {
		return 0, nil
	}
	if e.c.json {
		n, err = rejectedPlain(answer)
	} else {
		n, err = rejected(answer)
	}
	if err != nil {
		// Something in front of the collector says that all is well.
		return 0, &failure{why: "the answer is not a collector's: is the address right?"}
	}
	return n, nil
}

func (e *Exporter) written(spans []Span) (body []byte, kind string, err error) {
	if kind = "application/x-protobuf"; e.c.json {
		kind = "application/json"
		if body, err = plain(e.c.Origin, spans); err != nil {
			return nil, "", err
		}
	} else {
		body = protobuf(e.c.Origin, spans)
	}
	if !e.c.compress {
		return body, kind, nil
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err = w.Write(body); err == nil {
		err = w.Close()
	}
	return out.Bytes(), kind, err
}

// later tells whether the same may be taken later, and when at the earliest.
func later(err error) (bool, time.Duration) {
	if f, is := errors.AsType[*failure](err); is {
		return f.later, f.after
	}
	return false, 0
}
