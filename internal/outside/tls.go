package outside

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// Modes of TLS, named as libpq names them.
const (
	Disable    = "disable"     // none
	Require    = "require"     // nothing is verified; with a file of authorities as verify-ca
	VerifyCA   = "verify-ca"   // who signed the certificate
	VerifyFull = "verify-full" // and of which host it is
)

const certLimit = 1 << 20

// TLS is the configuration for a mode; nil for none. authorities names a file of those
// that may have signed the certificate; "": the system's. It is read anew each time,
// for it may have been replaced.
func TLS(files Files, mode, authorities, host string) (*tls.Config, error) {
	if mode == Disable {
		return nil, nil
	}
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if authorities != "" {
		f, err := files.Read(authorities, certLimit)
		if err != nil {
			return nil, fmt.Errorf("the CA file %s cannot be read: %w", authorities, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(f.Content.Reveal())) {
			return nil, fmt.Errorf("the CA file %s holds no PEM certificate", authorities)
		}
		if mode == Require {
			mode = VerifyCA
		}
	}
	c.InsecureSkipVerify = mode != VerifyFull
	if mode == VerifyCA {
		c.VerifyConnection = func(st tls.ConnectionState) error {
			if len(st.PeerCertificates) == 0 {
				return errors.New("the server showed no certificate")
			}
			o := x509.VerifyOptions{Roots: c.RootCAs, Intermediates: x509.NewCertPool()}
			for _, more := range st.PeerCertificates[1:] {
				o.Intermediates.AddCert(more)
			}
			_, err := st.PeerCertificates[0].Verify(o)
			return err
		}
	}
	return c, nil
}
