package estate

import "io"

// runID is short enough to be read out: 30 random bits without look-alikes.
func (e *Estate) runID() (string, error) {
	const letters = "23456789abcdefghjkmnpqrstuvwxyz"
	var b [6]byte
	if _, err := io.ReadFull(e.here.Random, b[:]); err != nil {
		return "", failedf("make the id of a run: %w", err)
	}
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b[:]), nil
}
