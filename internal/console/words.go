package console

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/visible"
)

// problem is what stopped a request: what failed, why, what is live now, and what can be
// done next.
type problem struct {
	Title    string
	Why      string
	Lines    []string // more of why, one each
	Refusals []rotation.Refusal
	Live     []string
	Then     string // what a person has to do where no page does it
	Links    []link
}

const untouched = "Nothing was touched."

// failed tells an error as a page.
func (c *Console) failed(w http.ResponseWriter, r *http.Request, err error) {
	var tooLarge *http.MaxBytesError
	var unread unreadPlan
	e, coded := errors.AsType[*estate.Error](err)
	switch {
	case errors.Is(err, errNoPage):
		c.fail(w, r, http.StatusNotFound, problem{Title: "There is no such page", Why: "There is no page at this address; it may be from another version of this console.", Links: []link{{"Back to the estate", "/"}}})
	case errors.As(err, &tooLarge):
		c.fail(w, r, http.StatusRequestEntityTooLarge, problem{Title: "The form is too large", Why: "It is larger than any form of this console.", Live: []string{untouched}, Links: []link{{"Back to the estate", "/"}}})
	case errors.As(err, &unread):
		c.fail(w, r, http.StatusUnprocessableEntity, problem{Title: "The plan cannot be read", Why: "The form carries another plan than the one this page showed, so it is unknown what you have seen.", Live: []string{"Nothing was begun."}, Then: "Plan again, then start that.", Links: []link{{"Plan again", credentialAt(unread.credential) + "/plan"}}})
	case coded:
		p := c.worded(e)
		switch e.Code {
		case estate.NotFresh:
			p.Links = c.signInAgain(cameFrom(r))
		case estate.PlaceBusy:
			p.Links = append(p.Links, link{"Plan again", cameFrom(r)})
		}
		status := statusOf(e.Code)
		if status >= http.StatusInternalServerError {
			c.o.Log.ErrorContext(r.Context(), "console: an operation failed", "path", r.URL.Path, "code", string(e.Code), "error", e.Error())
		}
		c.fail(w, r, status, p)
	default:
		c.o.Log.ErrorContext(r.Context(), "console: a page failed", "path", r.URL.Path, "error", err.Error())
		c.fail(w, r, http.StatusInternalServerError, problem{Title: "This page could not be made", Why: "The server's log says why.", Links: []link{{"Back to the estate", "/"}, {"Health", "/health"}}})
	}
}

func (c *Console) fail(w http.ResponseWriter, r *http.Request, status int, p problem) {
	if err := show(c, w, status, "problem", frame(c, r, p.Title, "", p)); err != nil {
		c.o.Log.ErrorContext(r.Context(), "console: the page of an error failed", "error", err.Error())
		http.Error(w, p.Title, http.StatusInternalServerError)
	}
}

// statusOf is the HTTP status of everything that an operation may end with.
func statusOf(code estate.Code) int {
	switch code {
	case estate.NoCredential, estate.NoRun, estate.NoFormerName, estate.NotFormer, estate.NoFinding:
		return http.StatusNotFound
	case estate.NoRole, estate.RoleNeeded, estate.NotApprover, estate.NotProven, estate.OwnRequest, estate.NotFresh, estate.NotTheirs:
		return http.StatusForbidden
	case estate.NotIdentified:
		return http.StatusUnauthorized
	case estate.RunOpen, estate.PlaceBusy, estate.Busy, estate.Overtaken, estate.PlanDone, estate.Repeated, estate.OtherRequest, estate.NotNewest, estate.PlanDecides, estate.RunOver, estate.PastReturn, estate.RehearsalGone, estate.NewerRun, estate.WindowClosed, estate.Refused, estate.NoneOpen, estate.SeveralOpen,
		estate.AwaitsApproval, estate.ApprovalRefused, estate.NothingAsked, estate.NotTaken, estate.OtherAsked, estate.AgreedAlready, estate.FindingChanged, estate.NotAcknowledged:
		return http.StatusConflict
	case estate.Failed, estate.OtherWorld, estate.KeyDamaged, estate.Misfit, estate.Unwritable, estate.Stopped:
		return http.StatusInternalServerError
	case estate.OtherKey, estate.MovedAway, estate.NoDatabase, estate.NotSeen, estate.RunUnseen, estate.Unwired, estate.Interrupted, estate.KeysUnread, estate.NotThisKey:
		return http.StatusServiceUnavailable
	}
	return http.StatusUnprocessableEntity
}

// worded says what an error is made of.
func (c *Console) worded(e *estate.Error) problem {
	e = visible.Copy(e)
	for _, words := range []func(*estate.Error) problem{c.wordsOfAsking, c.wordsOfFindings, c.wordsOfAgreeing, c.wordsOfRuns, c.wordsOfWho, c.wordsOfSeeing, c.wordsOfMachine} {
		if p := words(e); p.Title != "" {
			return p
		}
	}
	p := problem{Title: "The operation failed", Why: errText(e), Links: []link{{"Health", "/health"}}}
	if e.Credential != "" {
		p.Links = append([]link{toCredential(e.Credential)}, p.Links...)
	}
	return p
}

// errText is the text of an error below, in one line.
func errText(e *estate.Error) string {
	if e.Err == nil {
		return e.Error()
	}
	text, _, _ := strings.Cut(e.Err.Error(), "\n")
	return visible.Text(text)
}

func toCredential(name string) link { return link{name, credentialAt(name)} }
func toRun(id string) link          { return link{"Run " + id, runAt(id)} }

// wordsOfAsking: what was asked for cannot be.
func (c *Console) wordsOfAsking(e *estate.Error) problem {
	switch e.Code {
	case estate.NoCredential:
		return problem{Title: "There is no such credential", Why: errText(e), Then: "Credentials are what " + c.o.File + " names.", Links: []link{{"All credentials", "/"}}}
	case estate.NoCredentials:
		return problem{Title: "There are no credentials yet", Why: c.o.File + " names none.", Then: "rekey init", Links: []link{{"Estate", "/"}}}
	case estate.NoFormerName, estate.NotFormer:
		return problem{Title: e.Name + " is not a former name", Why: "No credential of " + c.o.File + " was called so before.", Links: []link{{"All credentials", "/"}}}
	case estate.NoConsumer:
		return problem{Title: "That is no consumer of " + e.Credential, Why: e.Place + " is not among them.", Lines: e.Known, Live: []string{untouched}, Links: []link{toCredential(e.Credential)}}
	case estate.NotRehearsed:
		return problem{Title: e.Credential + " has nowhere to rehearse", Why: c.o.File + " does not say where its procedure is practised.", Then: "Add rehearse: with a folder of the store to the procedure.", Links: []link{toCredential(e.Credential)}}
	case estate.BadStrategy:
		return problem{Title: "There is no strategy " + e.Name, Why: "A credential is replaced (replace) or given another secret in place (roll).", Live: []string{untouched}}
	case estate.UnknownPlace:
		return problem{Title: e.Place + " is not a place", Why: "A place is a vendor of " + c.o.File + ", a colon, and a name. The vendors are:", Lines: e.Known, Live: []string{untouched}}
	case estate.NotHeld:
		return problem{Title: e.Place + " does not hold it", Why: "The run found no holder of that name.", Live: []string{untouched}, Links: []link{toRun(e.Run)}}
	case estate.OtherName:
		return problem{Title: "The name does not match", Why: fmt.Sprintf("You typed %s, and this is %s. Nothing goes on until the two are the same.", e.Name, e.Credential), Live: []string{untouched}}
	case estate.PlanDecides:
		return problem{Title: "The plan decides that already", Why: "A reviewed plan says who may be left without a working credential.", Live: []string{untouched}}
	}
	return problem{}
}

// wordsOfRuns: what other runs, or other processes, stand against.
func (c *Console) wordsOfRuns(e *estate.Error) problem {
	switch e.Code {
	case estate.RunOpen:
		return problem{Title: "A run of " + e.Credential + " is open already", Why: "One credential has one run at a time. Finish that one, or take it back.", Live: []string{"Nothing was begun."}, Links: []link{toRun(e.Run)}}
	case estate.PlaceBusy:
		return problem{Title: "Another run is changing " + e.Place, Why: fmt.Sprintf("The run of %s restarts the same consumer. Two restarts at once could not be told apart if one of them broke.", e.Credential), Live: []string{"Nothing was begun."}, Then: "Wait until that run is over. Or plan again, and set that rule aside there, which is recorded.", Links: []link{toRun(e.Run)}}
	case estate.PlanDone:
		return problem{Title: "This plan was carried out already", Why: "A plan is of one run.", Live: []string{"Nothing was begun."}, Links: []link{toRun(e.Run)}}
	case estate.OtherRequest:
		return problem{Title: "This form was sent before, with something else in it", Why: "The earlier request was carried out.", Live: []string{"Nothing more was begun."}, Then: "Reload the page, and send it from there."}
	case estate.Repeated:
		return problem{Title: "This was asked for already", Why: "The same request has opened a run.", Live: []string{"Nothing more was begun."}, Links: []link{toRun(e.Run)}}
	case estate.NotNewest:
		return problem{Title: "A run was begun meanwhile", Why: "Since you loaded the page, another run of " + e.Credential + " was begun.", Live: []string{"Nothing more was begun."}, Links: []link{toRun(e.Run)}}
	case estate.Busy:
		return problem{Title: "Another process is working on " + e.Credential, Why: "It holds the credential's lock right now.", Live: []string{untouched}, Then: "Try again in a moment.", Links: []link{toCredential(e.Credential)}}
	case estate.NoRun:
		return problem{Title: "There is no run " + e.Run, Why: "The journal knows none of that id.", Links: []link{{"All runs", "/runs"}}}
	case estate.NoneOpen:
		return problem{Title: "No run is open", Why: "There is nothing to continue.", Links: []link{{"All runs", "/runs"}}}
	case estate.SeveralOpen:
		p := problem{Title: "Several runs are open", Why: "Choose the one that you mean."}
		for _, r := range e.Open {
			p.Links = append(p.Links, link{r.Run + ": " + r.Credential, runAt(r.Run)})
		}
		return p
	case estate.RunOver:
		return problem{Title: "Run " + e.Run + " is over", Why: "It ended as " + string(e.Ending) + ".", Live: []string{untouched}, Links: []link{toRun(e.Run)}}
	case estate.PastReturn:
		return problem{Title: "A rollback is no longer possible", Why: "The run is past the point of no return, so there is nothing to go back to.", Live: []string{"The run can only go on."}, Links: []link{toRun(e.Run)}}
	case estate.RehearsalGone:
		return problem{Title: "The rehearsal cannot go on", Why: c.o.File + " does not say any more where run " + e.Run + " is rehearsed.", Links: []link{toRun(e.Run)}}
	case estate.NewerRun:
		return problem{Title: "The run is left to a newer version of Rekey", Why: errText(e), Live: []string{untouched}, Then: "A process of the newer version goes on with it. Install that version here, too.", Links: []link{toRun(e.Run)}}
	case estate.Stopped:
		return problem{Title: "The run has stopped", Why: errText(e), Live: e.Live, Then: stoppedThen(e), Links: []link{toRun(e.Run), toCredential(e.Credential)}}
	case estate.Overtaken:
		return problem{Title: "Another process has taken over the run", Why: "This process has stopped, so that only one works on the run.", Live: e.Live, Links: []link{toRun(e.Run)}}
	}
	return problem{}
}

func stoppedThen(e *estate.Error) string {
	if e.Dir != "" {
		return "Put " + e.Dir + " back as it was, then resume the run."
	}
	return "Fix what is named above, then resume the run."
}

// wordsOfWho: who may, when, and why.
func (c *Console) wordsOfWho(e *estate.Error) problem {
	switch e.Code {
	case estate.NoReason:
		if e.Without {
			return problem{Title: "A reason is required", Why: "Doing this without the role needs a reason, which is recorded.", Live: []string{untouched}}
		}
		return problem{Title: "A reason is required", Why: "This is recorded with its reason.", Live: []string{untouched}}
	case estate.NoRole:
		p := problem{Title: "You may not do this", Why: errText(e), Live: []string{untouched}, Then: "Have one of them do it, or change identity.roles in " + c.o.File + ".", Lines: e.Known}
		if e.Who != nil {
			p.Why += " You are " + e.Who.String() + "."
		}
		if len(e.Known) == 0 {
			p.Lines = []string{"Nobody has the role."}
		}
		return p
	case estate.RoleNeeded:
		return problem{Title: "Without the role this run can only go back", Why: "Without it you may revoke in an emergency and roll back any run, but not resume a rotation.", Links: []link{{"Go back", runAt(e.Run) + "/back"}}}
	case estate.NotIdentified:
		return problem{Title: "It is not known who you are", Why: errText(e), Live: []string{untouched}, Links: c.signIn()}
	case estate.WindowClosed:
		return problem{Title: "No window is open", Why: report.Closed(*e.Spec, e.Opens, c.o.Now()), Live: []string{"Nothing was begun."}, Then: "Wait until then, or start it outside of its windows, which is recorded.", Links: []link{{"Plan", credentialAt(e.Credential) + "/plan"}}}
	}
	return problem{}
}

// wordsOfSeeing: what could not be seen, and could have been.
func (c *Console) wordsOfSeeing(e *estate.Error) problem {
	switch e.Code {
	case estate.NotSeen, estate.RunUnseen:
		return problem{Title: "Not everything could be seen", Why: "A run looks at everything before it begins. This could not be looked at:", Lines: e.Problems, Live: []string{untouched}, Then: "Fix it, then plan again.", Links: []link{toCredential(e.Credential)}}
	case estate.Refused:
		return problem{Title: "A run of " + e.Credential + " would be refused", Why: "Everything was looked at, and this stands against it:", Refusals: e.Refusals, Live: []string{untouched}, Links: []link{{"Plan again", credentialAt(e.Credential) + "/plan"}, toCredential(e.Credential)}}
	case estate.Interrupted:
		return problem{Title: "It was interrupted", Why: "The server is stopping, or the connection was closed.", Live: []string{untouched}}
	case estate.Unwired:
		return problem{Title: "A vendor cannot be reached as configured", Why: errText(e), Lines: e.Problems, Live: []string{untouched}, Then: "Set them where the server runs: rekey doctor " + e.Credential, Links: []link{toCredential(e.Credential)}}
	}
	return problem{}
}

// wordsOfMachine: what is wrong with the service's journal and keys.
func (c *Console) wordsOfMachine(e *estate.Error) problem {
	switch e.Code {
	case estate.OtherWorld:
		return problem{Title: "The journal is of another world", Why: "Simulated and real runs are never mixed.", Lines: e.Advice}
	case estate.KeyDamaged:
		return problem{Title: "The key of the fingerprints is damaged", Why: errText(e), Lines: e.Advice}
	case estate.OtherKey:
		return problem{Title: "The server does not have the journal's fingerprint key", Why: errText(e), Live: []string{untouched}, Lines: e.Advice}
	case estate.MovedAway:
		return problem{Title: "The journal is kept elsewhere", Why: errText(e), Live: []string{untouched}, Lines: e.Advice}
	case estate.NoDatabase:
		return problem{Title: "The journal's database cannot be used", Why: errText(e), Live: []string{untouched}, Lines: e.Advice, Links: []link{{"Health", "/health"}}}
	case estate.Unwritable:
		return problem{Title: "The journal cannot be written", Why: errText(e), Live: []string{"Nothing was done: what cannot be recorded is not begun."}, Links: []link{{"Health", "/health"}}}
	case estate.NoJournal:
		return problem{Title: "There is no journal yet", Why: "The first run, or the first check, makes it.", Links: []link{{"Estate", "/"}}}
	case estate.Misfit:
		return problem{Title: c.o.File + " and its vendors do not go together", Why: errText(e), Live: []string{untouched}}
	case estate.NotThisKey:
		return problem{Title: "No new key is in use", Why: errText(e)}
	case estate.KeysUnread:
		return problem{Title: "The public keys cannot be read", Why: errText(e), Links: []link{{"Evidence", "/evidence"}}}
	case estate.NoEntries:
		return problem{Title: "There is nothing to report yet", Why: "The journal is empty; the first run begins it.", Links: []link{{"Estate", "/"}}}
	case estate.Unsigned:
		return problem{Title: "There is no checkpoint", Why: "Without one there is nothing to prove entries with: " + errText(e), Links: []link{{"Health", "/health"}}}
	case estate.Unnamed:
		return problem{Title: "Nobody knows " + e.Credential, Why: "Neither " + c.o.File + " nor the journal has it.", Links: []link{{"Evidence", "/evidence"}}}
	}
	return problem{}
}
