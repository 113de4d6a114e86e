package console

import (
	"strings"
	"time"

	"rekey/internal/report"
	"rekey/internal/rotation"
)

// deed is something that a person did.
type deed struct {
	At   time.Time
	Who  string
	What string
	Why  string
}

// logLine is one line of the journal, in words.
type logLine struct {
	At    time.Time
	Text  string
	Again int       // so often it stands there again, with nothing between
	Last  time.Time // the last of these
}

// deedsOf are what people did, in order.
func deedsOf(events []rotation.Event) (out []deed) {
	for _, e := range events {
		switch {
		case e.Opened != nil:
			what := "opened it to " + doing(e.Opened.Spec.Purpose)
			for _, o := range e.Opened.Overrides {
				what += ", " + setAside(o)
			}
			out = append(out, deed{e.At, whoWords(e.Opened.Actor, e.Opened.By), what, e.Opened.Reason})
		case e.Confirmed != nil:
			if n := len(out); n > 0 && strings.HasPrefix(out[n-1].What, confirmed) {
				continue // a worker has come to what was confirmed to the service
			}
			out = append(out, deed{e.At, whoWords(e.Confirmed.Actor, e.Confirmed.By), confirmed + how(e.Confirmed.How), ""})
		case e.Asked != nil:
			out = append(out, deed{e.At, whoWords(e.Asked.Actor, e.Asked.By), askedBack, e.Asked.Reason})
		case e.Resumed != nil && e.Resumed.Worker != "":
			// A process of the service: no person has decided anything.
		case e.Resumed != nil:
			if n := len(out); n > 0 && out[n-1].What == askedBack && e.At.Sub(out[n-1].At) < time.Second {
				continue // the same wish
			}
			what := "asked for it to continue"
			if e.Resumed.Word != nil {
				what = confirmed + how(e.Resumed.Word.How)
			}
			for _, d := range e.Resumed.Despite {
				what += ", leaving " + d + " with a dead one"
			}
			out = append(out, deed{e.At, whoWords(e.Resumed.Actor, e.Resumed.By), what, e.Resumed.Reason})
		}
	}
	return out
}

// setAside says which rule a run was begun without. The journal has it as it is typed.
func setAside(override string) string {
	flag, value, _ := strings.Cut(override, " ")
	switch flag {
	case "--outside-window":
		return "outside of its windows"
	case "--alongside":
		return "beside another run that changes one of its consumers"
	case "--after-revoke":
		return "after it was revoked"
	case "--without-role":
		return "without the role that it wants"
	case "--strategy":
		return "by the strategy " + value
	case "--despite":
		return "leaving " + value + " with a dead one"
	}
	return override
}

const (
	confirmed = "confirmed what cannot be undone"
	askedBack = "asked to go back"
)

// how something was confirmed, where that is worth telling: on the command line and here
// it is by the name.
func how(said string) string {
	if said == "--confirm" || said == "" {
		return ""
	}
	return " (" + said + ")"
}

// linesOf is the whole journal of a run in words.
func linesOf(events []rotation.Event) (out []logLine) {
	titles := map[string]string{}
	for _, e := range events {
		if e.Planned != nil {
			for _, list := range [][]rotation.Step{e.Planned.Steps, e.Planned.Back} {
				for _, s := range list {
					titles[s.ID] = s.Title
				}
			}
		}
		for _, text := range report.Say(e, titles, report.Style{}) {
			if n := len(out); n > 0 && out[n-1].Text == text {
				out[n-1].Again, out[n-1].Last = out[n-1].Again+1, e.At
				continue
			}
			out = append(out, logLine{At: e.At, Text: text})
		}
	}
	return out
}
