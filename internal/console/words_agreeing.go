package console

import "rekey/internal/estate"

// wordsOfAgreeing: where others have to agree.
func (c *Console) wordsOfAgreeing(e *estate.Error) problem {
	toAll := []link{{"Approvals", "/approvals"}}
	switch e.Code {
	case estate.AwaitsApproval:
		return problem{Title: "Somebody has to agree first", Why: "Those who may approve were notified. It continues once enough of them have.", Live: []string{untouched}, Links: toAll}
	case estate.ApprovalRefused:
		p := problem{Title: "Somebody has refused this", Why: "The same is not asked again before the request would have expired.", Live: []string{untouched}, Links: toAll}
		if e.Approval != nil && e.Approval.Refusal != nil {
			p.Why = whoWords(e.Approval.Refusal.By.Name, &e.Approval.Refusal.By) + " has refused it: " + e.Approval.Refusal.Reason + ". " + p.Why
		}
		return p
	case estate.NotTaken:
		return problem{Title: "The run did not accept what you entered", Why: "The process " + e.Name + ", which asked for it, does not answer. Nothing of it was kept.", Live: []string{"Nothing was stored or changed."},
			Then: "Another process takes the run up within seconds, and its page asks again: enter it once more there.", Links: []link{toRun(e.Run)}}
	case estate.NothingAsked:
		if e.Run != "" {
			return problem{Title: "The run no longer waits for that", Why: "It was answered already, or another process has taken over the run and asks again. What you sent was not used, and none of it was kept.", Then: "Its page shows what it waits for now.", Links: []link{toRun(e.Run)}}
		}
		return problem{Title: "Nobody waits for an answer about " + e.Name, Why: "It was answered, has expired, or was taken back.", Live: []string{untouched}, Links: toAll}
	case estate.OtherAsked:
		return problem{Title: "The request has changed", Why: "What would be done is no longer what you have seen.", Live: []string{"Your answer was not taken."}, Then: "Look at it as it is now.", Links: toAll}
	case estate.NotApprover:
		p := problem{Title: "You may not agree to this", Why: "It wants the role " + e.Name + ". Those who have it:", Lines: e.Known, Live: []string{untouched}, Links: toAll}
		if len(e.Known) == 0 {
			p.Lines = []string{"Nobody has it."}
		}
		return p
	case estate.NotProven:
		return problem{Title: "It is not proven who you are", Why: "Only somebody whose identity is proven can approve, and yours is self-declared.", Live: []string{untouched}, Links: c.signIn()}
	case estate.OwnRequest:
		return problem{Title: "You have asked for this yourself", Why: "Or a token did that you have made. Somebody else has to agree.", Live: []string{untouched}, Links: toAll}
	case estate.NotFresh:
		return problem{Title: "Sign in again first", Why: "An action that cannot be undone needs a recent sign-in.", Live: []string{untouched}, Then: "You come back to where you were, to do it again."}
	case estate.AgreedAlready:
		return problem{Title: "You have agreed already", Why: "The others have to be other people.", Live: []string{untouched}, Links: toAll}
	case estate.NotTheirs:
		return problem{Title: "There is nothing of yours to take back", Why: "You have neither asked for it nor agreed.", Live: []string{untouched}, Links: toAll}
	}
	return problem{}
}
