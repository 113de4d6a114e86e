package sop

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"rekey/internal/visible"
)

// plainKinds are the references that no vendor is asked for: the journal is opened
// before any vendor is.
var plainKinds = []string{"env", "file", "cmd"}

// DatabaseIsReference tells a reference to the address of a database from the address.
func DatabaseIsReference(text string) bool {
	scheme, rest := Ref(text).Split()
	return rest != "" && slices.Contains(plainKinds, scheme)
}

// CheckDatabase reports what is wrong with what stands for the journal's database,
// without quoting it: it may be an address with a password.
func CheckDatabase(text string) error {
	if DatabaseIsReference(text) {
		return nil
	}
	if !strings.Contains(text, "://") {
		return errors.New("expected a reference to the address of the database (env:NAME, file:PATH, cmd:COMMAND), or the address itself where it holds no password")
	}
	u, err := url.Parse(text)
	if err != nil {
		return errors.New("this is not an address, and is not shown: it may hold a password")
	}
	q, err := url.ParseQuery(u.RawQuery)
	if _, said := u.User.Password(); said || err != nil || q.Has("password") || q.Has("sslpassword") {
		return errors.New("this address holds a password, which is never written down: name the address by reference (env:NAME, file:PATH, cmd:COMMAND), or leave the password to PGPASSWORD, PGPASSFILE or a service file")
	}
	return nil
}

// ShownDatabase is what stands for the journal's database, for people.
func ShownDatabase(text string) string {
	if DatabaseIsReference(text) {
		return Ref(text).String()
	}
	if CheckDatabase(text) != nil {
		return "a database"
	}
	return visible.Text(text)
}

// database reads where the journal is kept, and the key that goes with it.
func (p *parser) database() {
	if n := get(p.root, "database"); n != nil && n.Value != "" {
		if err := CheckDatabase(n.Value); err != nil {
			p.doc(n).at(n, "database", err.Error(), "")
		}
		p.config.Database = n.Value
	}
	n := get(p.root, "fingerprint_key")
	if n == nil {
		return
	}
	_ = p.config.FingerprintKey.UnmarshalJSON(raw(p.doc(n).plain(n, "")))
	for _, r := range p.config.FingerprintKey {
		if scheme, _ := r.Split(); r.Check() == nil && !slices.Contains(plainKinds, scheme) {
			p.doc(n).at(n, "fingerprint_key", "this key is needed before any vendor is asked: use env:NAME, file:PATH or cmd:COMMAND", "")
		}
	}
}
