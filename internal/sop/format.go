package sop

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// Formats of the schema that say more than a pattern can. The settings of every
// vendor use them, so one rule holds wherever a length or an address is written.
const (
	FormatLength   = "rekey-length"   // a length of time, 0 included
	FormatPositive = "rekey-positive" // one that is longer than nothing
	FormatAddress  = "rekey-address"  // an address to which credentials are sent
)

// register makes the schema's formats known. Lengths of another form are told by
// their pattern, and forever is no length.
func register(c *jsonschema.Compiler, simulated bool) {
	text := func(name string, check func(string) error) {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(v any) error {
			if s, ok := v.(string); ok {
				return check(s)
			}
			return nil
		}})
	}
	text(FormatLength, func(s string) error {
		if _, err := ParseDuration(s); err != nil && durationPart.MatchString(s) {
			return err
		}
		return nil
	})
	text(FormatPositive, func(s string) error {
		d, err := ParseDuration(s)
		switch {
		case err != nil && durationPart.MatchString(s):
			return err
		case err == nil && d == 0:
			return fmt.Errorf("zero makes no sense here: expected 90d, 12h or 30s")
		}
		return nil
	})
	c.RegisterFormat(&jsonschema.Format{Name: formatRefs, Validate: isRefs})
	text(FormatAddress, func(s string) error { return CheckAddress(s, simulated) })
	c.AssertFormat()
}

// CheckAddress is the one rule for addresses to which a credential is sent:
// absolute, without a user, and encrypted unless it stays on this machine or is
// simulated. It never quotes what it was given: that may be a secret.
func CheckAddress(s string, simulated bool) error {
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Hostname() == "", len(u.Port()) > 5 || u.Port() > "65535" && len(u.Port()) == 5, u.Scheme != "https" && u.Scheme != "http", strings.ContainsAny(s, " \t\r\n"):
		return fmt.Errorf("this is not an address: expected https://host/path")
	case u.User != nil:
		return fmt.Errorf("an address must not carry a user or password")
	case strings.ContainsAny(u.Host+u.Path, "<>"):
		return fmt.Errorf("the placeholder in this address has no value")
	case u.Scheme == "http" && !Loopback(u.Hostname()) && !simulated:
		return fmt.Errorf("a credential is sent there, so it must be https")
	}
	return nil
}

// headerName is what HTTP takes as one.
var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// headers tells of names that no request can carry.
func (p *parser) headers(n *yaml.Node, at string) {
	each(n, func(k, _ *yaml.Node) {
		if !headerName.MatchString(k.Value) {
			p.doc(k).at(k, at, "this is not the name of a header: expected letters, digits and -", "")
		}
	})
}

// Loopback reports whether a host's name or address stays on this machine.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
