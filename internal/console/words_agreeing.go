package console

import "rekey/internal/estate"

// wordsOfAgreeing: where others have to agree.
func (c *Console) wordsOfAgreeing(e *estate.Error) problem {
	toAll := []link{{"Approvals", "/approvals"}}
	switch e.Code {
	case estate.AwaitsApproval:
		return problem{Title: "Somebody has to agree first", Why: "Who may was asked. It goes on once enough have agreed.", Live: []string{untouched}, Links: toAll}
	case estate.ApprovalRefused:
		p := problem{Title: "Somebody has refused this", Why: "The same is not asked again before the request would have expired.", Live: []string{untouched}, Links: toAll}
		if e.Approval != nil && e.Approval.Refusal != nil {
			p.Why = whoWords(e.Approval.Refusal.By.Name, &e.Approval.Refusal.By) + " has refused it: " + e.Approval.Refusal.Reason + ". " + p.Why
		}
		return p
	case estate.NotTaken:
		return problem{Title: "The run has not taken what you handed over", Why: "The process " + e.Name + ", which asked for it, does not answer. Nothing of it was kept.", Live: []string{"Nothing was stored or changed."},
			Then: "Another process takes the run up within seconds, and its page asks again: enter it once more there.", Links: []link{toRun(e.Run)}}
	case estate.NothingAsked:
		if e.Run != "" {
			return problem{Title: "The run does not wait for that any more", Why: "It was answered already, or another process has taken the run up and asks again. What you sent was not taken, and nothing of it was kept.", Then: "See on its page what it waits for now.", Links: []link{toRun(e.Run)}}
		}
		return problem{Title: "Nobody waits for an answer about " + e.Name, Why: "It was answered, has expired, or was taken back.", Live: []string{untouched}, Links: toAll}
	case estate.OtherAsked:
		return problem{Title: "Something else is asked by now", Why: "What you have seen is not what would be done any more.", Live: []string{"Your answer was not taken."}, Then: "Look at it as it is now.", Links: toAll}
	case estate.NotApprover:
		p := problem{Title: "You may not agree to this", Why: "It wants the role " + e.Name + ". Those who have it:", Lines: e.Known, Live: []string{untouched}, Links: toAll}
		if len(e.Known) == 0 {
			p.Lines = []string{"Nobody has it."}
		}
		return p
	case estate.NotProven:
		return problem{Title: "It is not proven who you are", Why: "For an agreement a sign-in counts that could be proven, and yours only says so.", Live: []string{untouched}, Links: c.signIn()}
	case estate.OwnRequest:
		return problem{Title: "You have asked for this yourself", Why: "Or a token did that you have made. Somebody else has to agree.", Live: []string{untouched}, Links: toAll}
	case estate.NotFresh:
		return problem{Title: "Sign in again first", Why: "What cannot be undone wants a sign-in that is not old.", Live: []string{untouched}, Then: "You come back to where you were, to do it again."}
	case estate.AgreedAlready:
		return problem{Title: "You have agreed already", Why: "The others have to be other people.", Live: []string{untouched}, Links: toAll}
	case estate.NotTheirs:
		return problem{Title: "There is nothing of yours to take back", Why: "You have neither asked for it nor agreed.", Live: []string{untouched}, Links: toAll}
	}
	return problem{}
}
