package estate

import (
	"context"
	"errors"
	"time"

	"rekey/internal/evidence"
	"rekey/internal/history"
	"rekey/internal/kept"
	"rekey/internal/notary"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/wire"
)

// attestTimeout bounds signing and sending after a run: a run that is over does not
// wait for a collector that is down.
const attestTimeout = 30 * time.Second

// notary signs and sends this journal's checkpoints. Its calls are not the run's,
// and are not counted as such.
func (w *work) notary() *notary.Notary {
	env := w.env
	env.Observe = nil
	attested := w.config.Evidence
	if w.simulated() && attested.Origin != "" {
		attested.Origin += "/simulated" // a collector must not take it for the real one's
	}
	var keys notary.PublicKeys
	if w.config.Database != "" {
		keys = kept.PublicKeys{Journal: w.book.J}
	}
	return &notary.Notary{
		Keys: keys, Journal: w.book.J, Dir: w.journalDir(), Base: w.config.Dir, Config: attested, Env: env,
		Put: func(ctx context.Context, place sop.Place, slot, value string) error {
			return wire.WriteOne(ctx, w.config.Vendors, env, place, slot, secret.New(value))
		},
		Get: func(ctx context.Context, place sop.Place, slot string) (string, error) {
			v, err := wire.ReadSlot(ctx, w.config.Vendors, env, place, slot)
			if err != nil {
				return "", err
			}
			text, _ := v.SignedNote()
			return text, nil
		},
	}
}

// lookBack tells, before anything is done, that the journal is older than what has
// left this machine, or another one. It stops nothing: a journal that is lost must
// not leave a credential between two generations, and what is taken away is looked
// for at those who hold it, whatever the journal says.
func (w *work) lookBack(ctx context.Context, behind func(why error)) {
	// An interruption says nothing of the journal; it is seen right after this.
	if why := w.notary().CompareFiles(context.WithoutCancel(ctx)); why != nil {
		behind(why)
	}
}

// attest signs what was written and sends what was not sent yet. It fails nothing:
// what went wrong stands in what it returns, and the next operation catches up.
func (w *work) attest(ctx context.Context) Signed {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attestTimeout)
	defer cancel()
	return w.notary().Attest(ctx)
}

// Sign signs the journal as it is, and sends what was not sent yet.
func (e *Estate) Sign(ctx context.Context) (Signed, error) {
	w, err := e.surround(sop.Spec{})
	if err != nil {
		return Signed{}, err
	}
	defer w.close()
	// Whoever owns the schema of a database makes the tables so that others work with less;
	// a role that may not is told when it opens a run.
	_ = w.openLeases(ctx)
	_, _ = requestTables().Make(ctx, w.book.J), toldTables().Make(ctx, w.book.J)
	return w.notary().Attest(ctx), nil
}

// Key returns the public key that signs.
func (e *Estate) Key(ctx context.Context) (string, error) {
	w, err := e.surround(sop.Spec{})
	if err != nil {
		return "", err
	}
	defer w.close()
	public, err := w.notary().CurrentKey(ctx)
	return public, failed(err)
}

// NewKey hands over to a new key: by whom, and why, is in the journal before that
// key signs anything.
func (e *Estate) NewKey(ctx context.Context, n NewKey) (HandedOver, error) {
	if err := reasoned(n.Without, n.Reason); err != nil {
		return HandedOver{}, err
	}
	w, err := e.surround(sop.Spec{})
	if err != nil {
		return HandedOver{}, err
	}
	defer w.close()
	if err := w.named(ctx); err != nil {
		return HandedOver{}, err
	}
	// Whoever may not change one of the credentials is refused.
	if err := w.may(ctx, sop.OpNewKey, n.Without, e.config.Specs...); err != nil {
		return HandedOver{}, err
	}
	// One at a time: of the same request twice at once the second finds what the first did.
	release, err := w.book.J.Hold(ctx, "signing key")
	if err != nil {
		return HandedOver{}, failed(err)
	}
	defer release()
	if err := e.answeredOr(ctx, e.unused); err != nil {
		return HandedOver{}, err
	}
	o, vouched, err := w.notary().NewKey(ctx, func(old, fresh string) error {
		change := history.KeyChange{Old: keyID(old), New: keyID(fresh), Actor: w.by.Name, By: w.by, Reason: n.Reason}
		note, err := history.NoteOf(e.now().UTC(), "", history.KeyChanged, change)
		if err != nil {
			return err
		}
		answer := HandedOver{Signed: Signed{Key: fresh, NewKey: true, Sinks: []notary.Sent{}}, Vouched: old != ""}
		err = w.keepAnswered(ctx, answer, note)
		if CodeOf(err) == Repeated {
			err = nil // it was written by a process that ended before the key was in use
		}
		return err
	})
	if err != nil {
		if unwritable, ok := errors.AsType[*Error](err); ok {
			err = unwritable
		}
		return HandedOver{}, &Error{Code: NotThisKey, Err: err}
	}
	out := HandedOver{Signed: o, Vouched: vouched}
	w.answered(ctx, out)
	return out, nil
}

// keyID names a public key shortly.
func keyID(public string) string {
	k, err := evidence.ParseKey(public)
	if err != nil {
		return ""
	}
	return k.ID()
}
