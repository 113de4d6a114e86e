package estate

import (
	"context"
	"fmt"
	"time"

	"rekey/internal/cred"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/sop"
)

// strangers are the generations that the issuer lists under a credential's name, and
// of which the journal knows nothing.
func (w *work) strangers(ctx context.Context, spec sop.Spec, issuer rotation.IssuerSeen) ([]cred.Handle, error) {
	if len(rotation.Strangers(spec, issuer, nil, nil)) == 0 {
		return nil, nil // whatever the journal knows: there is none
	}
	past, err := w.book.Generations(ctx, spec.Name)
	if err != nil {
		return nil, err
	}
	open, err := w.openRuns(ctx)
	if err != nil {
		return nil, err
	}
	return rotation.Strangers(spec, issuer, past, open), nil
}

// openRuns are the ids of the runs that are open.
func (w *work) openRuns(ctx context.Context) ([]string, error) {
	going, err := w.book.Going(ctx)
	if err != nil {
		return nil, err
	}
	var open []string
	for _, r := range going {
		open = append(open, r.Run)
	}
	return open, nil
}

// lookTimeout bounds a look that only adds to what is told.
const lookTimeout = 10 * time.Second

// besides tells, at the end of a rotation, what else was listed under its name when it
// looked: it is left as it is, and lives on beside the new one.
func (w *work) besides(ctx context.Context, st *rotation.State) []string {
	if st.Plan == nil {
		return nil
	}
	others, err := w.strangers(ctx, w.spec, st.Plan.Seen.Issuer)
	if err != nil {
		return nil
	}
	var out []string
	for _, h := range others {
		out = append(out, rotation.Stranger(w.spec, h)+"; seen at "+st.Plan.Seen.At.UTC().Format(time.TimeOnly)+" UTC, and left alone")
	}
	return out
}

// meanwhile tells, of a run that did not come to its good end, what somebody else has
// done to the credential at the same time: what the store holds now that this run has
// not written, and what is listed under its name that this journal does not know.
// Nobody is asked by hand for that, and what cannot be seen is left out.
func (w *work) meanwhile(ctx context.Context, r *runner.Runner, st *rotation.State) []string {
	if w.spec.Purpose != "" && w.spec.Purpose != sop.AfterRevoke || st.Stuck == nil && st.Closed == nil {
		return nil
	}
	if st.Stuck == nil && st.Closed.Ending == rotation.Rotated {
		return w.besides(ctx, st)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	w.unattended = true
	defer func() { w.unattended = false }()
	inUse, live, err := r.InUse(ctx, w.spec)
	if err != nil {
		return nil
	}
	strangers, err := w.strangers(ctx, w.spec, rotation.IssuerSeen{Live: live, Owner: inUse.ID})
	if err != nil {
		return nil
	}
	var out []string
	ours := st.Plan != nil && inUse.ID == st.Plan.Old.ID || st.Made != nil && inUse.ID == st.Made.Handle.ID
	if inUse.ID != "" && !ours && st.Plan != nil {
		made := ""
		if !inUse.Created.IsZero() {
			made = ", made " + report.Ago(inUse.Created, w.now())
		}
		out = append(out, fmt.Sprintf("%s holds %s (%s%s), which this run has not written: somebody else has rotated it meanwhile", w.spec.Store.Key, inUse.Name, inUse.ID, made))
	}
	for _, h := range strangers {
		out = append(out, rotation.Stranger(w.spec, h))
	}
	return out
}
