// Package evidence puts the journal's entries into a Merkle tree, signs its heads as checkpoints, and verifies them offline with public keys alone.
//
// The formats are other people's, so that their tools read ours:
//
//   - The tree is that of RFC 6962 §2.1 (SHA-256), as in golang.org/x/mod/sumdb/tlog.
//     Leaf number seq-1 is the bytes that the entry's hash covers (journal.Entry.Leaf):
//     its leaf hash is SHA-256 over 0x00 and these bytes.
//   - A checkpoint is a signed note (c2sp.org/signed-note, golang.org/x/mod/sumdb/note,
//     Ed25519) whose text is that of c2sp.org/tlog-checkpoint: origin, number of
//     entries, root hash in base64, one line each, and nothing else. The origin is the
//     name of the key. There are no extension lines: C2SP advises against them, and a
//     time in one would be no more than this machine's word.
//
// One with real values:
//
//	rekey/5f0c2a9b71d4
//	46
//	2mpFKUW9tMBqhFsVeYHCuYiZYdTAFbYb4vjh0zKyJ/I=
//
//	— rekey/5f0c2a9b71d4 uG5S…
//
// This package cannot reach a secret: who signs is a parameter.
package evidence

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is a head of the tree.
type Checkpoint struct {
	Origin string
	Size   int64 // entries that it is about, from 1
	Root   tlog.Hash
}

// Text returns the text that is signed.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// maxSize keeps sizes far from where arithmetic on them overflows.
const maxSize = 1 << 48

// ParseText reads a checkpoint's text strictly. Extension lines are passed over,
// as c2sp.org/tlog-checkpoint demands; ours have none.
func ParseText(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[len(lines)-1] != "" || lines[0] == "" {
		return Checkpoint{}, errors.New("this is not a checkpoint: want origin, size and root, one line each")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || lines[1] != strconv.FormatInt(size, 10) || size < 0 || size > maxSize {
		return Checkpoint{}, errors.New("this is not a checkpoint: its second line is not a size")
	}
	// The decoder, also a strict one, passes over line breaks: so what was read is
	// written again and compared. One tree has one text, or two notes of it differ.
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize || base64.StdEncoding.EncodeToString(root) != lines[2] {
		return Checkpoint{}, errors.New("this is not a checkpoint: its third line is not a root hash")
	}
	for _, l := range lines[3 : len(lines)-1] {
		if l == "" {
			return Checkpoint{}, errors.New("this is not a checkpoint: it has an empty line")
		}
	}
	c := Checkpoint{Origin: lines[0], Size: size}
	copy(c.Root[:], root)
	return c, nil
}

// Sign signs a checkpoint; with several keys where one hands over to the next.
func Sign(c Checkpoint, signers ...note.Signer) (string, error) {
	for _, s := range signers {
		if s.Name() != c.Origin {
			return "", fmt.Errorf("sign a checkpoint: the key is of %s, and the journal is %s", s.Name(), c.Origin)
		}
	}
	signed, err := note.Sign(&note.Note{Text: c.Text()}, signers...)
	if err != nil {
		return "", fmt.Errorf("sign a checkpoint: %w", err)
	}
	return string(signed), nil
}

// Reason why a note is not taken for a checkpoint of ours.
type Reason string

// The reasons.
const (
	Damaged    Reason = "damaged"   // it is not a signed note, or no checkpoint
	ForgedSig  Reason = "forged"    // a signature that claims to be by a known key is not
	UnknownKey Reason = "other key" // no signature is by a known key
	Origin     Reason = "origin"    // it speaks of another journal
)

// NotOurs says why a note proves nothing here.
type NotOurs struct {
	Reason Reason
	Why    string
}

func (e *NotOurs) Error() string { return e.Why }

// Open verifies a signed note with known keys and reads the checkpoint in it. The
// error is a *NotOurs. by names the keys that have signed.
func Open(signed string, keys Keys) (c Checkpoint, by []string, err error) {
	n, err := note.Open([]byte(signed), note.VerifierList(keys.Verifiers()...))
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unverified):
		names := []string{}
		for _, s := range unverified.Note.UnverifiedSigs {
			names = append(names, keyID(s.Name, s.Hash))
		}
		c, _ = ParseText(unverified.Note.Text) // told, not believed
		return c, nil, &NotOurs{UnknownKey, "it is signed by " + strings.Join(names, " and ") + ", and no such key was given"}
	case errors.As(err, &invalid):
		return c, nil, &NotOurs{ForgedSig, "its signature is not by " + keyID(invalid.Name, invalid.Hash) + ", as it says: it was altered or forged"}
	case err != nil:
		return c, nil, &NotOurs{Damaged, "it is not a signed note"}
	}
	if c, err = ParseText(n.Text); err != nil {
		return c, nil, &NotOurs{Damaged, err.Error()}
	}
	for _, s := range n.Sigs {
		if s.Name != c.Origin {
			return c, nil, &NotOurs{Origin, fmt.Sprintf("it is about %s but signed by %s", c.Origin, s.Name)}
		}
		by = append(by, keyID(s.Name, s.Hash))
	}
	return c, by, nil
}

func keyID(name string, hash uint32) string { return fmt.Sprintf("%s+%08x", name, hash) }

// SplitNotes takes a file of signed notes apart. torn counts beginnings that have
// no end: an append that was cut off by a crash.
func SplitNotes(text string) (notes []string, torn int) {
	var body, sigs []string
	flush := func() {
		switch {
		case len(sigs) > 0:
			notes = append(notes, strings.Join(body, "\n")+"\n\n"+strings.Join(sigs, "\n")+"\n")
		case len(body) > 0:
			torn++
		}
		body, sigs = nil, nil
	}
	blank := false
	for _, l := range strings.Split(text, "\n") {
		l = strings.TrimSuffix(l, "\r")
		switch {
		case l == "":
			blank = true
			continue
		case strings.HasPrefix(l, "— ") && (blank && len(body) > 0 || len(sigs) > 0):
			sigs = append(sigs, l)
		default:
			if blank || len(sigs) > 0 {
				flush()
			}
			body = append(body, l)
		}
		blank = false
	}
	flush()
	return notes, torn
}
