package console

import (
	"bytes"
	"net/http"
	"strings"

	"rekey/internal/estate"
	"rekey/internal/visible"
)

// byHand is what a run asks a person to do.
type byHand struct {
	Run, Shown  string
	Title, Want string
	Asked       *estate.AskedByHand
}

// byHandTitles tell what is wanted, before the address of the page where it is done.
var byHandTitles = map[estate.Want]string{
	estate.WantLook: "Look which credentials are live, at", estate.WantMake: "Make a new credential, at", estate.WantEnd: "End the old credential, at",
	estate.WantListed: "Look whether it is listed, at", estate.WantWhich: "Find out which is in use, at",
}

// byHandOf is what a run that is not over asks; nil: nothing of it is done by hand.
func (c *Console) byHandOf(r *http.Request, b runBody) (*byHand, error) {
	if c.o.ByHand == nil || b.Over || b.Opened == nil || !c.o.ByHand(b.Opened.Spec.Issuer.Vendor) {
		return nil, nil
	}
	asked, err := c.o.Asked(r.Context(), b.Run)
	if err != nil {
		return nil, err
	}
	v := &byHand{Run: b.Run, Asked: asked, Shown: "none"}
	if asked != nil {
		v.Shown, v.Title, v.Want = asked.ID, byHandTitles[asked.Task.Want], string(asked.Task.Want)
	}
	return v, nil
}

// byHandPart is that part of the run's page, which asks for it now and then: what is asked
// stands beside the journal, whose entries tell nobody of it.
func (c *Console) byHandPart(w http.ResponseWriter, r *http.Request) error {
	b, err := c.runNow(r)
	if err != nil {
		return err
	}
	v, err := c.byHandOf(r, b)
	if err != nil {
		return err
	}
	if v != nil && v.Shown == r.URL.Query().Get("shown") {
		w.WriteHeader(http.StatusNoContent) // what is there stays, with what somebody types
		return nil
	}
	if v == nil { // over: nothing is asked any more
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, err = w.Write([]byte(`<div id="by-hand"></div>`))
		return err
	}
	var out bytes.Buffer
	if err := c.pages["run"].ExecuteTemplate(&out, "byhand", visible.Copy(v)); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, err = w.Write(out.Bytes())
	return err
}

// largestByHand is more than any value that a portal shows, a private key included.
const largestByHand = 64 << 10

// handOver takes what somebody answers to the run that waits for it in this process. The
// body is read once, and neither logged nor kept.
func (c *Console) handOver(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, largestByHand)
	if err := r.ParseForm(); err != nil {
		return err
	}
	defer func() { r.Form, r.PostForm = nil, nil }()
	run := r.PathValue("run")
	asked, err := c.o.Asked(r.Context(), run)
	if err != nil {
		return err
	}
	if asked == nil || asked.ID != r.PostForm.Get("id") {
		return &estate.Error{Code: estate.NothingAsked, Run: run, Name: run}
	}
	answer := estate.Answer{Yes: r.PostForm.Get("done") == "yes"}
	switch asked.Task.Want {
	case estate.WantMake:
		if !answer.Yes {
			break
		}
		typed := map[string]string{}
		for _, f := range asked.Task.Fields {
			typed[f] = strings.TrimSpace(r.PostForm.Get("field-" + f))
			if typed[f] == "" {
				c.fail(w, r, http.StatusUnprocessableEntity, problem{Title: "Nothing was entered for " + f, Why: "The run still waits for it.", Live: []string{untouched}, Links: []link{toRun(run)}})
				return nil
			}
		}
		answer = estate.Typed(typed)
	case estate.WantLook, estate.WantWhich:
		if !answer.Yes {
			break
		}
		for _, names := range r.PostForm["names"] {
			for n := range strings.SplitSeq(names, ",") {
				if n = strings.TrimSpace(n); n != "" {
					answer.Names = append(answer.Names, n)
				}
			}
		}
	}
	if err := c.o.HandOver(r.Context(), run, asked.ID, answer); err != nil {
		return err
	}
	return done(w, r, runAt(run))
}
