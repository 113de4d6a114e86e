package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"rekey/internal/estate"
	"rekey/internal/sim"
)

// TestJSONIsWhatTheSchemaSays: the output of every command, and every line of a run's
// stream, fits docs/output.schema.json; a run's are events of known kinds, the version
// first and the result last.
func TestJSONIsWhatTheSchemaSays(t *testing.T) {
	t.Parallel()
	compiler := jsonschema.NewCompiler()
	file, err := filepath.Abs(filepath.Join(top, "docs/output.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	fits := func(name, what string, text []byte) {
		t.Helper()
		pointer := strings.NewReplacer("~", "~0", "/", "~1", " ", "%20").Replace(name)
		s, err := compiler.Compile("file://" + filepath.ToSlash(file) + "#/$defs/" + pointer)
		if err != nil {
			t.Errorf("%s has no schema: %v", name, err)
			return
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err == nil {
			err = s.Validate(v)
		}
		if err != nil {
			t.Errorf("%s: %v\n%s", what, err, text)
		}
	}
	dir := t.TempDir()
	run := func(args ...string) []byte {
		var out bytes.Buffer
		a := &app{streams: streams{in: strings.NewReader(""), out: &out, err: io.Discard}}
		a.execute(context.Background(), append([]string{"-C", dir, "--json"}, args...))
		return out.Bytes()
	}
	fits("init", "init", run("init"))
	stream := run("demo", "--latency", "0s")
	dir = filepath.Join(dir, "rekey-demo")
	stream = append(stream, run("rehearse", "CF_ACCESS_SVC_VAULT")...)
	var kinds []string
	for line := range bytes.Lines(stream) {
		var o struct{ Type string }
		if err := json.Unmarshal(line, &o); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		kinds = append(kinds, o.Type)
		fits("stream_"+o.Type, "a line of the stream", line)
	}
	if kinds[0] != "version" || kinds[len(kinds)-1] != "result" && kinds[len(kinds)-1] != "error" {
		t.Errorf("the stream begins with %s and ends with %s", kinds[0], kinds[len(kinds)-1])
	}
	fits("stream_error", "an error", run("run", "CF_ACCESS_SVC_VAULT"))
	fits("stream_error", "an error", run("run", "nobody"))
	for _, command := range []string{
		"status", "schedule", "approvals", "lint", "doctor", "check CF_ACCESS_SVC_VAULT", "plan CF_ACCESS_SVC_VAULT", "drift", "discover", "findings", "names", "log", "verify", "checkpoint", "checkpoint key", "journal backup copy.db",
		"whoami", "version", "explain stuck", "sop", "revoke CF_ACCESS_SVC_VAULT --plan",
	} {
		words := strings.Fields(command)
		name := words[0]
		switch {
		case command == "checkpoint key":
			name = command
		case words[0] == "journal":
			name = "journal backup"
		case words[0] == "revoke":
			name = "revoke --plan"
		}
		fits(name, command, run(words...))
	}
	// A database is not there to be moved to; what is printed then is this, whole.
	moved, err := json.Marshal(estate.MovedTo{From: ".rekey", To: "postgres://rekey@db.example.com/rekey", Entries: 7, Last: "ab", Write: "database: env:REKEY_DATABASE", SignedOut: true})
	if err != nil {
		t.Fatal(err)
	}
	fits("journal move", "journal move", moved)
	// What a flag makes of a command has a description of its own.
	before := dir
	for _, command := range []string{
		"rehearse CF_ACCESS_SVC_VAULT --plan", "names retire CF_ACCESS_SERVICE_TOKEN_CONSOLE --plan", "sop CF_ACCESS_SVC_VAULT", "sop --out pages", "sop --check pages",
		"verify --export evidence/evidence.jsonl --key KEY", "repair CF_ACCESS_SVC_CONSOLE", "repair CF_ACCESS_SVC_CONSOLE --plan", "plan CF_ACCESS_SVC_CONSOLE", "rollback RUN --plan", "whoami --can",
	} {
		name := command
		switch command {
		case "whoami --can": // as it is called
		case "sop CF_ACCESS_SVC_VAULT":
			name = "sop NAME"
		case "repair CF_ACCESS_SVC_CONSOLE":
			name = "repair, nothing to do"
		case "sop --out pages", "sop --check pages":
			name = strings.TrimSuffix(command, " pages")
		case "verify --export evidence/evidence.jsonl --key KEY":
			name = "verify --export"
			run("evidence", "--from", "2020-01-01", "--out", "evidence")
			var key struct{ Key string }
			if err := json.Unmarshal(run("checkpoint", "key"), &key); err != nil {
				t.Fatal(err)
			}
			command = strings.Replace(command, "evidence/", filepath.Join(dir, "evidence")+"/", 1)
			command = strings.Replace(command, "KEY", key.Key, 1)
		case "repair CF_ACCESS_SVC_CONSOLE --plan":
			name = "repair --plan"
			b := newBench(t)
			drifts(b)
			dir = b.dir
			run("drift")
			var list struct{ Findings []struct{ ID string } }
			if err := json.Unmarshal(run("findings"), &list); err != nil || len(list.Findings) == 0 {
				t.Fatalf("%v %+v", err, list)
			}
			fits("acknowledge", "acknowledge", run("acknowledge", list.Findings[0].ID, "--reason", "known", "--until", "30d"))
			fits("findings", "findings", run("findings"))
		case "plan CF_ACCESS_SVC_CONSOLE":
			name = "refused"
			b := newBench(t)
			revoked := run("-C", b.dir, "revoke", console, "--reason", "stolen", "--confirm", console)
			for line := range bytes.Lines(revoked) {
				var o struct{ Type string }
				if err := json.Unmarshal(line, &o); err != nil {
					t.Fatalf("%v: %s", err, line)
				}
				fits("stream_"+o.Type, "a line of revoke", line)
			}
			dir = b.dir
		case "rollback RUN --plan":
			name = "rollback --plan"
			b := newBench(t, sim.Fault{Vendor: "cloudflare", Endpoint: "PUT", Status: 403, Times: -1, After: 1})
			dir = b.dir
			a := &app{dir: dir}
			unfinished(t, a, "aaaaaa", console)
			command = "rollback aaaaaa --plan"
		default:
			name = strings.Fields(command)[0] + " --plan"
			if strings.HasPrefix(command, "names retire") {
				name = "names retire --plan"
			}
		}
		fits(name, command, run(strings.Fields(command)...))
	}
	dir = before
	for line := range bytes.Lines(run("evidence", "--from", "2020-01-01")) {
		fits("evidence", "a line of evidence", line)
	}
	var runs struct{ Runs []struct{ Run string } }
	if err := json.Unmarshal(run("log"), &runs); err != nil {
		t.Fatal(err)
	}
	fits("log RUN", "log RUN", run("log", runs.Runs[0].Run))

	// A length of time is said in words and in seconds too.
	var status struct {
		Credentials []struct {
			Validated *struct {
				Took        int64   `json:"took"`
				TookText    string  `json:"took_text"`
				TookSeconds float64 `json:"took_seconds"`
			} `json:"validated"`
		} `json:"credentials"`
	}
	if err := json.Unmarshal(run("status"), &status); err != nil {
		t.Fatal(err)
	}
	dated := 0
	for _, c := range status.Credentials {
		if v := c.Validated; v != nil {
			dated++
			if v.Took <= 0 || v.TookText == "" || math.Abs(v.TookSeconds-float64(v.Took)/1e9) > 1e-6 {
				t.Errorf("%+v", v)
			}
		}
	}
	if dated == 0 {
		t.Error("no credential tells how long its run took")
	}
}
