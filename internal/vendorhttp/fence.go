package vendorhttp

import (
	"context"
	"net/http"
	"net/http/httptrace"
)

// Fence lets a change out only while the run that it belongs to is still this
// process's: a step may be several requests, and another process may have taken the
// run up between two of them.
type Fence struct {
	Next http.RoundTripper
	// Ours returns why the run is not this process's any more; nil: it is. It is asked
	// right before each request that is not a GET or HEAD.
	Ours func(context.Context) error
	// Late returns why it is too late to send anything more; nil: it is not. It is asked
	// once more when the connection is there, which may have taken long, or the process been
	// stopped meanwhile. May be nil. It wants connections that one request has at a time.
	Late func(context.Context) error
}

// RoundTrip sends the request, or returns the error of Ours: nothing was sent then.
func (f Fence) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		if err := f.Ours(req.Context()); err != nil {
			return nil, err
		}
		if f.Late != nil {
			ctx, cancel := context.WithCancelCause(req.Context())
			req = req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
				if err := f.Late(ctx); err != nil {
					cancel(err)
					_ = got.Conn.Close() // or it would be written before anybody looks at ctx
				}
			}}))
		}
	}
	return f.Next.RoundTrip(req)
}
