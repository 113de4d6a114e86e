package kubernetes

import (
	"crypto/tls"
	"crypto/x509"
	"errors"

	"rekey/internal/secret"
)

// terms are what a server wants of TLS, beyond what the system knows.
type terms struct {
	roots            secret.Value // PEM of the authorities that may have signed the server; zero: the system's
	name             string       // that its certificate has; "": the host's
	certificate, key secret.Value // PEM of those by which we are known; zero: none
}

// set makes terms of a connection. The error says which part cannot be used, and
// nothing of it.
func (t terms) set() (func(*tls.Config), error) {
	var roots *x509.CertPool
	var own []tls.Certificate
	if t.roots.Present() {
		if roots = x509.NewCertPool(); !roots.AppendCertsFromPEM([]byte(t.roots.Reveal())) {
			return nil, errors.New("no certificate is in what is named as the server's authority")
		}
	}
	if t.certificate.Present() || t.key.Present() {
		pair, err := tls.X509KeyPair([]byte(t.certificate.Reveal()), []byte(t.key.Reveal()))
		if err != nil {
			return nil, errors.New("the client certificate and its key cannot be used together")
		}
		own = []tls.Certificate{pair}
	}
	return func(c *tls.Config) {
		c.MinVersion, c.RootCAs, c.ServerName, c.Certificates = tls.VersionTLS12, roots, t.name, own
	}, nil
}
