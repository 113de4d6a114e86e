package vendorhttp

import (
	"crypto/tls"
	"net/http"
)

// WithTLS is the same way to the network under other terms of TLS, which set changes:
// the same proxy, the same fence. What is no way to the network, as a simulated world is
// not, is returned as it is: it leads nowhere else. done closes connections that wait
// for use.
func WithTLS(way http.RoundTripper, set func(*tls.Config)) (_ http.RoundTripper, done func()) {
	switch w := way.(type) {
	case Fence:
		next, done := WithTLS(w.Next, set)
		w.Next = next
		return w, done
	case *http.Transport:
		own := w.Clone()
		if own.TLSClientConfig == nil {
			own.TLSClientConfig = &tls.Config{}
		}
		set(own.TLSClientConfig)
		return own, own.CloseIdleConnections
	}
	return way, func() {}
}
