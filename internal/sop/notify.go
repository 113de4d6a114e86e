package sop

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/mail"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Notify says who is told of what, while `rekey serve` runs. No notice holds a secret.
type Notify struct {
	// Where notices are sent, by a name of yours.
	Channels map[string]Channel `json:"channels" jsonschema:"required"`
	// What goes where; each notice goes to every channel of every rule that it fits. Without any, everything goes everywhere.
	Rules []NotifyRule `json:"rules,omitempty"`
	// When only what cannot wait is sent; the rest follows when it has ended: daily 20:00-08:00 Europe/Berlin. What is stuck, and evidence that does not verify, never waits.
	QuietHours []string `json:"quiet_hours,omitempty"`
	// Address of the console, for links: https://rekey.example.com
	Console string `json:"console,omitempty"`
}

// Channel is one way to somebody: exactly one of these keys.
type Channel struct {
	// Address of an incoming webhook of Slack, by reference: whoever knows it can post to it.
	Slack Refs `json:"slack,omitempty"`
	// Service of PagerDuty (Events API v2).
	PagerDuty *PagerDuty `json:"pagerduty,omitempty"`
	// Address that takes notices as CloudEvents 1.0 (JSON), signed.
	Webhook *SignedHook `json:"webhook,omitempty"`
	// Mailboxes.
	Email *Email `json:"email,omitempty"`
}

// PagerDuty is a service that is called by its integration key.
type PagerDuty struct {
	// Integration key of the service (Events API v2), by reference.
	Key Refs `json:"key" jsonschema:"required"`
	// Region of the account. Default: us
	Region string `json:"region,omitempty" jsonschema:"enum=us,enum=eu"`
}

// SignedHook is an address that takes CloudEvents, and the secret by which it knows that they are ours.
type SignedHook struct {
	// The address, by reference: whoever knows it can post to it.
	URL Refs `json:"url" jsonschema:"required"`
	// Secret of the signature in the header Rekey-Signature (HMAC-SHA256), by reference.
	Secret Refs `json:"secret" jsonschema:"required"`
	// Headers to send, by reference.
	Headers map[string]Refs `json:"headers,omitempty"`
}

// Email is who gets mail, and by which server.
type Email struct {
	// Addresses that it goes to.
	To []string `json:"to" jsonschema:"required,minItems=1"`
	// Address that it comes from.
	From string `json:"from" jsonschema:"required"`
	// Server that takes it, with its port: smtp.example.com:587. Encrypted by STARTTLS, from the start on port 465, and not at all only on this machine.
	Server string `json:"server" jsonschema:"required"`
	// User at the server. Default: it wants none
	User Text `json:"user,omitempty"`
	// Password of the user, by reference.
	Password Refs `json:"password,omitempty"`
}

// NotifyRule says what goes where. What it does not name is not asked for.
type NotifyRule struct {
	// What is told.
	When []string `json:"when,omitempty" jsonschema:"enum=approval,enum=waits,enum=stuck,enum=failed,enum=overdue,enum=expiry,enum=window,enum=found,enum=evidence,enum=stopped"`
	// Of which credentials: names; a * at the end stands for anything.
	Credentials []string `json:"credentials,omitempty"`
	// Of which owners' credentials.
	Owners []string `json:"owners,omitempty"`
	// Names of channels.
	To []string `json:"to" jsonschema:"required,minItems=1"`
}

// Notices are who is told of what, checked.
type Notices struct {
	Channels map[string]Channel
	Rules    []NotifyRule
	Quiet    []Window // when what can wait does
	Console  string   // without a trailing slash; "": there is none
}

// notify reads the block of that name.
func (p *parser) notify() {
	n := get(p.root, "notify")
	if n == nil {
		return
	}
	var block Notify
	if json.Unmarshal(raw(p.doc(n).plain(n, "notify")), &block) != nil {
		return // told by the schema
	}
	out := &Notices{Channels: block.Channels, Rules: block.Rules, Console: strings.TrimSuffix(block.Console, "/")}
	p.config.Notify = out
	each(get(n, "channels"), func(k, v *yaml.Node) { p.channel(k, v, block.Channels[k.Value]) })
	known := slices.Sorted(maps.Keys(block.Channels))
	if len(known) == 0 && get(n, "channels") != nil {
		p.doc(n).at(n, "notify.channels", "no channel is named, so nobody would be notified", "")
	}
	if list := get(n, "rules"); list != nil && list.Kind == yaml.SequenceNode {
		for i, item := range list.Content {
			p.ruleOf(item, "notify.rules."+strconv.Itoa(i), known)
		}
	}
	if list := get(n, "quiet_hours"); list != nil && list.Kind == yaml.SequenceNode {
		for i, item := range list.Content {
			w, err := ParseWindow(item.Value)
			if err != nil {
				p.doc(item).at(item, "notify.quiet_hours."+strconv.Itoa(i), err.Error(), "")
				continue
			}
			out.Quiet = append(out.Quiet, w)
		}
	}
	if c := get(n, "console"); c != nil && CheckAddress(c.Value, true) != nil {
		p.doc(c).at(c, "notify.console", "this is not an address: expected https://host", "")
	}
}

// channel checks one way to somebody.
func (p *parser) channel(k, v *yaml.Node, c Channel) {
	at := "notify.channels." + k.Value
	said := 0
	for _, key := range []string{"slack", "pagerduty", "webhook", "email"} {
		if get(v, key) != nil {
			said++
		}
	}
	if said != 1 {
		p.doc(k).at(k, at, "expected slack, pagerduty, webhook or email", "")
		return
	}
	if w := get(v, "webhook"); w != nil {
		p.headers(get(w, "headers"), at+".webhook.headers")
	}
	if c.Email != nil {
		p.email(get(v, "email"), at+".email", *c.Email)
	}
}

func (p *parser) email(n *yaml.Node, at string, e Email) {
	wrong := func(key, msg string) {
		where := orNode(get(n, key), n)
		p.doc(where).at(where, at+"."+key, msg, "")
	}
	for _, to := range e.To {
		if !mailbox(to) {
			wrong("to", "one of these is not an e-mail address: expected name@example.com")
			break
		}
	}
	if get(n, "from") != nil && !mailbox(e.From) {
		wrong("from", "this is not an e-mail address: expected name@example.com")
	}
	host, port, err := net.SplitHostPort(e.Server)
	number, bad := strconv.Atoi(port)
	if get(n, "server") != nil && (err != nil || host == "" || bad != nil || number < 1 || number > 65535) {
		wrong("server", "expected a host and a port: smtp.example.com:587")
	}
	if (len(e.User) > 0) != (len(e.Password) > 0) {
		wrong("server", "a user and a password go together: want both, or neither")
	}
}

// mailbox: one address, without a name, on one line.
func mailbox(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && !strings.ContainsAny(s, "\r\n<>")
}

func (p *parser) ruleOf(n *yaml.Node, at string, known []string) {
	if to := get(n, "to"); to != nil && to.Kind == yaml.SequenceNode {
		for _, name := range to.Content {
			if !slices.Contains(known, name.Value) {
				p.doc(name).at(name, at+".to", "there is no channel of this name under notify.channels", didYouMean(name.Value, known))
			}
		}
	}
	fits := func(pattern string) bool {
		return slices.ContainsFunc(p.config.Specs, func(s Spec) bool { return Fits(s.Name, pattern) })
	}
	if list := get(n, "credentials"); list != nil && list.Kind == yaml.SequenceNode {
		for _, name := range list.Content {
			if !fits(name.Value) {
				p.doc(name).at(name, at+".credentials", "no credential has a name like this", "")
			}
		}
	}
	if list := get(n, "owners"); list != nil && list.Kind == yaml.SequenceNode {
		for _, name := range list.Content {
			if !slices.ContainsFunc(p.config.Specs, func(s Spec) bool { return s.Owner == name.Value }) {
				p.doc(name).at(name, at+".owners", fmt.Sprintf("no credential has the owner %s", name.Value), "")
			}
		}
	}
}

// Fits reports whether a name is meant by a pattern: a * at its end stands for anything.
func Fits(name, pattern string) bool {
	if fixed, open := strings.CutSuffix(pattern, "*"); open {
		return strings.HasPrefix(name, fixed)
	}
	return name == pattern
}
