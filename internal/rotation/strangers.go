package rotation

import (
	"fmt"
	"time"

	"rekey/internal/cred"
	"rekey/internal/sop"
)

// Strangers are the generations that bear the credential's name, are not in use, and
// of which the journal knows nothing: neither which run made them, nor that they were
// ever in use. A journal that lost its tail has some, and so has a credential that is
// rotated from two folders. open are the ids of the runs that are open: what they
// make may be listed before it is in the journal.
func Strangers(spec sop.Spec, issuer IssuerSeen, past []Generation, open []string) []cred.Handle {
	known := map[string]bool{issuer.Owner: true, issuer.Self: true}
	for _, g := range past {
		known[g.Handle.ID] = true
	}
	var out []cred.Handle
	for _, h := range issuer.Live {
		if !known[h.ID] && BearsName(spec, h.Name) && !labelled(h.Name, open) {
			out = append(out, h)
		}
	}
	return out
}

// labelled reports whether one of these runs has given the name.
func labelled(name string, runs []string) bool {
	for _, run := range runs {
		for n := 1; n <= MaxAttempts; n++ {
			if cred.Bears(name, cred.Label(run, n)) {
				return true
			}
		}
	}
	return false
}

// Stranger says what such a generation may be.
func Stranger(spec sop.Spec, h cred.Handle) string {
	made := ""
	if !h.Created.IsZero() {
		made = ", made " + h.Created.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("%s lists %s (%s%s), which bears the name of %s and of which this journal knows nothing: a run from another folder or machine, or a person, has made it, or the journal was restored to an earlier state", spec.Issuer.Vendor, h.Name, h.ID, made, spec.Name)
}

// HoldersUnknown begins what the check for other holders says where no place could be
// read: it does not prove anything, and reports do not show it as one.
const HoldersUnknown = "who else holds the old one is not known"
