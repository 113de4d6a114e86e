package rotation

import "rekey/internal/cred"

// InUse is the generation that the store's bundle belongs to; nil if none is listed.
func (s IssuerSeen) InUse() *cred.Handle {
	for _, h := range s.Live {
		if h.ID == s.Owner && s.Owner != "" {
			return &h
		}
	}
	return nil
}
