package notify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"rekey/internal/journal"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

func onBoth() *sop.Notices {
	return &sop.Notices{Channels: map[string]sop.Channel{"team": {Slack: refs("SLACK")}, "oncall": {PagerDuty: &sop.PagerDuty{Key: refs("KEY")}}}}
}

// paths counts what was received, by where.
func (b *bench) paths() map[string]int {
	out := map[string]int{}
	for _, g := range b.r.takes() {
		out[g.path]++
	}
	return out
}

// onceOfMany has several processes tell of the same at one time.
func (b *bench) onceOfMany() {
	b.Helper()
	list := []Notice{stuck(), found("one"), found("two")}
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			if _, err := b.senders.Tell(b.Context(), b.j, onBoth(), list); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
	if got := b.paths(); got["/pd"] != 3 || got["/"+canary+"/SLACK"] != 3 {
		b.Errorf("told %v", got)
	}
}

// TestOfSeveralProcessesOneTells: they share a journal, and each believes that it is its to
// tell.
func TestOfSeveralProcessesOneTells(t *testing.T) { newBench(t).onceOfMany() }

// TestWhatWasSentByAProcessThatDiedIsSentAgainUnderTheSameID, for nobody knows whether it
// arrived: on-call's incident is the same one.
func TestWhatWasSentByAProcessThatDiedIsSentAgainUnderTheSameID(t *testing.T) {
	b := newBench(t)
	config := &sop.Notices{Channels: map[string]sop.Channel{"oncall": {PagerDuty: &sop.PagerDuty{Key: refs("KEY")}}}}
	ctx, die := context.WithCancel(t.Context())
	b.r.answer = func(http.ResponseWriter) { die() }
	if told, _ := b.senders.Tell(ctx, b.j, config, []Notice{stuck()}); told.Sent != 0 {
		t.Fatalf("%+v", told)
	}
	b.r.answer = nil
	first := b.r.takes()
	b.now = b.now.Add(30 * time.Second)
	if told := b.tell(config, stuck()); told.Sent != 0 || len(b.r.takes()) != 0 {
		t.Errorf("sent while it may be under way: %+v", told)
	}
	b.now = b.now.Add(time.Minute)
	if told := b.tell(config, stuck()); told.Sent != 1 {
		t.Errorf("not sent again: %+v", told)
	}
	second := b.r.takes()
	key := func(list []received) string {
		var e struct {
			Key string `json:"dedup_key"`
		}
		if len(list) != 1 || json.Unmarshal(list[0].body, &e) != nil {
			t.Fatalf("%d were received", len(list))
		}
		return e.Key
	}
	if key(first) != key(second) || key(first) == "" {
		t.Errorf("%q and %q", key(first), key(second))
	}
}

// TestAChannelThatHangsKeepsNoCallBack: each is sent to by itself.
func TestAChannelThatHangsKeepsNoCallBack(t *testing.T) {
	b, called, done := newBench(t), make(chan struct{}), make(chan struct{})
	b.r.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/pd" {
			close(called)
			rw.WriteHeader(http.StatusAccepted)
			_, _ = rw.Write([]byte(`{"status":"success"}`))
			return
		}
		<-done
	})
	go func() {
		<-called // while the other one hangs: otherwise this test does not end
		close(done)
	}()
	if told := b.tell(onBoth(), stuck()); told.Sent != 1 || told.Trouble["team"] == "" || told.Trouble["oncall"] != "" {
		t.Errorf("%+v", told)
	}
}

// TestThatAChannelTakesNothingIsToldToTheOthers: whoever would be called is not, and has to
// find out.
func TestThatAChannelTakesNothingIsToldToTheOthers(t *testing.T) {
	b, config := newBench(t), onBoth()
	config.Rules = []sop.NotifyRule{{When: []string{"stuck"}, To: []string{"oncall"}}} // team is told nothing else
	b.r.answer = func(rw http.ResponseWriter) { rw.WriteHeader(http.StatusBadRequest) }
	for range 3 {
		b.tell(config, stuck())
		b.now = b.now.Add(10 * time.Minute)
	}
	if n, err := Undelivered(t.Context(), b.j); err != nil || n != 1 {
		t.Errorf("%d undelivered (%v)", n, err)
	}
	b.r.takes()
	b.r.answer = func(rw http.ResponseWriter) { _, _ = rw.Write([]byte("ok")) } // which is not how PagerDuty says it
	for range 3 {
		b.tell(config, stuck())
		b.now = b.now.Add(10 * time.Minute)
	}
	var said []string
	for _, g := range b.r.takes() {
		if strings.HasSuffix(g.path, "/SLACK") {
			said = append(said, string(g.body))
		}
	}
	if len(said) != 1 || !strings.Contains(said[0], "the channel oncall takes no notices") || !strings.Contains(said[0], "rekey notify test oncall") {
		t.Errorf("%q", said)
	}
	b.r.answer = nil
	b.tell(config, stuck())
	if n, err := Undelivered(t.Context(), b.j); err != nil || n != 0 {
		t.Errorf("%d undelivered (%v)", n, err)
	}
}

// TestWhatComesUpAgainIsToldAgain, unless it was over for a moment only, or it was never
// known to be over.
func TestWhatComesUpAgainIsToldAgain(t *testing.T) {
	b, config := newBench(t), onSlack()
	is := func(what string, after time.Duration, holds, told bool, unsure ...string) {
		t.Helper()
		b.now = b.now.Add(after)
		var list []Notice
		if holds {
			list = append(list, found("drift/A/x"))
		}
		if _, err := b.senders.Tell(t.Context(), b.j, config, list, unsure...); err != nil {
			t.Fatal(err)
		}
		if n := len(b.r.takes()); (n > 0) != told {
			t.Errorf("%s: told %d times", what, n)
		}
	}
	is("new", 0, true, true)
	is("over", time.Minute, false, false)
	is("again at once", time.Minute, true, false)
	is("over", time.Minute, false, false)
	is("over still", time.Hour, false, false)
	is("again", time.Minute, true, true)
	is("not seen", time.Minute, false, false, "drift/A/")
	is("not seen", 2*time.Hour, false, false, "drift/A/")
	is("seen again", time.Minute, true, false)
}

// TestWhoCannotProveWhoHeIsIsToldNothing: a receiver with a certificate of nobody's.
func TestWhoCannotProveWhoHeIsIsToldNothing(t *testing.T) {
	b, reached := newBench(t), false
	foreign := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	foreign.Config.ErrorLog = log.New(io.Discard, "", 0)
	foreign.StartTLS()
	t.Cleanup(foreign.Close)
	b.senders.Resolve = func(context.Context, sop.Refs) (secret.Value, error) {
		return secret.New(foreign.URL + "/" + canary), nil
	}
	told := b.tell(onSlack(), stuck())
	if why := told.Trouble["team"]; told.Sent != 0 || reached || !strings.Contains(why, "certificate") || strings.Contains(why, canary) {
		t.Errorf("%+v", told)
	}
}

// TestCountingWhatIsUndeliveredMakesNoTables: a scrape or a page of health only looks, also
// with a role that may not make any.
func TestCountingWhatIsUndeliveredMakesNoTables(t *testing.T) {
	b := newBench(t)
	if n, err := Undelivered(t.Context(), b.j); err != nil || n != 0 {
		t.Errorf("%d undelivered (%v)", n, err)
	}
	if there, err := b.j.HasTables(t.Context(), "notices", tables()...); err != nil || there {
		t.Errorf("a look has made tables (%v)", err)
	}
	b.tell(onBoth(), stuck())
	if there, err := b.j.HasTables(t.Context(), "notices", tables()...); err != nil || !there {
		t.Errorf("what was told is written nowhere (%v)", err)
	}
	var newer *journal.Newer
	if _, err := b.j.HasTables(t.Context(), "notices"); !errors.As(err, &newer) {
		t.Errorf("tables of a newer version are taken for ours: %v", err)
	}
}
