package dossier

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"

	"rekey/internal/evidence"
	"rekey/internal/journal"
)

// signatureHead is the first line of what is signed. It is not a checkpoint's: the
// first line of one is the name of its key.
const signatureHead = "rekey-evidence-export/v1"

// signatureKey begins the last field of the last line; what is signed ends before it.
const signatureKey = `,"signature":`

// Prove adds the checkpoint, in whose tree every entry is proven.
func (d *Dossier) Prove(j *journal.Journal, cp journal.Checkpoint, key string) error {
	if cp.Size < d.Header.Entries {
		return fmt.Errorf("the checkpoint is over %d entries, and the journal has %d", cp.Size, d.Header.Entries)
	}
	d.Header.Checkpoint, d.Header.Key, d.Header.Entries = cp.Note, key, cp.Size
	d.proofs = evidence.NewProver(j, cp.Size)
	return nil
}

// inOne is how many bytes are written at once, about: whole lines always, for who
// writes to a terminal or a pipe looks at what it is given.
const inOne = 64 << 10

// lines writes values as lines, and hashes them.
type lines struct {
	to  io.Writer
	sum hash.Hash
	b   bytes.Buffer
	enc *json.Encoder
}

func newLines(w io.Writer) *lines {
	l := &lines{to: w, sum: sha256.New()}
	l.enc = json.NewEncoder(&l.b)
	l.enc.SetEscapeHTML(false)
	return l
}

func (l *lines) line(v any) error {
	if err := l.enc.Encode(v); err != nil || l.b.Len() < inOne {
		return err
	}
	return l.flush()
}

func (l *lines) flush() error {
	l.sum.Write(l.b.Bytes())
	_, err := l.to.Write(l.b.Bytes())
	l.b.Reset()
	return err
}

// Write writes the export as JSON lines, reading the entries from the journal again,
// some at a time. sign signs a text as a note. What an error has cut off has no
// signature, and so verifies as nothing.
func (d *Dossier) Write(ctx context.Context, j *journal.Journal, w io.Writer, origin string, sign func(text string) (string, error)) error {
	l := newLines(w)
	err := l.line(d.Header)
	for i := 0; err == nil && i < len(d.Credentials); i++ {
		err = l.line(d.Credentials[i])
	}
	for i := 0; err == nil && i < len(d.Runs); i++ {
		err = l.line(d.Runs[i])
	}
	for i := 0; err == nil && i < len(d.Drifts); i++ {
		err = l.line(d.Drifts[i])
	}
	for i := 0; err == nil && i < len(d.Approvals); i++ {
		err = l.line(d.Approvals[i])
	}
	if err == nil {
		err = d.entries(ctx, j, l)
	}
	if err == nil {
		err = l.flush()
	}
	if err == nil {
		err = l.line(d.Summary)
	}
	if err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	l.b.Truncate(l.b.Len() - len("}\n"))
	l.sum.Write(l.b.Bytes())
	note, err := sign(signedSum(origin, l.sum.Sum(nil)))
	if err != nil {
		return fmt.Errorf("sign the export: %w", err)
	}
	quoted, err := json.Marshal(note)
	if err != nil {
		return fmt.Errorf("sign the export: %w", err)
	}
	l.b.WriteString(signatureKey)
	l.b.Write(quoted)
	l.b.WriteString("}\n")
	if _, err := w.Write(l.b.Bytes()); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	return nil
}

// entries writes the entries, each with its proof.
func (d *Dossier) entries(ctx context.Context, j *journal.Journal, l *lines) error {
	var some []Entry
	written := 0
	prove := func() error {
		seqs := make([]int64, len(some))
		for i, e := range some {
			seqs[i] = e.Entry.Seq
		}
		proofs, err := d.proofs.Proofs(ctx, seqs)
		if err != nil {
			return err
		}
		for _, e := range some {
			e.Proof = []string{}
			for _, h := range proofs[e.Entry.Seq] {
				e.Proof = append(e.Proof, base64.StdEncoding.EncodeToString(h[:]))
			}
			if err := l.line(e); err != nil {
				return err
			}
		}
		written += len(some)
		some = some[:0]
		return nil
	}
	err := d.scope.each(ctx, j, func(e journal.Entry, boundary bool) error {
		some = append(some, Entry{Type: "entry", Entry: e, Boundary: boundary})
		if len(some) < atOnce {
			return nil
		}
		return prove()
	})
	if err == nil {
		err = prove()
	}
	if err == nil && written != d.Summary.Entries {
		err = fmt.Errorf("%d entries were counted, and %d are there now", d.Summary.Entries, written)
	}
	return err
}

// SignedText is what is signed of an export: covered is every byte before the field of
// the signature.
func SignedText(origin string, covered []byte) string {
	sum := sha256.Sum256(covered)
	return signedSum(origin, sum[:])
}

func signedSum(origin string, sum []byte) string {
	return signatureHead + "\n" + origin + "\n" + hex.EncodeToString(sum) + "\n"
}
