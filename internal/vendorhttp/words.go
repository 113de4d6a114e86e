package vendorhttp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
)

// unanswered says why there was no answer, in words of ours and naming only hosts:
// the library's own errors quote addresses, queries and bytes of the answer.
func unanswered(ctx context.Context, err error, host string, way *route) string {
	var refused proxyRefusal
	var op *net.OpError
	switch {
	case errors.Is(err, errProxyAddress):
		return "the environment names a proxy (HTTPS_PROXY, HTTP_PROXY) by something that is not an address"
	case errors.As(err, &refused) && refused == http.StatusProxyAuthRequired:
		return "the proxy " + way.proxy + " wants to know who asks (407): give it user and password in HTTPS_PROXY"
	case errors.As(err, &refused):
		return fmt.Sprintf("the proxy %s would not connect to %s (%d)", way.proxy, host, int(refused))
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return "the proxy refused the connection: " + reason(ctx, err, way.proxy)
	case way.proxy != "":
		return reason(ctx, err, host) + ", through the proxy " + way.proxy
	}
	return reason(ctx, err, host)
}

// Reason says what went wrong on the way to a host, for drivers that do not speak HTTP.
func Reason(ctx context.Context, err error, host string) string { return reason(ctx, err, host) }

// reason says what went wrong on the way to a host.
func reason(ctx context.Context, err error, host string) string {
	var dns *net.DNSError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var timeout net.Error
	name, _, splitErr := net.SplitHostPort(host)
	if splitErr != nil {
		name = host
	}
	switch {
	case errors.Is(err, context.Canceled):
		return "interrupted while waiting for the answer of " + host
	case errors.As(err, &dns) && dns.IsNotFound:
		return "there is no host " + name
	case errors.As(err, &dns):
		return "the address of " + name + " could not be looked up: the name server does not answer"
	case errors.Is(err, context.DeadlineExceeded), ctx.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time from " + host
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused by " + host
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "there is no way to " + host + " from here"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return host + " does not speak TLS: is it http, not https?"
	case errors.As(err, &alert):
		return host + " aborted the TLS handshake"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection to " + host + " was cut before the answer"
	}
	if why := untrusted(err); why != "" {
		return "the certificate of " + host + " is not trusted: " + why
	}
	return "the connection to " + host + " failed"
}

// untrusted says what is wrong with a certificate; "" if it is something else.
func untrusted(err error) string {
	var ca x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var other *tls.CertificateVerificationError
	switch {
	case errors.As(err, &ca):
		return "no authority known here has signed it; add your own authority to the system's, or to the file that SSL_CERT_FILE names"
	case errors.As(err, &name):
		return "it is for another host"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "it has expired, or the clock here is wrong"
	case errors.As(err, &invalid), errors.As(err, &other):
		return "it is not valid for this"
	}
	return ""
}
