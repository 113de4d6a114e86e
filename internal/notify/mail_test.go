package notify

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"rekey/internal/secret"
	"rekey/internal/sop"
)

// mailServer is a server of RFC 5321 with STARTTLS (RFC 3207) and AUTH PLAIN (RFC 4954).
type mailServer struct {
	net.Listener
	certificate tls.Certificate
	pool        *x509.CertPool
	plain       bool // it offers no encryption
	refuse      string

	mu        sync.Mutex
	mails     []string
	users     []string
	encrypted []bool
}

func newMailServer(t *testing.T) *mailServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &mailServer{Listener: l, pool: x509.NewCertPool()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s.certificate = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	s.pool.AddCert(parsed)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	t.Cleanup(func() { _ = l.Close() })
	return s
}

func (s *mailServer) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	secured := false
	in := bufio.NewReader(c)
	say := func(line string) { _, _ = c.Write([]byte(line + "\r\n")) }
	say("220 mail.example.com")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		word := strings.ToUpper(strings.TrimSpace(line))
		switch {
		case s.refuse != "" && strings.HasPrefix(word, strings.Fields(s.refuse)[0]):
			say(strings.SplitN(s.refuse, " ", 2)[1])
		case strings.HasPrefix(word, "EHLO"):
			say("250-mail.example.com")
			if !secured && !s.plain {
				say("250-STARTTLS")
			}
			say("250 AUTH PLAIN")
		case word == "STARTTLS":
			say("220 go on")
			tc := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{s.certificate}})
			if tc.Handshake() != nil {
				return
			}
			c, in, secured = tc, bufio.NewReader(tc), true
		case strings.HasPrefix(word, "AUTH PLAIN"):
			raw, _ := base64.StdEncoding.DecodeString(strings.Fields(line)[2])
			s.mu.Lock()
			s.users = append(s.users, strings.ReplaceAll(string(raw), "\x00", ":"))
			s.mu.Unlock()
			say("235 welcome")
		case word == "DATA":
			say("354 go on")
			var b strings.Builder
			for {
				l, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if l == ".\r\n" {
					break
				}
				b.WriteString(l)
			}
			s.mu.Lock()
			s.mails, s.encrypted = append(s.mails, b.String()), append(s.encrypted, secured)
			s.mu.Unlock()
			say("250 taken")
		case word == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (s *mailServer) email(user bool) sop.Email {
	e := sop.Email{To: []string{"sre@example.com", "ops@example.com"}, From: "rekey@example.com", Server: s.Addr().String()}
	if user {
		e.User, e.Password = sop.Text{"rekey"}, refs("PASSWORD")
	}
	return e
}

func (s *mailServer) send(t *testing.T, e sop.Email, n Notice) error {
	t.Helper()
	senders := &Senders{Now: func() time.Time { return now }, TLS: &tls.Config{RootCAs: s.pool}, Text: func(t sop.Text) (string, error) { return t[0], nil },
		Resolve: func(context.Context, sop.Refs) (secret.Value, error) { return secret.New(canary), nil }}
	to, err := senders.sender(t.Context(), "mail", &sop.Notices{Channels: map[string]sop.Channel{"mail": {Email: &e}}})
	if err != nil {
		return err
	}
	return to.send(t.Context(), n)
}

// TestMailIsSentEncrypted, with the user only after that, and a second copy is the same.
func TestMailIsSentEncrypted(t *testing.T) {
	s := newMailServer(t)
	for range 2 {
		if err := s.send(t, s.email(true), stuck()); err != nil {
			t.Fatal(err)
		}
	}
	id := func(mail string) string {
		_, rest, _ := strings.Cut(mail, "Message-ID: ")
		id, _, _ := strings.Cut(rest, "\r\n")
		return id
	}
	m := s.mails[0]
	if len(s.mails) != 2 || !s.encrypted[0] || s.users[0] != ":rekey:"+canary || id(m) == "" || id(m) != id(s.mails[1]) || !strings.Contains(m, "Subject: Rekey, now: A is stuck\r\n") ||
		!strings.Contains(m, "To: <sre@example.com>, <ops@example.com>") || !strings.Contains(m, "next  rekey resume r1") || strings.Contains(m, canary) {
		t.Errorf("%v %v\n%s", s.encrypted, s.users, m)
	}
	// A name that somebody else chose makes no header.
	evil := stuck()
	evil.Title = "x\r\nBcc: eve@example.com\r\n\r\nhello"
	if err := s.send(t, s.email(true), evil); err != nil {
		t.Fatal(err)
	}
	if head, _, _ := strings.Cut(s.mails[2], "\r\n\r\n"); strings.Contains(head, "\nBcc:") {
		t.Errorf("%s", head)
	}
}

// TestNoMailAndNoPasswordInClearText: where the server offers no encryption, or proves to
// be another one, nothing is sent.
func TestNoMailAndNoPasswordInClearText(t *testing.T) {
	s := newMailServer(t)
	s.plain = true
	if err := s.send(t, s.email(true), stuck()); err == nil || !strings.Contains(err.Error(), "offers no encryption") || len(s.users)+len(s.mails) != 0 {
		t.Errorf("%v, %v", err, s.users)
	}
	if err := s.send(t, s.email(false), stuck()); err != nil || len(s.mails) != 1 { // this machine, and no password
		t.Errorf("on this machine: %v", err)
	}
	other := newMailServer(t)
	other.pool = s.pool
	if err := other.send(t, other.email(true), stuck()); err == nil || !strings.Contains(err.Error(), "certificate is not good") || len(other.users)+len(other.mails) != 0 {
		t.Errorf("%v, %v", err, other.users)
	}
}

// TestWhatAMailServerRefuses is told by its number, and not in its words.
func TestWhatAMailServerRefuses(t *testing.T) {
	for refuse, want := range map[string]string{
		"RCPT 550 5.1.1 no such user, said " + canary: "refused it (550)",
		"DATA 452 4.3.1 full of " + canary:            "refused it (452)",
		"AUTH 535 5.7.8 not " + canary:                "does not accept the user and the password",
	} {
		s := newMailServer(t)
		s.refuse = refuse
		if err := s.send(t, s.email(true), stuck()); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", refuse, err)
		}
	}
	s := newMailServer(t)
	_ = s.Close()
	if err := s.send(t, s.email(true), stuck()); err == nil || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("nobody there: %v", err)
	}
}
