package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/journal"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

const canary = "hunter2"

// receiver is somebody who is told things. It answers as the vendors' pages say.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	answer func(rw http.ResponseWriter)
	got    []received
}

type received struct {
	path   string
	header http.Header
	body   []byte
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		answer := r.answer
		r.got = append(r.got, received{req.URL.Path, req.Header.Clone(), body})
		r.mu.Unlock()
		if answer != nil {
			answer(rw)
			return
		}
		if req.URL.Path != "/pd" {
			_, _ = io.WriteString(rw, "ok")
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(rw, `{"status":"success","message":"Event processed","dedup_key":"x"}`)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) takes() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

type bench struct {
	*testing.T
	r       *receiver
	j       *journal.Journal
	now     time.Time
	senders *Senders
}

func newBench(t *testing.T) *bench {
	t.Helper()
	j, err := journal.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	b := &bench{T: t, r: newReceiver(t), j: j, now: now}
	b.senders = &Senders{Transport: http.DefaultTransport, Now: func() time.Time { return b.now }, PagerDuty: b.r.URL + "/pd", Source: "rekey.example.com",
		Resolve: func(_ context.Context, refs sop.Refs) (secret.Value, error) {
			switch name := strings.TrimPrefix(string(refs[0]), "env:"); name {
			case "SLACK", "HOOK":
				return secret.New(b.r.URL + "/" + canary + "/" + name), nil
			case "NONE":
				return secret.Value{}, fmt.Errorf("env:NONE is not set")
			default:
				return secret.New(canary + "-" + name), nil
			}
		}}
	return b
}

func (b *bench) tell(config *sop.Notices, list ...Notice) Told {
	b.Helper()
	told, err := b.senders.Tell(b.Context(), b.j, config, list)
	if err != nil {
		b.Fatal(err)
	}
	return told
}

func refs(name string) sop.Refs { return sop.Refs{sop.Ref("env:" + name)} }

func onSlack() *sop.Notices {
	return &sop.Notices{Channels: map[string]sop.Channel{"team": {Slack: refs("SLACK")}}}
}

func found(id string) Notice {
	return Notice{ID: id, Kind: Found, Credential: "A", At: now, Title: id + " <has> drifted & more", Text: "2 disagree", Next: "rekey drift A", Link: "https://rekey.example.com/credentials/A"}
}

func stuck() Notice {
	return Notice{ID: "stuck/r1/x", Kind: Stuck, Page: true, Credential: "A", Owner: "sre", Run: "r1", At: now, Title: "A is stuck", Text: "the vendor says no", Next: "rekey resume r1", Link: "https://rekey.example.com/runs/r1"}
}

// TestEachIsToldOnce, however often it is looked; after a failure again, later each time,
// and as late as the receiver wants; what is over by then is told to nobody.
func TestEachIsToldOnce(t *testing.T) {
	b, config := newBench(t), onSlack()
	if told := b.tell(config, found("one")); told.Sent != 1 || len(b.r.takes()) != 1 {
		t.Fatalf("%+v", told)
	}
	if told := b.tell(config, found("one")); told.Sent != 0 || len(b.r.takes()) != 0 {
		t.Errorf("told twice: %+v", told)
	}
	for name, answer := range map[string]func(http.ResponseWriter){
		"429, with a time": func(rw http.ResponseWriter) {
			rw.Header().Set("Retry-After", "600")
			rw.WriteHeader(http.StatusTooManyRequests)
		},
		"503": func(rw http.ResponseWriter) { rw.WriteHeader(http.StatusServiceUnavailable) },
		"404, as of Slack": func(rw http.ResponseWriter) {
			rw.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(rw, "no_service")
		},
		"a page": func(rw http.ResponseWriter) {
			rw.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(rw, "<html>"+canary)
		},
		"elsewhere": func(rw http.ResponseWriter) {
			rw.Header().Set("Location", "/"+canary)
			rw.WriteHeader(http.StatusFound)
		},
		"200, and not ok":      func(rw http.ResponseWriter) { _, _ = io.WriteString(rw, `{"ok":false,"error":"`+canary+`"}`) },
		"200, and what is not": func(rw http.ResponseWriter) { _, _ = io.WriteString(rw, "invalid_payload") },
		"200, and nothing":     func(http.ResponseWriter) {},
		"400, as of Slack": func(rw http.ResponseWriter) {
			rw.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(rw, "invalid_payload")
		},
		"half of an answer": func(rw http.ResponseWriter) {
			rw.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(rw, "ok")
		},
	} {
		b.r.answer = answer
		told := b.tell(config, found("one"), found(name))
		if told.Sent != 0 || told.Waiting != 1 || told.Trouble["team"] == "" || strings.Contains(told.Trouble["team"], canary) || len(b.r.takes()) != 1 {
			t.Errorf("%s: %+v", name, told)
		}
		if told := b.tell(config, found("one"), found(name)); told.Waiting != 1 || len(b.r.takes()) != 0 {
			t.Errorf("%s: tried again at once: %+v", name, told)
		}
		b.r.answer = nil
		b.now = b.now.Add(2 * time.Minute)
		early := len(b.r.takes())
		told = b.tell(config, found("one"), found(name))
		if limited := strings.HasPrefix(name, "429"); early != 0 || (told.Sent == 0) != limited || (len(b.r.takes()) == 0) != limited {
			t.Errorf("%s: two minutes later: %+v", name, told)
		}
		b.now = b.now.Add(10 * time.Minute)
		b.tell(config, found("one"), found(name))
		b.r.takes()
	}
	b.r.answer = func(rw http.ResponseWriter) { rw.WriteHeader(http.StatusInternalServerError) }
	b.tell(config, found("late"))
	b.r.answer = nil
	b.r.takes()
	b.now = b.now.Add(time.Hour)
	if told := b.tell(config); told.Sent != 0 || len(b.r.takes()) != 0 {
		t.Errorf("what is over is told: %+v", told)
	}
}

// TestPausesGrow to an hour, and are never shorter than what was asked for.
func TestPausesGrow(t *testing.T) {
	want := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}
	for i, w := range want {
		if got := pause(i+1, fmt.Errorf("x"), false); got != w*time.Minute {
			t.Errorf("after %d tries: %s", i+1, got)
		}
		if got := pause(i+1, fmt.Errorf("x"), true); got != min(w, 5)*time.Minute {
			t.Errorf("of who is called, after %d tries: %s", i+1, got)
		}
	}
	if pause(1000, fmt.Errorf("x"), false) != time.Hour {
		t.Error("after many")
	}
	if later := (&cred.Error{RetryAfter: 1000 * time.Hour}); pause(1, later, true) != time.Hour {
		t.Errorf("whoever says to come back in weeks is asked after %s", pause(1, later, true))
	}
}

// TestSlackIsToldInItsOwnSigns, and knows nothing of where else it goes.
func TestSlackIsToldInItsOwnSigns(t *testing.T) {
	b := newBench(t)
	b.tell(onSlack(), found("x"))
	got := b.r.takes()
	var body map[string]string
	if len(got) != 1 || got[0].path != "/"+canary+"/SLACK" || json.Unmarshal(got[0].body, &body) != nil || len(body) != 1 {
		t.Fatalf("%+v", got)
	}
	if want := "*x &lt;has&gt; drifted &amp; more*\n2 disagree\n`rekey drift A`\nhttps://rekey.example.com/credentials/A"; body["text"] != want {
		t.Errorf("%q", body["text"])
	}
}

// TestAWebhookGetsSignedCloudEvents, each by itself, and once more when it is over.
func TestAWebhookGetsSignedCloudEvents(t *testing.T) {
	b := newBench(t)
	config := &sop.Notices{Channels: map[string]sop.Channel{"siem": {Webhook: &sop.SignedHook{URL: refs("HOOK"), Secret: refs("SECRET"), Headers: map[string]sop.Refs{"Authorization": refs("TOKEN")}}}}}
	list := []Notice{stuck()}
	for i := range 9 {
		list = append(list, found(fmt.Sprint(i)))
	}
	if told := b.tell(config, list...); told.Sent != 10 {
		t.Fatalf("%+v", told)
	}
	got := b.r.takes()
	for _, g := range got {
		var e Event
		if err := json.Unmarshal(g.body, &e); err != nil || e.SpecVersion != "1.0" || e.Source != "rekey.example.com" || e.ID != e.Data.ID || e.Subject != "A" || !strings.HasPrefix(e.Type, "dev.rekey.notice.") || !strings.HasSuffix(e.Type, ".v1") {
			t.Errorf("%v %s", err, g.body)
		}
		if g.header.Get("Content-Type") != "application/cloudevents+json" || g.header.Get("Authorization") != canary+"-TOKEN" || strings.Contains(string(g.body), canary) {
			t.Errorf("%v %s", g.header, g.body)
		}
		stamp := fmt.Sprint(now.Unix())
		mac := hmac.New(sha256.New, []byte(canary+"-SECRET"))
		mac.Write([]byte(stamp + "." + string(g.body)))
		if want := "t=" + stamp + ",v1=" + hex.EncodeToString(mac.Sum(nil)); g.header.Get("Rekey-Signature") != want {
			t.Errorf("signed %q, want %q", g.header.Get("Rekey-Signature"), want)
		}
	}
	b.tell(config, list[1:]...)
	got = b.r.takes()
	var e Event
	if len(got) != 1 || json.Unmarshal(got[0].body, &e) != nil || e.Type != "dev.rekey.notice.over.v1" || e.Data.ID != "stuck/r1/x" || e.ID == e.Data.ID {
		t.Errorf("%d %+v", len(got), e)
	}
}

// TestPagerDutyIsCalledAndResolved by one key, and called again where it comes up again.
func TestPagerDutyIsCalledAndResolved(t *testing.T) {
	b := newBench(t)
	config := &sop.Notices{Channels: map[string]sop.Channel{"oncall": {PagerDuty: &sop.PagerDuty{Key: refs("KEY")}}}}
	event := func() (e struct {
		RoutingKey  string `json:"routing_key"`
		EventAction string `json:"event_action"`
		DedupKey    string `json:"dedup_key"`
		Payload     struct{ Summary, Source, Severity, Timestamp, Component, Group, Class string }
		Links       []struct{ Href string }
	}) {
		t.Helper()
		got := b.r.takes()
		if len(got) != 1 || got[0].path != "/pd" {
			t.Fatalf("%d events", len(got))
		}
		if err := json.Unmarshal(got[0].body, &e); err != nil || e.RoutingKey != canary+"-KEY" || e.DedupKey != "stuck/r1/x" {
			t.Fatalf("%v %s", err, got[0].body)
		}
		return e
	}
	b.tell(config, stuck())
	if e := event(); e.EventAction != "trigger" || e.Payload.Severity != "critical" || e.Payload.Summary != "A is stuck" || e.Payload.Source != "rekey.example.com" || e.Payload.Timestamp != "2026-11-27T12:00:00Z" || e.Payload.Component != "A" || e.Payload.Group != "sre" || e.Payload.Class != "stuck" || len(e.Links) != 1 {
		t.Errorf("%+v", e)
	}
	b.tell(config, stuck())
	if n := len(b.r.takes()); n != 0 {
		t.Errorf("called twice")
	}
	b.r.answer = func(rw http.ResponseWriter) { rw.WriteHeader(http.StatusTooManyRequests) }
	b.tell(config)
	b.r.takes()
	b.r.answer = nil
	b.now = b.now.Add(2 * time.Minute)
	b.tell(config)
	if e := event(); e.EventAction != "resolve" {
		t.Errorf("%+v", e)
	}
	b.tell(config)
	if n := len(b.r.takes()); n != 0 {
		t.Errorf("resolved twice")
	}
	b.tell(config, stuck())
	if e := event(); e.EventAction != "trigger" {
		t.Errorf("%+v", e)
	}
	if s := (&Senders{}).events("eu") + " " + (&Senders{}).events(""); s != "https://events.eu.pagerduty.com/v2/enqueue https://events.pagerduty.com/v2/enqueue" {
		t.Error(s)
	}
}

// TestManyAreToldInOne, but whoever is called is called for each.
func TestManyAreToldInOne(t *testing.T) {
	b := newBench(t)
	list := []Notice{stuck()}
	for i := range 300 {
		list = append(list, found(fmt.Sprintf("n%03d", i)))
	}
	if told := b.tell(onSlack(), list...); told.Sent != 301 {
		t.Errorf("%+v", told)
	}
	got := b.r.takes()
	if len(got) != 2 || !strings.Contains(string(got[0].body), "A is stuck") || !strings.Contains(string(got[1].body), "300 things to check") || !strings.Contains(string(got[1].body), "and 280 more") {
		t.Errorf("%d: %s", len(got), got[len(got)-1].body)
	}
	if b.tell(onSlack(), list...); len(b.r.takes()) != 0 {
		t.Error("told again")
	}
}

// TestQuietHoursKeepWhatCanWait until they are over.
func TestQuietHoursKeepWhatCanWait(t *testing.T) {
	b, config := newBench(t), onSlack()
	w, err := sop.ParseWindow("daily 11:00-13:00 UTC")
	if err != nil {
		t.Fatal(err)
	}
	config.Quiet = []sop.Window{w}
	if told := b.tell(config, found("x"), stuck()); told.Sent != 1 || told.Waiting != 1 {
		t.Errorf("%+v", told)
	}
	b.now = b.now.Add(time.Hour)
	if told := b.tell(config, found("x"), stuck()); told.Sent != 1 || told.Waiting != 0 {
		t.Errorf("%+v", told)
	}
}

// TestOneChannelThatTakesNothingKeepsNoOtherBack, and neither does one whose secret is
// not there; a receiver that hangs ends with its time.
func TestOneChannelThatTakesNothingKeepsNoOtherBack(t *testing.T) {
	b := newBench(t)
	config := &sop.Notices{Channels: map[string]sop.Channel{"a": {Slack: refs("NONE")}, "b": {Slack: refs("SLACK")}, "c": {PagerDuty: &sop.PagerDuty{Key: refs("KEY")}}}}
	b.senders.PagerDuty = "http://203.0.113.1/pd" // not this machine, and not encrypted
	told := b.tell(config, stuck())
	if told.Sent != 1 || len(b.r.takes()) != 1 || !strings.Contains(told.Trouble["a"], "env:NONE is not set") || !strings.Contains(told.Trouble["c"], "must be https") {
		t.Errorf("%+v", told)
	}
	hanging, done := newBench(t), make(chan struct{})
	hanging.r.answer = func(http.ResponseWriter) { <-done }
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for len(hanging.r.takes()) == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	if told, err := hanging.senders.Tell(ctx, hanging.j, onSlack(), []Notice{stuck()}); err == nil && told.Sent != 0 {
		t.Errorf("%+v %v", told, err)
	}
	close(done)
	hanging.r.answer = nil
	if told := hanging.tell(onSlack(), stuck()); told.Sent != 0 {
		t.Errorf("what may be under way is sent again at once: %+v", told)
	}
	hanging.now = hanging.now.Add(time.Minute)
	if told := hanging.tell(onSlack(), stuck()); told.Sent != 1 {
		t.Errorf("what was interrupted is not sent again: %+v", told)
	}
}

// TestAChannelIsTried, and says in words what is wrong with it.
func TestAChannelIsTried(t *testing.T) {
	b := newBench(t)
	if err := b.senders.Test(t.Context(), onSlack(), "team"); err != nil || len(b.r.takes()) != 1 {
		t.Error(err)
	}
	if err := b.senders.Test(t.Context(), onSlack(), "nobody"); err == nil {
		t.Error("a channel that there is not")
	}
	b.r.answer = func(rw http.ResponseWriter) { rw.WriteHeader(http.StatusForbidden); _, _ = io.WriteString(rw, canary) }
	if err := b.senders.Test(t.Context(), onSlack(), "team"); err == nil || strings.Contains(err.Error(), canary) {
		t.Error(err)
	}
}
