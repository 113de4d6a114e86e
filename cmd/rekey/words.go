package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// told says why an operation was refused or has failed, in the words of the command
// line and with the next command, and with which exit code that ends. What stands
// against a plan is printed where the plan would be.
func (a *app) told(err error) error {
	e, ok := errors.AsType[*estate.Error](err)
	switch {
	case !ok:
		return err
	case e.Code == estate.Refused:
		return a.refused(e.Credential, e.Refusals)
	case e.Err == nil: // words are made of it; a server of another version may not have told it
		with := *e
		with.Err = errors.New(e.Error())
		e = &with
	}
	return exit{exitOf(e.Code), a.worded(e)}
}

// exitOf is the exit code of everything that an operation may end with.
func exitOf(code estate.Code) int {
	switch code {
	case estate.Stopped:
		return exitStuck
	case estate.AwaitsApproval, estate.ApprovalRefused:
		return exitWaiting
	case estate.KeysUnread:
		return exitEvidence
	case estate.RunOpen, estate.PlaceBusy, estate.Busy, estate.NotTaken, estate.NotNewest, estate.Overtaken:
		return exitLocked
	case estate.OtherWorld, estate.OtherKey, estate.MovedAway, estate.Misfit, estate.Unwired, estate.Unnamed, estate.NoCredential, estate.NoCredentials, estate.NoFormerName, estate.NotFormer,
		estate.NoConsumer, estate.NotRehearsed, estate.BadStrategy, estate.UnknownPlace, estate.OtherName, estate.NoReason, estate.PlanDecides, estate.RoleNeeded,
		estate.PlanDone, estate.Repeated, estate.OtherRequest, estate.NoRun, estate.NoneOpen, estate.SeveralOpen, estate.RunOver, estate.RehearsalGone, estate.NewerRun, estate.NotHeld, estate.NothingAsked, estate.OtherAsked, estate.AgreedAlready, estate.NotTheirs,
		estate.NoFinding, estate.FindingChanged, estate.BadUntil, estate.NotAcknowledged:
		return exitUsage
	}
	return exitFailed
}

// worded is what is said of an error.
func (a *app) worded(e *estate.Error) error {
	for _, words := range []func(*estate.Error) error{a.wordsOfAsking, a.wordsOfRuns, a.wordsOfWho, a.wordsOfApprovals, a.wordsOfFindings, a.wordsOfSeeing, a.wordsOfMachine} {
		if err := words(e); err != nil {
			return err
		}
	}
	if len(e.Advice) > 0 {
		return fmt.Errorf("%w%s", e.Err, adviceLines(e.Advice))
	}
	return e.Err
}

// wordsOfAsking: what was asked for cannot be.
func (a *app) wordsOfAsking(e *estate.Error) error {
	switch e.Code {
	case estate.NoCredential:
		if e.Run != "" {
			return e.Err
		}
		return notThere(e.Err)
	case estate.NoCredentials:
		return errors.New("rekey.yaml names no credentials yet\n  next  rekey init")
	case estate.NoFormerName:
		return fmt.Errorf("no credential has the former name %s\n  next  rekey names", e.Name)
	case estate.NotFormer:
		return fmt.Errorf("%s is not a former name: it is the present name of the credential\n  next  rekey names", e.Name)
	case estate.NoConsumer:
		return fmt.Errorf("--from wants another place that %s is given to: %s", e.Credential, strings.Join(e.Known, ", "))
	case estate.NotRehearsed:
		return fmt.Errorf("rekey.yaml does not say where %s is rehearsed; add to its procedure:\n\n    rehearse:\n      store:\n        %s\n      validate:                # a sandbox whose rules accept any valid credential\n        - url: https://sandbox.example.com/health", e.Credential, elsewhere(e.Known))
	case estate.BadStrategy:
		return a.noStrategy(e.Name)
	case estate.UnknownPlace:
		return fmt.Errorf("--despite %s: a place is written as rekey discover writes it: a vendor of rekey.yaml (%s), a colon, a name", e.Place, strings.Join(e.Known, ", "))
	case estate.NotHeld:
		return fmt.Errorf("--despite %s: the run found no holder of that name\n  next  rekey log %s", e.Place, e.Run)
	case estate.OtherName:
		return fmt.Errorf("--confirm says %s, but this is %s", e.Name, e.Credential)
	case estate.PlanDecides:
		return errors.New("the reviewed plan already decides who loses access")
	}
	return nil
}

// elsewhere is a place like that of a store (its setting and what that is), beside it.
func elsewhere(place []string) string {
	if len(place) != 2 {
		return "path: /rekey-rehearsal/"
	}
	return place[0] + ": " + place[1]
}

// wordsOfRuns: what other runs, or other processes, stand against.
func (a *app) wordsOfRuns(e *estate.Error) error {
	switch e.Code {
	case estate.RunOpen:
		back := "\n  or    rekey rollback " + e.Run
		if e.Final {
			back = ""
		}
		return fmt.Errorf("a run of %s is open\n  next  rekey resume %s%s", e.Credential, e.Run, back)
	case estate.PlaceBusy:
		return fmt.Errorf("a run of %s is open, and it changes %s too\n  next  rekey resume %s\n  or    %s", e.Credential, e.Place, e.Run, a.again("--alongside"))
	case estate.PlanDone:
		return fmt.Errorf("this plan was carried out already\n  next  rekey log %s", e.Run)
	case estate.OtherRequest:
		return errors.New("this key was used for another request\n  next  ask again with a new key")
	case estate.Repeated:
		if e.Run == "" {
			return errors.New("the same request was done already\n  next  rekey status")
		}
		return fmt.Errorf("the same request was done already: run %s\n  next  rekey log %s", e.Run, e.Run)
	case estate.NotNewest:
		return fmt.Errorf("run %s of %s was started meanwhile, so nothing was started\n  next  rekey log %s", e.Run, e.Credential, e.Run)
	case estate.Busy:
		return fmt.Errorf("another process is working on %s right now; look with: rekey status", e.Credential)
	case estate.NoRun:
		return fmt.Errorf("there is no run in the journal called %s\n  next  rekey log", e.Run)
	case estate.NoneOpen:
		return errors.New("no run is open\n  next  rekey status")
	case estate.SeveralOpen:
		var b strings.Builder
		for _, r := range e.Open {
			_, _ = fmt.Fprintf(&b, "\n  rekey resume %s   # %s, opened %s", r.Run, r.Credential, report.Ago(r.Opened, a.now()))
		}
		return fmt.Errorf("several runs are open; which one?%s", b.String())
	case estate.RunOver:
		return fmt.Errorf("run %s has ended: %s\n  next  rekey log %s", e.Run, e.Ending, e.Run)
	case estate.PastReturn:
		return fmt.Errorf("run %s is past the point of no return, so there is nothing to go back to\n  next  rekey resume %s", e.Run, e.Run)
	case estate.RehearsalGone:
		return fmt.Errorf("run %s is a rehearsal, and rekey.yaml no longer says where rehearsals take place", e.Run)
	case estate.NewerRun:
		return fmt.Errorf("run %s of %s is left to a newer version of Rekey: %w\n  live  what the run says; nothing was touched by this one: rekey log %s\n  next  see which version this is, and install the one that the others use: rekey version\n  or    where a rekey serve of that version runs, it goes on with it: rekey status", e.Run, e.Credential, e.Err, e.Run)
	case estate.Stopped:
		next := "rekey resume " + e.Run
		if e.Dir != "" {
			next = fmt.Sprintf("restore %s to its previous state, then: rekey resume %s\n  or    if that is impossible, see what is live: rekey drift %s", e.Dir, e.Run, e.Credential)
		}
		if len(e.Advice) > 0 {
			next = e.Advice[0] + "\n  then  " + next
		}
		return fmt.Errorf("%w\n  live  %s\n  next  %s", e.Err, live(e), next)
	case estate.Overtaken:
		return a.overtaken(e)
	}
	return nil
}

func live(e *estate.Error) string { return strings.Join(e.Live, "\n        ") }

// overtaken: another process has taken the run up.
func (a *app) overtaken(e *estate.Error) error {
	if e.By == nil {
		return fmt.Errorf("this process has stopped: %w; was the journal restored to an earlier state?\n  live  %s\n  next  rekey status\n  then  rekey resume %s", e.Err, live(e), e.Run)
	}
	next := "rekey status\n  or    rekey log " + e.Run
	when := report.Ago(e.By.At, a.now())
	if e.Ending != "" {
		return fmt.Errorf("another process took over run %s and ended it %s, %s; this one has stopped\n  live  %s\n  next  %s", e.Run, when, e.Ending, live(e), next)
	}
	return fmt.Errorf("another process is working on run %s: it wrote %q to the journal %s, and this one has stopped\n  live  %s\n  next  %s\n  then  once no other process works on it: rekey resume %s",
		e.Run, e.By.Kind, when, live(e), next, e.Run)
}

// wordsOfWho: who may, when, and why.
func (a *app) wordsOfWho(e *estate.Error) error {
	switch e.Code {
	case estate.NoReason:
		if e.Without {
			return fmt.Errorf("doing this without the role needs a reason, which is recorded\n  next  %s", a.again("--reason", "what happened"))
		}
		return fmt.Errorf("this is recorded with its reason\n  next  %s", a.again("--reason", "what happened"))
	case estate.NoRole:
		out := fmt.Sprintf("%v (%s)\n  live  nothing was touched", e.Err, how(*e.Who))
		for i, t := range e.Known {
			head := "  have  "
			if i > 0 {
				head = "        "
			}
			out += "\n" + head + t
		}
		if len(e.Known) == 0 {
			return errors.New(out + "\n  have  nobody\n  next  give it to a role under identity.grants, and the role to somebody under identity.roles, in " + a.fileName() + ": rekey whoami --can")
		}
		return errors.New(out + "\n  next  ask one of them, or change identity.roles in " + a.fileName())
	case estate.RoleNeeded:
		return fmt.Errorf("without the required role you may revoke in an emergency and roll back any run, but not resume a rotation\n  next  rekey rollback %s --without-role --reason \"what happened\"", e.Run)
	case estate.NotIdentified:
		if a.server != "" {
			return fmt.Errorf("%w\n  live  nothing was touched\n  next  sign in: rekey login %s\n  or    give a valid token with REKEY_TOKEN or --token-from", e.Err, a.server)
		}
		return fmt.Errorf("%w\n  live  nothing was touched\n  next  fix the token, or run without it as yourself", e.Err)
	case estate.WindowClosed:
		return fmt.Errorf("%s\n  next  wait until then\n  or    %s", report.Closed(*e.Spec, e.Opens, a.now()), a.again("--outside-window"))
	}
	return nil
}

// fileName is what the configuration is called here, or at the server that is asked; there
// it may not have been told yet.
func (a *app) fileName() string {
	if a.config == nil || a.config.File == "" {
		return "rekey.yaml"
	}
	return filepath.Base(a.config.File)
}

func how(who rotation.Who) string {
	if who.Verified {
		return "proven by " + who.How
	}
	return "self-declared: " + who.How
}

// wordsOfSeeing: what could not be seen, and could have been.
func (a *app) wordsOfSeeing(e *estate.Error) error {
	switch e.Code {
	case estate.NotSeen:
		next := "drift"
		if e.Purpose == "" || e.Purpose == sop.AfterRevoke {
			next = "check"
		}
		return fmt.Errorf("not everything could be seen, and nothing was touched:\n  %s\n  next  rekey %s %s", joinLines(e.Problems), next, e.Credential)
	case estate.RunUnseen:
		return fmt.Errorf("not everything that a run needs could be seen:\n  %s\n  next  rekey check %s", joinLines(e.Problems), e.Credential)
	case estate.Interrupted:
		return errors.New("interrupted; nothing was touched")
	case estate.Unwired:
		if len(e.Problems) == 0 {
			return e.Err
		}
		missing := ""
		for _, p := range e.Problems {
			missing += "\n  missing  " + p
		}
		return fmt.Errorf("%w%s\n  next  set them, and look at everything else that is missing: rekey doctor %s", e.Err, missing, e.Credential)
	}
	return nil
}

// wordsOfMachine: what is wrong with this machine's journal and keys.
func (a *app) wordsOfMachine(e *estate.Error) error {
	switch e.Code {
	case estate.OtherWorld:
		what := fmt.Sprintf("the journal in %s holds real runs, and %s says simulate: %s; simulated and real runs are never mixed", e.Dir, a.config.File, a.config.Simulate)
		if e.Simulated {
			what = fmt.Sprintf("the journal in %s holds simulated runs, and %s has no simulate: simulated and real runs are never mixed", e.Dir, a.config.File)
		}
		return errors.New(what + adviceLines(e.Advice))
	case estate.KeyDamaged, estate.OtherKey, estate.MovedAway, estate.NoDatabase:
		return fmt.Errorf("%w%s", e.Err, adviceLines(e.Advice))
	case estate.Unwritable:
		if e.Credential != "" {
			return fmt.Errorf("the journal cannot be written, so nothing was done: %w", e.Err)
		}
		return fmt.Errorf("the journal cannot be written: %w", e.Err)
	case estate.NoJournal:
		return fmt.Errorf("there is no journal yet in %s; the first run makes it", e.Dir)
	case estate.NotThisKey:
		return fmt.Errorf("no new key is in use: %w", a.told(e.Err))
	case estate.NoEntries:
		return errors.New("the journal is empty, so there is nothing to report; the first run begins it")
	case estate.Unsigned:
		return fmt.Errorf("without a checkpoint there is nothing to prove entries with: %w", e.Err)
	}
	return nil
}

func adviceLines(advice []string) (out string) {
	for i, line := range advice {
		out += "\n  " + []string{"next  ", "or    "}[min(i, 1)] + line
	}
	return out
}
