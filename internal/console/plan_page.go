package console

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"rekey/internal/approvals"
	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

type planBody struct {
	Credential string
	Purpose    sop.Purpose
	Doing      string
	Title      string
	Plan       *rotation.Plan
	Strategy   string
	Without    []string
	Emergency  bool
	Asking     string // for what it stops before anything is taken from the old one
	Steps      []planStep
	Changes    []changeGroup
	Overlap    string
	Back       []string
	Reviewed   string // the plan itself, so that exactly this one is started
	Opens      time.Time
	Closed     string // why it may not start now: no window is open
	Calls      int
	Target     string
	Despite    []string
	Seen       []field // what somebody has seen by hand for it
	Made       time.Time
	Others     []string // purposes
}

type planStep struct {
	N           int
	Title, Call string
	Change      string
	Effect      bool
	After       time.Duration
	Asks, Final bool
	Proven      bool // everything before was proven
}

type changeGroup struct {
	Where string
	Rows  [][]string // what, how, remark
}

// purposes that a form may ask for.
var purposes = []sop.Purpose{"", sop.AfterRevoke, sop.ToRevoke, sop.ToDelete, sop.ToRehearse, sop.ToRepair}

func wishOf(r *http.Request, q url.Values) (estate.Wish, error) {
	w := estate.Wish{Credential: r.PathValue("name"), Purpose: sop.Purpose(q.Get("purpose")), Target: q.Get("target"), Strategy: q.Get("strategy"), Despite: q["despite"], ByHand: seenIn(q)}
	if !slices.Contains(purposes, w.Purpose) {
		return w, errNoPage
	}
	return w, nil
}

// planPage tells what a run would do, having looked; its form starts exactly that.
func (c *Console) planPage(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	wish, err := wishOf(r, q)
	if err != nil {
		return err
	}
	planned, err := c.o.Ops.Plan(r.Context(), wish)
	if asks := asksOf(err); asks != nil {
		return c.askPage(w, r, askBody{Credential: wish.Credential, For: "plan what it would do", Task: asks, Method: "get", To: credentialAt(wish.Credential) + "/plan", Hidden: hidden(q)})
	}
	if err != nil {
		return err
	}
	b, err := planOf(wish, planned, c.o.Now())
	if err != nil {
		return err
	}
	return show(c, w, http.StatusOK, "plan", frame(c, r, b.Title, "/", b))
}

func planOf(wish estate.Wish, planned estate.Planned, now time.Time) (planBody, error) {
	p := planned.Plan
	b := planBody{
		Credential: p.Spec.Name, Purpose: wish.Purpose, Doing: doing(wish.Purpose), Plan: p, Strategy: report.StrategyWords(p.Strategy), Target: wish.Target, Despite: wish.Despite, Seen: hiddenSeen(wish.ByHand), Made: now,
		Emergency: wish.Purpose == sop.ToRevoke || wish.Purpose == sop.ToDelete,
	}
	b.Title = "Plan: " + b.Doing + " " + b.Credential
	for _, n := range planned.Calls {
		b.Calls += n
	}
	b.Steps, b.Asking = planSteps(p), askingWords(p.Spec)
	switch {
	case b.Emergency:
		b.Without, b.Strategy = planned.Without, "ends at once, whoever still uses it"
	case wish.Purpose == sop.ToRehearse:
		b.Strategy = "practise the whole procedure on a throwaway credential"
	case wish.Purpose == sop.ToRepair:
		b.Strategy = "give every place that has drifted what the source holds"
	default:
		for _, row := range report.Changes(p) {
			if n := len(b.Changes); n == 0 || b.Changes[n-1].Where != row[0] {
				b.Changes = append(b.Changes, changeGroup{Where: row[0]})
			}
			g := &b.Changes[len(b.Changes)-1]
			g.Rows = append(g.Rows, row[1:])
		}
		b.Overlap, b.Back = report.Overlap(p), report.GoingBack(p)
		if wish.Purpose != "" {
			break // only a rotation is started by its plan
		}
		var err error
		if b.Reviewed, err = packPlan(p); err != nil {
			return b, err
		}
	}
	if wish.Purpose == "" && !sop.Open(p.Spec.Windows, now) {
		b.Opens = sop.NextOpen(p.Spec.Windows, now)
		b.Closed = report.Closed(p.Spec, b.Opens, now)
	}
	return b, nil
}

// askingWords are for what a run stops before anything is taken from the old credential.
func askingWords(spec sop.Spec) string {
	if !approvals.Wanted(spec, approvals.Retiring) {
		return "asks for the typed name"
	}
	if spec.Approvals.HowMany == 1 {
		return "waits until somebody has agreed"
	}
	return "waits until " + count(spec.Approvals.HowMany, "person") + " have agreed"
}

func planSteps(p *rotation.Plan) (out []planStep) {
	asked, proven := false, false
	for _, s := range p.Steps {
		if s.Strays || s.Recurs {
			continue
		}
		x := planStep{N: len(out) + 1, Title: s.Title, Call: s.Call, Change: s.Change, Effect: s.Verb.Effect(), Asks: s.Ask && !asked, Final: s.Final, Proven: proven}
		if s.Long == 0 {
			x.After = s.After
		}
		asked = asked || s.Ask
		proven = proven || s.Verb == rotation.Validate || s.Verb == rotation.Settle || s.Verb == rotation.Check
		out = append(out, x)
	}
	return out
}

// begin opens a run of a plan that was looked at, or of a wish.
func (c *Console) begin(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	f := r.PostForm
	wish, err := wishOf(r, f)
	if err != nil {
		return err
	}
	o := estate.Opening{Wish: wish, Reason: strings.TrimSpace(f.Get("reason")), Ticket: strings.TrimSpace(f.Get("ticket")), Confirm: strings.TrimSpace(f.Get("confirm")),
		Outside: f.Has("outside_window"), Alongside: f.Has("alongside"), Without: f.Has("without_role")}
	if o.Purpose == sop.ToRevoke || o.Purpose == sop.ToDelete {
		if o.Confirm == "" {
			o.Confirm = "nothing" // an emergency is begun by typing the name
		}
	}
	if text := f.Get("plan"); text != "" {
		if o.Reviewed, err = unpackPlan(text); err != nil {
			return unreadPlan{wish.Credential, err}
		}
		o.Despite, o.Strategy = nil, "" // the plan has them
	}
	ctx := r.Context()
	if form := f.Get("request"); form != "" {
		ctx = estate.Asking(ctx, &estate.Request{Key: "console " + c.caller(r) + " " + form, What: "begin " + wish.Credential})
	}
	run, err := c.o.Ops.Begin(ctx, o)
	if e, coded := errors.AsType[*estate.Error](err); coded {
		switch e.Code {
		case estate.Repeated:
			return done(w, r, runAt(e.Run)) // the form was sent twice
		case estate.AwaitsApproval:
			return asked(w, r, e)
		}
	}
	if err != nil {
		return err
	}
	return done(w, r, runAt(run))
}

// caller names who asks; "": nobody is known.
func (c *Console) caller(r *http.Request) string {
	if c.o.Who == nil {
		return ""
	}
	who, _ := c.o.Who(r)
	return who.Name
}

// packPlan writes a plan into a field of a form: the server keeps nothing, and any of
// several can start it. It has no secret in it, and its digest is checked.
func packPlan(p *rotation.Plan) (string, error) {
	b, err := p.File()
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err = z.Write(b)
	if err == nil {
		err = z.Close()
	}
	return base64.StdEncoding.EncodeToString(out.Bytes()), err
}

// largestPlan is more than any has; what unpacks to more is none.
const largestPlan = 16 << 20

func unpackPlan(text string) (*rotation.Plan, error) {
	packed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(z, largestPlan+1))
	if err != nil {
		return nil, err
	}
	if len(b) > largestPlan {
		return nil, fmt.Errorf("the plan has more than %d bytes", largestPlan)
	}
	return rotation.ParsePlan("the plan", b)
}

// unreadPlan is a form whose plan is not what this console wrote.
type unreadPlan struct {
	credential string
	err        error
}

func (e unreadPlan) Error() string { return "read the plan of " + e.credential + ": " + e.err.Error() }
func (e unreadPlan) Unwrap() error { return e.err }

// commandOf is the command line's word for a purpose.
func commandOf(p sop.Purpose) string {
	switch p {
	case sop.ToRepair:
		return "repair"
	case sop.ToRehearse:
		return "rehearse"
	}
	return "run"
}
