package sop

import (
	"net"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// simulates reports whether the file leads to a simulated world; only then addresses
// of vendors need no encryption. An empty word leads to the real ones.
func simulates(root *yaml.Node) bool { return value(get(root, "simulate")) != "" }

// simulate checks where the simulated world is: the credentials of this environment,
// which may be real ones, are sent to an address, so it is one of this machine or
// encrypted. Anything that does not look like an address names a file.
func (p *parser) simulate() {
	n := get(p.root, "simulate")
	if n == nil {
		return
	}
	where := value(n)
	_, port, _ := net.SplitHostPort(where)
	_, notPort := strconv.ParseUint(port, 10, 16)
	switch {
	case where == "":
		p.doc(n).at(n, "simulate", "this is empty: name a world file or the address of rekey sim, or delete the line to work on the real vendors", "")
	case strings.Contains(where, "://"):
		if err := CheckAddress(where, false); err != nil {
			p.doc(n).at(n, "simulate", err.Error(), "")
		}
	case notPort == nil:
		p.doc(n).at(n, "simulate", "an address begins with http://, and the name of a world file ends in no port", "")
	}
}
