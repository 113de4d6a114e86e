package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail"

	"rekey/internal/cred"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// email is one mail to all who are to be told.
type email struct {
	name     string
	s        *Senders
	e        sop.Email
	user     string
	password secret.Value
}

func (s *Senders) email(ctx context.Context, name string, e sop.Email) (sender, error) {
	c := email{name: name, s: s, e: e}
	var err error
	if len(e.User) > 0 {
		if c.user, err = s.Text(e.User); err != nil {
			return nil, err
		}
		if c.password, err = s.Resolve(ctx, e.Password); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c email) send(ctx context.Context, n Notice) error {
	msg := mail.NewMsg()
	if err := errors.Join(msg.From(c.e.From), msg.To(c.e.To...)); err != nil {
		return &cred.Error{Vendor: c.name, Op: "notify", Class: cred.Refused, Why: "one of the addresses is not valid"}
	}
	subject := "Rekey: " + n.Title
	if n.Page {
		subject = "Rekey, now: " + n.Title
	}
	msg.Subject(subject)
	// A second copy is the same mail: readers show one.
	msg.SetMessageIDWithValue("rekey." + digest(n.ID) + "@" + domain(c.e.From))
	msg.SetDateWithValue(c.s.Now())
	body := n.Title + "\n"
	for _, part := range []struct{ head, text string }{{"", n.Text}, {"next  ", n.Next}, {"see   ", n.Link}} {
		if part.text != "" {
			body += "\n" + part.head + part.text + "\n"
		}
	}
	msg.SetBodyString(mail.TypeTextPlain, body)
	client, err := c.client()
	if err != nil {
		return c.failed(err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return c.failed(client.DialAndSendWithContext(ctx, msg))
}

func domain(address string) string {
	_, at, _ := strings.Cut(address, "@")
	return at
}

func (c email) client() (*mail.Client, error) {
	host, port, err := net.SplitHostPort(c.e.Server)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if c.s.TLS != nil {
		config = c.s.TLS.Clone()
		config.ServerName = host
	}
	o := []mail.Option{mail.WithPort(number), mail.WithTimeout(timeout), mail.WithTLSConfig(config)}
	switch {
	case number == 465: // implicit TLS: RFC 8314, section 3.3
		o = append(o, mail.WithSSL())
	case sop.Loopback(host) && c.user == "":
		o = append(o, mail.WithTLSPolicy(mail.TLSOpportunistic))
	default:
		o = append(o, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if c.user != "" {
		o = append(o, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(c.user), mail.WithPassword(c.password.Reveal()))
	}
	return mail.NewClient(host, o...)
}

// failed says what went wrong in words of ours: a server's own may quote the mail.
func (c email) failed(err error) error {
	if err == nil {
		return nil
	}
	out := &cred.Error{Vendor: c.name, Op: "notify", Class: cred.Unknown, Why: "the mail server did not take it"}
	var dead net.Error
	var refused *mail.SendError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		out.Why = "the mail server's certificate is not good"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &dead) && dead.Timeout():
		out.Why = "no answer in time from " + c.e.Server
	case errors.As(err, &refused) && refused.ErrorCode() > 0:
		out.Why = fmt.Sprintf("the mail server refused it (%d)", refused.ErrorCode())
	case errors.As(err, &refused) && refused.Reason == mail.ErrNoUnencoded:
		out.Why = "the mail server does not take the encoding"
	case errors.As(err, &dead):
		out.Why = "the mail server at " + c.e.Server + " cannot be reached"
	case strings.Contains(err.Error(), "STARTTLS"):
		out.Why = "the mail server offers no encryption (STARTTLS), so nothing was sent"
	case strings.Contains(err.Error(), "535"), strings.Contains(err.Error(), "AUTH"):
		out.Class, out.Why = cred.Denied, "the mail server does not accept the user and the password"
	}
	return out
}

func (email) over(context.Context, Notice) error { return nil }
func (email) many() bool                         { return true }
