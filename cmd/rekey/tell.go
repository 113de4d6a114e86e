package main

import (
	"fmt"
	"os"
	"strings"

	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/screen"
)

// screen picks the view: live on a terminal, calm elsewhere, or JSON.
func (a *app) screen() (screen.Screen, *screen.JSON) {
	if a.json {
		j := screen.NewJSON(a.out, version)
		return j, j
	}
	if f, ok := file(a.err); ok && terminal(f) && os.Getenv("TERM") != "dumb" && os.Getenv("CI") == "" {
		if columns, rows := sizeOf(f)(); columns >= 40 && rows >= 10 {
			if a.drawn != nil {
				a.drawn.Store(true)
			}
			return screen.NewLive(drawing(a.err), a.style(a.err), sizeOf(f), a.now), nil
		}
	}
	return screen.NewCalm(a.err, a.style(a.err), a.now), nil
}

// tell says how the run came out, and turns that into the exit code.
func (a *app) tell(ended estate.Ended, asJSON *screen.JSON) error {
	st, others := ended.State, ended.Others
	code := exitDone
	switch {
	case st.Stuck != nil:
		code = exitStuck
	case st.Closed == nil:
		code = exitWaiting
	case st.Closed.Ending == rotation.RefusedRun:
		code = exitFailed
	case st.Closed.Ending == rotation.RolledBack:
		code = exitRolledBack
	}
	if asJSON != nil {
		out := a.resultJSON(ended, code)
		if len(others) > 0 {
			out["others"] = others
		}
		asJSON.Write(out)
	} else {
		a.print("\n%s", report.Ending(st, a.style(a.out), a.now()))
		if st.Closed == nil && st.Stuck == nil {
			why := ended.Waiting
			if ended.Detached && a.server != "" {
				why = "the run continues on the server; only the view has ended"
			} else if ended.Detached {
				why = "interrupted; everything that had begun was finished and written down"
			}
			a.print("  why    %s\n", why)
			if !st.Final {
				a.print("  or     rekey rollback %s\n", st.Run)
			}
		}
		for i, o := range others {
			head := "  also   "
			if i > 0 {
				head = "         "
			}
			a.print("%s%s\n", head, o)
		}
		if len(others) > 0 {
			a.print("  next   rekey drift %s\n  or     rekey discover %[1]s\n", st.Opened.Credential)
		}
		if ended.Calls == nil { // a worker of a service made them
			a.print("  run %s\n", st.Run)
		} else {
			a.print("  run %s, %s", st.Run, strings.TrimLeft(a.counted(ended.Calls), " "))
		}
	}
	if code == exitDone {
		return nil
	}
	return exit{code, nil}
}

func (a *app) resultJSON(ended estate.Ended, code int) map[string]any {
	st := ended.State
	out := map[string]any{"type": "result", "run": st.Run, "credential": st.Opened.Credential, "exit": code, "calls": ended.Calls, "simulated": st.Opened.Simulated}
	switch {
	case st.Stuck != nil:
		told := *st.Stuck
		told.Next = a.pasteable(told.Next)
		out["ending"], out["stuck"] = "stuck", told
	case st.Closed != nil:
		out["ending"], out["closed"] = st.Closed.Ending, st.Closed
	default:
		out["ending"], out["waiting"], out["detached"] = "waiting", ended.Waiting, ended.Detached
		out["next"] = a.pasteable("rekey resume " + st.Run)
	}
	return out
}

// counted tells the calls of an operation.
func (a *app) counted(calls map[string]int) string {
	vendors, sites, parts := 0, 0, []string{}
	for _, name := range sortedKeys(calls) {
		n := calls[name]
		if _, vendor := a.config.Vendors[name]; vendor {
			vendors += n
			parts = append(parts, fmt.Sprintf("%s %d", name, n))
		} else {
			sites += n
		}
	}
	by := ""
	if len(parts) > 0 {
		by = " (" + strings.Join(parts, ", ") + ")"
	}
	return fmt.Sprintf("  %s to vendors%s, %s of protected sites\n", count(vendors, "call"), by, count(sites, "probe"))
}
