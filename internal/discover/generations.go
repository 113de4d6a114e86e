package discover

import (
	"fmt"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// generations: what lives at the issuers, and is unclaimed.
func (d *discovery) generations() {
	claimed, told := map[string]bool{}, map[string]bool{}
	replaced := map[string]string{} // what an open run replaces is the run's to end, or to give back
	for _, r := range d.runs {
		if r.Open && r.Old != "" {
			replaced[r.Credential] = r.Old
		}
	}
	for _, s := range d.all {
		claimed[s.Spec.Issuer.Vendor+"\x00"+s.Issuer.Owner] = true
		claimed[s.Spec.Issuer.Vendor+"\x00"+s.Issuer.Self] = true
		claimed[s.Spec.Issuer.Vendor+"\x00"+replaced[s.Spec.Name]] = true
	}
	for i := range d.all {
		s := &d.all[i]
		for _, h := range s.Issuer.Live {
			key := s.Spec.Issuer.Vendor + "\x00" + h.ID
			if claimed[key] || told[key] {
				continue
			}
			told[key] = true
			d.generation(s, h)
		}
	}
}

func (d *discovery) generation(s *Seen, h cred.Handle) {
	issuer := s.Spec.Issuer
	f := Finding{Where: issuer.Vendor + " " + issuer.Kind, Handle: &h, Rules: naming(s.Rules, h)}
	run, labelled := d.labelled(h.Name)
	rehearsed := strings.HasPrefix(h.Name, sop.RehearsalPrefix)
	switch {
	case labelled && run.Open:
		return // its run goes on
	case labelled && run.Current == h.ID:
		f.Kind, f.Credential = Unclaimed, run.Credential
		f.What = fmt.Sprintf("%s was left in use by run %s, and the store holds another", d.says(f, h), run.ID)
		f.Next = "rekey drift " + run.Credential
		d.add(f, 30)
	case labelled, rehearsed:
		f.Kind, f.Credential = Orphan, run.Credential
		of, reason := "run "+run.ID, "orphan of run "+run.ID
		if !labelled {
			f.Credential, of, reason = s.Spec.Name, "a rehearsal that this journal does not know", "orphan of a rehearsal"
		}
		f.What = fmt.Sprintf("%s was made by %s and is unclaimed", d.says(f, h), of)
		f.Next = fmt.Sprintf("rekey revoke %s --generation %s --delete --reason %q", f.Credential, h.ID, reason)
		d.add(f, 30)
	default:
		d.unclaimed(f, h, issuer)
	}
}

func (d *discovery) unclaimed(f Finding, h cred.Handle, issuer sop.Issuer) {
	f.Kind = Unclaimed
	risk := 40
	what := d.says(f, h) + " is claimed by no credential of rekey.yaml"
	f.Next = "find out whose it is: register it under credentials, or revoke it at " + issuer.Vendor
	for _, s := range d.all {
		same := s.Spec.Issuer.Vendor == issuer.Vendor && s.Spec.Issuer.Kind == issuer.Kind
		switch {
		case same && rotation.BearsName(s.Spec, h.Name):
			f.Credential, risk = s.Spec.Name, 35
			what += ", and bears the name of " + s.Spec.Name + "; make sure that nobody uses it, then switch it off"
			f.Next = fmt.Sprintf("rekey revoke %s --generation %s --reason \"left over\"", s.Spec.Name, h.ID)
		case same && s.Issuer.Owner == "":
			what += "; it may be that of " + s.Spec.Name + ", of which that is not known"
		}
	}
	f.What = what
	d.add(f, risk)
}

// says is a generation in words.
func (d *discovery) says(f Finding, h cred.Handle) string {
	parts := []string{}
	if !h.Created.IsZero() {
		parts = append(parts, "made "+h.Created.UTC().Format(time.DateOnly))
	}
	if h.Disabled {
		parts = append(parts, "switched off")
	}
	if !h.LastSeen.IsZero() {
		parts = append(parts, "last used "+h.LastSeen.UTC().Format(time.RFC3339))
	}
	switch {
	case h.Expires.IsZero():
	case h.Expires.Before(d.now):
		parts = append(parts, "expired "+h.Expires.UTC().Format(time.DateOnly))
	default:
		parts = append(parts, "expires "+h.Expires.UTC().Format(time.DateOnly))
	}
	if len(f.Rules) > 0 {
		parts = append(parts, "named by "+strings.Join(f.Rules, ", "))
	}
	return fmt.Sprintf("%s (%s)", h.Name, strings.Join(append(parts, h.ID), "; "))
}

// labelled finds the run whose label a name bears: its id stands in the name.
func (d *discovery) labelled(name string) (Run, bool) {
	for _, n := range d.lengths {
		for at := 0; n > 0 && at+n <= len(name); at++ {
			r, known := d.runs[name[at:at+n]]
			for attempt := 1; known && attempt <= rotation.MaxAttempts; attempt++ {
				if cred.Bears(name, cred.Label(r.ID, attempt)) {
					return r, true
				}
			}
		}
	}
	return Run{}, false
}

func naming(seen rotation.AdmissionSeen, h cred.Handle) []string {
	var out []string
	for _, p := range seen.Places {
		if p.NamesAny(h) {
			out = append(out, fmt.Sprintf("%s %q", p.Kind, p.Name))
		}
	}
	return out
}
