package clients

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

const app = "raxx-console-prod"

func TestHerokuConfigAndReleases(t *testing.T) {
	t.Parallel()
	w := serve(t)
	h := herokuCLI(t, w)
	h.does(t, words("config:set A=1 B=id:with=signs -a "+app), "done, v42", "A: 1", "B: id:with=signs")
	if last := newest(w.look(t)); last.Version != 42 || last.Vars["B"] != "id:with=signs" || last.Vars["WEB_CONCURRENCY"] != "2" {
		t.Errorf("two names in one command: v%d is the newest, with %d vars", last.Version, len(last.Vars))
	}
	if out := h.does(t, words("config:get B -a "+app)); !strings.Contains(out, "id:with=signs\n") {
		t.Errorf("config:get B: %s", out)
	}
	h.does(t, words("config:get MISSING -j -a "+app), `"value": null`)

	var listed []struct {
		Version int
		Status  string
		Current bool
	}
	_, out := h.run(t, words("releases --json -a "+app)...)
	if err := json.Unmarshal([]byte(out[strings.Index(out, "["):]), &listed); err != nil {
		t.Fatalf("releases --json: %v\n%s", err, out)
	}
	if len(listed) != 2 || listed[0].Version != 42 || !listed[0].Current || listed[0].Status != "succeeded" {
		t.Errorf("releases: %+v", listed)
	}
	h.does(t, words("ps -a "+app), "web.1: up", "web.2: up", "worker.1: up")
	h.does(t, words("ps:wait -a "+app))
	h.does(t, words("releases:rollback v41 -a "+app), "done, v43", "Rollback affects code and config vars")
	if vars := newest(w.look(t)).Vars; vars["A"] != "" {
		t.Error("the rollback kept what was set after the release that it went back to")
	}
	code, out := h.run(t, words("releases:rollback v99 -a "+app)...)
	wants(t, "rollback to a release that is not there", code, 2, out, "not_found")

	// A release command that is still running: done all the same, with the vendor's
	// warning, and the value is not there yet (docs/vendors/heroku.md).
	w.turn(t, `{"world":{"release":"pending"}}`)
	h.does(t, words("config:set C=3 -a "+app), "done, v44", "not be available until the command succeeds")
	h.does(t, words("releases -a "+app), "Current: v43", "Set C config vars release command executing", "Rollback to v41")
}

func TestHerokuAuthorizations(t *testing.T) {
	t.Parallel()
	w := serve(t)
	h := herokuCLI(t, w)
	var made struct {
		ID          string
		Scope       []string
		AccessToken struct{ Token string } `json:"access_token"`
	}
	out := h.does(t, words("authorizations:create -d deploy -s read-protected,write-protected -j"))
	if err := json.Unmarshal([]byte(out[strings.Index(out, "{\n"):]), &made); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if len(made.Scope) != 2 || !strings.HasPrefix(made.AccessToken.Token, "HRKU-") {
		t.Fatalf("made: %+v", made)
	}
	if out := h.does(t, words("authorizations -j"), made.ID); strings.Contains(out, made.AccessToken.Token) {
		t.Error("the list shows a whole token")
	}
	theirs := *h
	theirs.env = append(slices.Clone(h.env), "HEROKU_API_KEY="+made.AccessToken.Token)
	theirs.does(t, words("config:get WEB_CONCURRENCY -a "+app), "2")
	h.does(t, []string{"authorizations:revoke", made.ID}, "revoked authorization from deploy")
	code, out := theirs.run(t, words("config:get WEB_CONCURRENCY -a "+app)...)
	wants(t, "with a revoked token", code, 1, out, "The token provided to HEROKU_API_KEY is invalid")
}

// TestHerokuRefusals: what the CLI makes of the vendor's refusals.
func TestHerokuRefusals(t *testing.T) {
	t.Parallel()
	w := serve(t)
	h := herokuCLI(t, w)
	set := words("config:set A=1 -a " + app)
	const at = `{"faults":[{"vendor":"heroku","endpoint":"PATCH",`

	w.turn(t, at+`"status":429}]}`)
	code, out := h.run(t, set...)
	wants(t, "429", code, 2, out, "reached the API rate limit", "rate_limit")
	w.turn(t, at+`"status":403,"id":"two_factor"}]}`)
	code, out = h.run(t, set...)
	wants(t, "two_factor", code, 1, out, "Two-factor")
	w.turn(t, at+`"status":503}]}`)
	if code, out = h.run(t, set...); code != 2 {
		t.Errorf("503: exit %d\n%s", code, out)
	}
	code, out = h.run(t, words("config:get A -a nobody-has-this")...)
	wants(t, "an app that is not there", code, 2, out, "Couldn't find that app")
	if v := newest(w.look(t)).Version; v != 41 {
		t.Errorf("v%d is the newest after refusals only", v)
	}

	// An answer that is lost is asked for again: two releases and two restarts for
	// one command, which says v43 and exit 0 (docs/vendors/heroku.md).
	w.turn(t, at+`"cut":true,"applied":true}]}`)
	h.does(t, set, "done, v43")
	if v := newest(w.look(t)).Version; v != 43 {
		t.Errorf("v%d is the newest after one command whose first answer was lost, not v43", v)
	}
}

// TestRekeySeesTheHerokuCLI: what a person does with the CLI is found by rekey, and
// what rekey does is seen by the CLI.
func TestRekeySeesTheHerokuCLI(t *testing.T) {
	t.Parallel()
	w := serve(t)
	h, dir := herokuCLI(t, w), w.folder(t)
	const name, former = "CF_ACCESS_SVC_CONSOLE", "CF_ACCESS_SERVICE_TOKEN_CONSOLE"
	code, out := rekey(t, dir, "drift")
	wants(t, "before anything", code, 0, out, "agree")

	before := newest(w.look(t)).Vars[name]
	h.does(t, []string{"config:set", name + "=by-hand", "-a", app}, "done, v42")
	code, out = rekey(t, dir, "drift", name, "--json")
	wants(t, "one of the names set by hand, as the written procedure's first command", code, 6, out, `"names-differ"`)
	h.does(t, []string{"config:set", former + "=by-hand", "-a", app}, "done, v43")
	code, out = rekey(t, dir, "drift", name, "--json")
	wants(t, "both names set by hand", code, 6, out, `"consumer-changed"`)
	if strings.Contains(out, "by-hand") {
		t.Errorf("rekey drift shows a value:\n%s", out)
	}
	h.does(t, []string{"config:set", name + "=" + before, former + "=" + before, "-a", app}, "done, v44")
	code, out = rekey(t, dir, "drift", name)
	wants(t, "set back by hand", code, 0, out, "agree")

	code, out = rekey(t, dir, "run", name, "--confirm", name)
	wants(t, "a rotation", code, 0, out, "rotated", "release v45")
	h.does(t, words("releases -a "+app), "Current: v45", "Set CF_ACCESS_SERVICE_TOKEN_CONSOLE, "+name+" config vars")
	if after := h.does(t, words("config:get "+name+" -a "+app)); after != newest(w.look(t)).Vars[name]+"\n" || strings.Contains(after, before) {
		t.Error("the CLI does not read the new value")
	}

	h.does(t, words("releases:rollback v44 -a "+app), "done, v46")
	code, out = rekey(t, dir, "drift", name)
	wants(t, "a rollback that revived a dead value", code, 6, out, "v44", "v46", " repair "+name)
	if n := len(w.look(t).Outages); n == 0 {
		t.Error("the world knows of no outage: was the value dead at all?")
	}
	code, out = rekey(t, dir, "repair", name, "--confirm", name)
	wants(t, "the repair", code, 0, out, "repaired")
	if r := newest(w.look(t)); r.Version != 47 || r.Vars[name] == before {
		t.Errorf("after the repair v%d is the newest, not v47, or it holds the dead value", r.Version)
	}
}
