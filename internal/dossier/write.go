package dossier

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"rekey/internal/evidence"
	"rekey/internal/journal"
)

// signatureHead is the first line of what is signed. It is no checkpoint's: the
// first line of one is the name of its key.
const signatureHead = "rekey-evidence-export/v1"

// signatureKey begins the last field of the last line; what is signed ends before it.
const signatureKey = `,"signature":`

// Prove adds the checkpoint, and to every entry its proof in the tree of that.
func (d *Dossier) Prove(ctx context.Context, j *journal.Journal, cp journal.Checkpoint, key string) error {
	if cp.Size < d.Header.Entries {
		return fmt.Errorf("the checkpoint is over %d entries, and the journal has %d", cp.Size, d.Header.Entries)
	}
	d.Header.Checkpoint, d.Header.Key, d.Header.Entries = cp.Note, key, cp.Size
	seqs := make([]int64, len(d.Entries))
	for i, e := range d.Entries {
		seqs[i] = e.Entry.Seq
	}
	proofs, err := evidence.Proofs(ctx, j, cp.Size, seqs)
	if err != nil {
		return err
	}
	for i := range d.Entries {
		e := &d.Entries[i]
		e.Proof = []string{}
		for _, h := range proofs[e.Entry.Seq] {
			e.Proof = append(e.Proof, base64.StdEncoding.EncodeToString(h[:]))
		}
	}
	return nil
}

// Write writes the export as JSON lines. sign signs a text as a note.
func (d *Dossier) Write(w io.Writer, origin string, sign func(text string) (string, error)) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	line := func(v any) error { return enc.Encode(v) }
	err := line(d.Header)
	for i := 0; err == nil && i < len(d.Credentials); i++ {
		err = line(d.Credentials[i])
	}
	for i := 0; err == nil && i < len(d.Runs); i++ {
		err = line(d.Runs[i])
	}
	for i := 0; err == nil && i < len(d.Drifts); i++ {
		err = line(d.Drifts[i])
	}
	for i := 0; err == nil && i < len(d.Entries); i++ {
		err = line(d.Entries[i])
	}
	if err == nil {
		err = line(d.Summary)
	}
	if err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	b.Truncate(b.Len() - len("}\n"))
	note, err := sign(SignedText(origin, b.Bytes()))
	if err != nil {
		return fmt.Errorf("sign the export: %w", err)
	}
	quoted, err := json.Marshal(note)
	if err != nil {
		return fmt.Errorf("sign the export: %w", err)
	}
	b.WriteString(signatureKey)
	b.Write(quoted)
	b.WriteString("}\n")
	_, err = w.Write(b.Bytes())
	return err
}

// SignedText is what is signed of an export: covered is every byte before the field of
// the signature.
func SignedText(origin string, covered []byte) string {
	sum := sha256.Sum256(covered)
	return signatureHead + "\n" + origin + "\n" + hex.EncodeToString(sum[:]) + "\n"
}
