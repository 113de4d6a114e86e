package notary

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"rekey/internal/evidence"
	"rekey/internal/secret"
)

// Files beside the journal.
const (
	// NextKeyFile is there while a new key is being handed over to.
	NextKeyFile = KeyFile + ".new"
	KeyFile     = "evidence.key" // private; not there where rekey.yaml names a key
	PublicFile  = "evidence.pub" // public keys, oldest first
)

const publicHead = `# Public keys of this journal's checkpoints, the newest last. Keep a copy where
# nobody who can write here can write: rekey verify --key COPY
`

// signer returns the key, and makes one where there never was any.
func (n *Notary) signer(ctx context.Context) (s secret.Signer, fresh bool, err error) {
	if len(n.Config.Key) > 0 {
		s, err = n.referred(ctx)
	} else if s, err = n.read(KeyFile); errors.Is(err, os.ErrNotExist) {
		if fresh, err = n.first(ctx); err == nil {
			s, err = n.read(KeyFile)
		}
	}
	if err != nil {
		return s, false, err
	}
	if o := n.Config.Origin; o != "" && o != s.Name() {
		return s, false, fmt.Errorf("evidence.origin says %s, and the key is of %s: a journal keeps its name", o, s.Name())
	}
	return s, fresh, n.publish(ctx, s.Public(), len(n.Config.Key) == 0)
}

func (n *Notary) referred(ctx context.Context) (secret.Signer, error) {
	v, src, err := n.Env.Resolve(ctx, n.Config.Key)
	if err != nil {
		return secret.Signer{}, fmt.Errorf("evidence.key: %w", err)
	}
	s, err := secret.NewSigner(v)
	if err != nil {
		return s, fmt.Errorf("evidence.key: %s: %w", src, err)
	}
	return s, nil
}

// read reads the key beside the journal; os.ErrNotExist if there is none.
func (n *Notary) read(name string) (secret.Signer, error) {
	path := filepath.Join(n.Dir, name)
	b, err := os.ReadFile(path)
	if err != nil {
		return secret.Signer{}, fmt.Errorf("read the signing key: %w", err)
	}
	s, err := secret.NewSigner(secret.New(string(b)))
	clear(b)
	if err != nil {
		return s, fmt.Errorf("%s is damaged (%w): restore it, or begin a new one: rekey checkpoint key --new", path, err)
	}
	return s, nil
}

// first makes the first key, unless somebody else was faster.
func (n *Notary) first(ctx context.Context) (made bool, err error) {
	if err := n.neverWas(ctx); err != nil {
		if _, again := n.read(KeyFile); again == nil {
			return false, nil
		}
		return false, err
	}
	err = n.generate(KeyFile, n.origin(ctx))
	if errors.Is(err, os.ErrExist) {
		return false, nil
	}
	return err == nil, err
}

// neverWas refuses to make a key in silence where one is lost: whoever takes it
// away could have everything signed anew.
func (n *Notary) neverWas(ctx context.Context) error {
	_, signed, err := n.Journal.Newest(ctx)
	if err != nil {
		return err
	}
	if n.Keys != nil {
		known, err := n.public(ctx)
		if signed || err != nil || len(known) > 0 {
			return errors.Join(fmt.Errorf("this machine does not have the private key that signs checkpoints: copy %s from the machine that signs, name it under evidence.key, or begin a new one: rekey checkpoint key --new", filepath.Join(n.Dir, KeyFile)), err)
		}
		if err := os.MkdirAll(n.Dir, 0o700); err != nil {
			return fmt.Errorf("make a signing key: %w", err)
		}
		return nil
	}
	_, err = os.Stat(filepath.Join(n.Dir, PublicFile))
	if signed || err == nil {
		return fmt.Errorf("the private key that signs checkpoints is gone from %s: restore it, or begin a new one: rekey checkpoint key --new", filepath.Join(n.Dir, KeyFile))
	}
	return nil
}

// origin of a key that is made here: as rekey.yaml says, as it was, or a random word.
func (n *Notary) origin(ctx context.Context) string {
	if n.Config.Origin != "" {
		return n.Config.Origin
	}
	if keys, err := n.public(ctx); err == nil && len(keys) > 0 {
		return keys[0].Verifier.Name()
	}
	var b [6]byte
	_, _ = rand.Read(b[:])
	return "rekey/" + hex.EncodeToString(b[:])
}

func (n *Notary) generate(name, origin string) error {
	return secret.KeepNewSigner(filepath.Join(n.Dir, name), origin)
}

// public are the public keys, wherever they are kept.
func (n *Notary) public(ctx context.Context) (evidence.Keys, error) {
	if n.Keys != nil {
		return n.Keys.Public(ctx)
	}
	return Public(n.Dir)
}

// Public reads the public keys beside a journal; none is not an error.
func Public(dir string) (evidence.Keys, error) {
	b, err := os.ReadFile(filepath.Join(dir, PublicFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the public keys: %w", err)
	}
	keys, err := evidence.ParseKeys(string(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, PublicFile), err)
	}
	return keys, nil
}

// publish notes a public key as the newest one, unless it is noted already.
func (n *Notary) publish(ctx context.Context, public string, own bool) error {
	if n.Keys != nil {
		return n.Keys.Publish(ctx, public, own)
	}
	path := filepath.Join(n.Dir, PublicFile)
	was, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read the public keys: %w", err)
	}
	for _, l := range strings.Split(string(was), "\n") {
		if strings.TrimSpace(l) == public {
			return nil
		}
	}
	add := public + "\n"
	switch {
	case len(was) == 0:
		add = publicHead + add
	case was[len(was)-1] != '\n':
		add = "\n" + add // a line that a crash tore
	}
	return appendTo(path, add, os.O_CREATE)
}

// appendTo writes at the end of a file and returns when it is on disk.
func appendTo(path, text string, flag int) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|flag, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// NextKey is the public key that is being handed over to; "": none is.
func (n *Notary) NextKey() string {
	s, err := n.read(NextKeyFile)
	if err != nil {
		return ""
	}
	return s.Public()
}

// NewKey hands over to a new key, beside the journal: both sign one checkpoint, so
// that whoever trusts the old one may trust the new one, and then the old private
// key is overwritten. Where the old one is lost only the new one signs: whoever
// verifies has to learn the new public key by other means. A key that rekey.yaml
// refers to is changed where it is kept.
//
// record is called once the new key is there and before anything is signed with it,
// so that the first checkpoint of the new key is about what it writes; old is "" for
// a key that is lost.
func (n *Notary) NewKey(ctx context.Context, record func(old, fresh string) error) (o Outcome, handedOver bool, err error) {
	if len(n.Config.Key) > 0 {
		return o, false, fmt.Errorf("the key comes from %s: make one with rekey checkpoint key --out FILE --origin NAME, and put it there", n.Config.Key[0])
	}
	old, err := n.read(KeyFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return o, false, err
	}
	handedOver = err == nil
	origin := n.origin(ctx)
	if handedOver {
		origin = old.Name()
	}
	const next = NextKeyFile
	if err := n.generate(next, origin); err != nil && !errors.Is(err, os.ErrExist) {
		return o, false, err // one that is there is of a handing over that was cut off
	}
	fresh, err := n.read(next)
	if err != nil {
		return o, false, err
	}
	if err := n.publish(ctx, fresh.Public(), false); err != nil {
		return o, false, fmt.Errorf("note the public key: %w", err)
	}
	signers, before := []note.Signer{fresh}, ""
	if handedOver {
		signers, before = []note.Signer{old, fresh}, old.Public()
	}
	if err := n.Compare(ctx); err != nil {
		return o, false, err
	}
	if err := record(before, fresh.Public()); err != nil {
		return o, false, err
	}
	o.Key, o.NewKey = fresh.Public(), true
	if n.make(ctx, &o, signers...); o.Problem != "" {
		return o, false, errors.New(o.Problem)
	}
	if err := os.Rename(filepath.Join(n.Dir, next), filepath.Join(n.Dir, KeyFile)); err != nil {
		return o, false, fmt.Errorf("put the new key in place: %w", err)
	}
	o.Sinks = n.send(ctx)
	return o, handedOver, nil
}

// CurrentKey returns the public key that signs now, and makes one if there never
// was any.
func (n *Notary) CurrentKey(ctx context.Context) (public string, err error) {
	s, _, err := n.signer(ctx)
	return s.Public(), err
}
