//go:build !windows

package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"rekey/internal/engine"
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/sim"
)

// How long it is waited once nothing happens any more: a machine that is slow comes to an
// end, and one on which nothing goes on does not.
const (
	noEntry  = 2 * time.Minute  // without a new entry in the journal
	noEnding = 15 * time.Minute // without one run more that has ended
)

// pulse is since when nothing goes on.
type pulse struct {
	mu             sync.Mutex
	seq            int64
	endings        int
	entered, ended time.Time
}

// still tells why nothing more is to be waited for; "": things go on.
func (p *pulse) still(seq int64, endings int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.entered.IsZero() || seq != p.seq {
		p.seq, p.entered = seq, now
	}
	if p.ended.IsZero() || endings != p.endings {
		p.endings, p.ended = endings, now
	}
	switch {
	case now.Sub(p.entered) > noEntry:
		return fmt.Sprintf("nothing was written for %s", noEntry)
	case now.Sub(p.ended) > noEnding:
		return fmt.Sprintf("no run has ended for %s", noEnding)
	}
	return ""
}

// judge compares the vendors' truth and the journal with the promises.
func (c *chaos) judge(j *journal.Journal, boss *engine.Engine) testified {
	c.world.Look(func(s *sim.State) {
		for _, o := range s.Outages {
			c.Errorf("outage of %s in %s from %s: %s", o.App, o.Var, o.From.Format(time.TimeOnly), o.Why)
		}
		live := map[string][]*sim.Token{}
		for _, x := range s.Cloudflare.Tokens {
			if m := fleetNumber.FindStringSubmatch(x.Name); m != nil {
				live["FLEET_"+m[1]] = append(live["FLEET_"+m[1]], x)
			}
		}
		for i := range c.n {
			name := fmt.Sprintf("FLEET_%d", i)
			if len(live[name]) != 1 {
				var names []string
				for _, x := range live[name] {
					names = append(names, x.Name)
				}
				c.Errorf("%s: live are %v", name, names)
				continue
			}
			x := live[name][0]
			if !x.Enabled {
				c.Errorf("%s: the live one is switched off", name)
			}
			for _, secret := range s.Infisical.Secrets {
				if now := secret.Versions[len(secret.Versions)-1].Value; secret.Key == name && now != x.Secret || secret.Key == name+"__CLIENT_ID" && now != x.ClientID {
					c.Errorf("%s: the store's %s is not of the live one", name, secret.Key)
				}
			}
			for _, a := range s.Heroku.Apps {
				if a.Name == fmt.Sprintf("fleet-%d", i) {
					if now := a.Releases[len(a.Releases)-1].Vars[name]; now != x.ClientID+":"+x.Secret {
						c.Errorf("%s: the app does not hold the live one", name)
					}
				}
			}
			named := 0
			for _, p := range s.Cloudflare.Policies {
				named += strings.Count(string(p["include"]), x.ID)
			}
			if named != 1 {
				c.Errorf("%s: the live one is named %d times", name, named)
			}
		}
		for _, x := range s.Cloudflare.Deleted {
			for _, p := range s.Cloudflare.Policies {
				if strings.Contains(string(p["include"]), x.ID) {
					c.Errorf("a policy still names %s, which is deleted", x.Name)
				}
			}
		}
	})
	ctx := context.Background()
	if _, _, err := j.Verify(ctx); err != nil {
		c.Errorf("the journal does not verify: %v", err)
	}
	book := history.Book{J: j}
	runs, err := book.Runs(ctx)
	if err != nil {
		c.Fatal(err)
	}
	for _, run := range runs {
		events, err := book.Events(ctx, run.Run)
		if err != nil {
			c.Fatal(err)
		}
		closed := 0
		for _, e := range events {
			if closed > 0 {
				c.Errorf("run %s goes on after it was closed", run.Run)
			}
			if e.Closed != nil {
				closed++
			}
		}
		if closed != 1 {
			c.Errorf("run %s was closed %d times", run.Run, closed)
		}
	}
	rows, err := boss.Leases(ctx)
	for began := time.Now(); len(rows) > 0 && time.Since(began) < 10*time.Second; rows, err = boss.Leases(ctx) {
		time.Sleep(50 * time.Millisecond) // it is removed after the last entry
	}
	if err != nil || len(rows) > 0 {
		c.Errorf("leases that are left: %+v (%v)", rows, err)
	}
	db, _ := j.DB()
	said, err := c.testify(ctx, db, c.frozen)
	if err != nil {
		c.Fatal(err)
	}
	for _, x := range said.broken {
		c.Error(x)
	}
	if said.changes == 0 || said.written == 0 {
		c.Errorf("nothing was witnessed: %+v", said)
	}
	c.Logf("%d runs, let go of or handed on %d times, %d of them while their holder was stopped; judged were %d changes and %d entries, %d broke a promise, %d came when a run was in nobody's hands",
		len(runs), said.handed, said.lost, said.changes, said.written, len(said.broken), said.between)
	return said
}
