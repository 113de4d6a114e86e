package console

import (
	"net/http"
	"strings"
	"time"

	"rekey/internal/approvals"
	"rekey/internal/estate"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

type approvalsBody struct {
	Wanted []approvalView // for which somebody is still wanted
	Agreed []approvalView // that are agreed to, and not begun yet
}

// approvalView is a request, as its page shows it.
type approvalView struct {
	estate.Approval
	What  string // what is agreed to
	Steps []planStep
	Ask   *rotation.Ask // what its run waits for; nil: it has none, or it may not be seen
	Mine  bool          // whoever looks has asked for it himself, or has agreed
	// Start is the plan that people have agreed to, where somebody may begin it now.
	Start string
}

// retiring tells whether it is about the end of the old credential.
func retiring(s estate.Approval) bool { return s.Request.Gate == approvals.Retiring }

func approvalViewOf(s estate.Approval, who rotation.Who) approvalView {
	v := approvalView{Approval: s, What: "begin to rotate"}
	if retiring(s) {
		v.What = "revoke the old one"
	} else if p := s.Request.Plan; p != nil {
		v.What = "begin to " + doing(p.Spec.Purpose)
		v.Steps = planSteps(p)
	}
	v.Mine = who.Name != "" && approvals.Same(s.Request.By, who)
	for _, a := range s.Given {
		v.Mine = v.Mine || who.Name != "" && approvals.Same(a.By, who)
	}
	return v
}

// Then is what is done as soon as enough have agreed, and Final what of it cannot be undone.
func (v approvalView) Then() []string {
	if v.Ask == nil {
		return v.Request.Final
	}
	return v.Ask.For
}

// Final is what cannot be undone, where that is known.
func (v approvalView) Final() []string {
	if v.Ask == nil {
		return nil
	}
	return v.Ask.Final
}

// Windows are those in which it may begin; none: it may at any time, or it has begun.
func (v approvalView) Windows() []sop.Window {
	if v.Request.Plan == nil {
		return nil
	}
	return v.Request.Plan.Spec.Windows
}

// Ends tells when it expires.
func (v approvalView) Ends() time.Time { return v.Request.Until }

// approvalsPage lists what somebody is asked to agree to.
func (c *Console) approvalsPage(w http.ResponseWriter, r *http.Request) error {
	all, err := c.o.Ops.Approvals(r.Context())
	if err != nil {
		return err
	}
	me, err := c.o.Ops.Whoami(r.Context())
	if err != nil {
		me.Who = rotation.Who{} // what he may is said when he answers
	}
	var b approvalsBody
	for _, s := range all {
		v := approvalViewOf(s, me.Who)
		if retiring(s) && s.Request.Run != "" {
			if logged, err := c.o.Ops.Log(r.Context(), s.Request.Run); err == nil {
				v.Ask = rotation.Next(rotation.Fold(logged.Events), c.o.Now(), true).Ask
			}
		}
		if s.Standing == approvals.Agreed {
			if p := s.Request.Plan; p != nil && !retiring(s) && p.Spec.Purpose == "" {
				if v.Start, err = packPlan(p); err != nil {
					return err
				}
			}
			b.Agreed = append(b.Agreed, v)
		} else {
			b.Wanted = append(b.Wanted, v)
		}
	}
	return show(c, w, http.StatusOK, "approvals", frame(c, r, "Approvals", "/approvals", b))
}

// answerApproval agrees, refuses, or takes back.
func (c *Console) answerApproval(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	a := estate.Answering{About: r.PathValue("id"), Seen: r.PostForm.Get("seen"), Reason: strings.TrimSpace(r.PostForm.Get("reason"))}
	var s estate.Approval
	var err error
	switch r.PathValue("what") {
	case "approve":
		s, err = c.o.Ops.Approve(r.Context(), a)
	case "refuse":
		s, err = c.o.Ops.Refuse(r.Context(), a)
	case "take-back":
		s, err = c.o.Ops.TakeBack(r.Context(), a)
	default:
		return errNoPage
	}
	if err != nil {
		return err
	}
	if s.Request != nil && s.Request.Run != "" {
		return done(w, r, runAt(s.Request.Run))
	}
	return done(w, r, "/approvals")
}

// schedule stops the service from beginning anything by itself, or lets it go on.
func (c *Console) schedule(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	reason := strings.TrimSpace(r.PostForm.Get("reason"))
	var err error
	switch r.PathValue("what") {
	case "pause":
		err = c.o.Ops.Pause(r.Context(), reason)
	case "continue":
		err = c.o.Ops.Continue(r.Context(), reason)
	default:
		return errNoPage
	}
	if err != nil {
		return err
	}
	return done(w, r, "/calendar")
}

// asked sends somebody on whose wish waits for others to agree.
func asked(w http.ResponseWriter, r *http.Request, e *estate.Error) error {
	if e.Run != "" {
		return done(w, r, runAt(e.Run))
	}
	to := "/approvals"
	if e.Approval != nil && e.Approval.Request != nil {
		to += "#" + e.Approval.Request.ID
	}
	return done(w, r, to)
}
