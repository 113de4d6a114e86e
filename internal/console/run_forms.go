package console

import (
	"errors"
	"net/http"

	"rekey/internal/estate"
)

type backBody struct {
	estate.BackPlan
	CanDo string // why whoever asks may not; "": he may
}

// backPage tells what going back would do, before anybody asks for it.
func (c *Console) backPage(w http.ResponseWriter, r *http.Request) error {
	plan, err := c.o.Ops.PlanBack(r.Context(), r.PathValue("run"))
	if err != nil {
		return noJournalNoRun(err, r.PathValue("run"))
	}
	return show(c, w, http.StatusOK, "back", frame(c, r, "Go back: run "+plan.Run, "/runs", backBody{BackPlan: plan}))
}

func (c *Console) turnBack(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	run, err := c.o.Ops.TurnBack(r.Context(), estate.Backing{Run: r.PathValue("run"), Reason: r.PostForm.Get("reason"), Without: r.PostForm.Has("without_role")})
	if err != nil {
		return err
	}
	return done(w, r, runAt(run))
}

// takeUp goes on with a run: confirmed by its credential's name, or resumed.
func (c *Console) takeUp(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	a := estate.Advancing{Run: r.PathValue("run"), Confirm: r.PostForm.Get("confirm"), Reason: r.PostForm.Get("reason"), Despite: r.PostForm["despite"], Without: r.PostForm.Has("without_role")}
	if r.PostForm.Has("confirm") && a.Confirm == "" { // an empty field confirms nothing
		logged, err := c.o.Ops.Log(r.Context(), a.Run)
		if err != nil {
			return noJournalNoRun(err, a.Run)
		}
		return &estate.Error{Code: estate.OtherName, Name: "nothing", Credential: logged.Events[0].Opened.Credential}
	}
	run, err := c.o.Ops.TakeUp(r.Context(), a)
	if e, coded := errors.AsType[*estate.Error](err); coded && e.Code == estate.AwaitsApproval {
		return asked(w, r, e)
	}
	if err != nil {
		return err
	}
	return done(w, r, runAt(run))
}
