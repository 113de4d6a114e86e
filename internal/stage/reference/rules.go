package reference

import (
	"context"
	"slices"
	"strconv"

	"rekey/internal/cred"
	"rekey/internal/provider"
)

// admitter knows the rules.
type admitter struct{ issuer }

func (r *Rule) place() cred.Place {
	return cred.Place{Kind: "rule", ID: r.ID, Name: r.Name, Revision: strconv.Itoa(r.Revision), Admits: true, Names: slices.Clone(r.Names), Everyone: r.Everyone, Guards: []string{"gate"}}
}

func (a admitter) Places(ctx context.Context) (provider.Admission, error) {
	out := provider.Admission{Places: []cred.Place{}}
	err := a.look(ctx, a.env, issuerName, "list rules", func() error {
		for _, r := range a.M.Rules {
			out.Places = append(out.Places, r.place())
			if r.Everyone {
				out.Everyone = append(out.Everyone, r.place())
			}
		}
		return nil
	})
	return out, err
}

func (a admitter) rule(id string) (*Rule, error) {
	for _, r := range a.M.Rules {
		if r.ID == id {
			return r, nil
		}
	}
	return nil, refused(cred.Absent, "there is no such rule", false)
}

func (a admitter) Look(ctx context.Context, p cred.Place) (now cred.Place, err error) {
	err = a.look(ctx, a.env, issuerName, "read rule", func() error {
		r, err := a.rule(p.ID)
		if err == nil {
			now = r.place()
		}
		return err
	})
	return now, err
}

func (a admitter) Admit(ctx context.Context, p cred.Place, id string) (provider.Edit, error) {
	return a.edit(ctx, p, id, true)
}

func (a admitter) Dismiss(ctx context.Context, p cred.Place, id string) (provider.Edit, error) {
	return a.edit(ctx, p, id, false)
}

// edit reads the rule and writes it with its revision: a rule that somebody has
// edited since is not written.
func (a admitter) edit(ctx context.Context, p cred.Place, id string, in bool) (provider.Edit, error) {
	found, err := a.Look(ctx, p)
	if err != nil {
		return provider.Edit{}, err
	}
	out := provider.Edit{Place: found, Previous: found.Revision, Rebased: p.Revision != "" && p.Revision != found.Revision}
	if slices.Contains(found.Names, id) == in {
		out.Already = true
		return out, nil
	}
	err = a.change(ctx, a.env, issuerName, "write rule", func() error {
		r, err := a.rule(p.ID)
		switch {
		case err != nil:
			return err
		case strconv.Itoa(r.Revision) != found.Revision:
			return refused(cred.Conflict, "somebody else has edited it", true)
		case in && a.find(id) == nil:
			return refused(cred.Refused, "there is no such token", false)
		case in:
			r.Names = append(slices.Clone(r.Names), id)
		default:
			r.Names = slices.DeleteFunc(slices.Clone(r.Names), func(x string) bool { return x == id })
		}
		r.Revision++
		a.publish()
		out.Place = r.place()
		return nil
	})
	if err != nil {
		return provider.Edit{}, err
	}
	return out, nil
}
