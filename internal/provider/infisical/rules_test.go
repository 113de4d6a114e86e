package infisical_test

import (
	"net/http"
	"strings"
	"testing"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/sim"
)

// pair are two slots that hold the same, and one that does not.
var pair = []provider.Intended{{Slot: "NEW", Like: "{secret}"}, {Slot: "FORMER", Like: "{secret}"}, {Slot: "NEW__ID", Like: "{id}"}}

// TestRulesAreForeseen: in every shape that servers have listed them in, and only
// where they apply.
func TestRulesAreForeseen(t *testing.T) {
	for name, c := range map[string]struct {
		rule          sim.ValidationRule
		refused, told string // "" none
	}{
		"old values":             {sim.ValidationRule{Path: "/MooseQuest/**", Versions: 3}, "among the last 3 of the same name: a rollback could not", ""},
		"former names":           {sim.ValidationRule{Path: "/MooseQuest/cloudflare", Others: true}, "FORMER and NEW are to hold the same", ""},
		"of this environment":    {sim.ValidationRule{Path: "/**", Environment: "prod", Others: true}, "another name holds", ""},
		"of another environment": {sim.ValidationRule{Path: "/**", Environment: "dev", Versions: 3, Others: true, Prefix: "x"}, "", ""},
		"of another folder":      {sim.ValidationRule{Path: "/MooseQuest", Versions: 3, Others: true, Prefix: "x"}, "", ""},
		"below another folder":   {sim.ValidationRule{Path: "/MooseQuest/cloud/**", Versions: 3, Others: true}, "", ""},
		"one level down":         {sim.ValidationRule{Path: "/MooseQuest/*", Others: true}, "another name holds", ""},
		"two levels down":        {sim.ValidationRule{Path: "/*", Others: true}, "", ""},
		"switched off":           {sim.ValidationRule{Path: "/**", Off: true, Versions: 3, Others: true}, "", ""},
		"something else":         {sim.ValidationRule{Path: "/**", Prefix: "cf_"}, "", "demands something of names or values"},
		"not understood":         {sim.ValidationRule{Path: "/{MooseQuest,Other}/**", Others: true}, "another name holds", ""},
	} {
		for _, shape := range []string{"", "list", "nested"} {
			rule := c.rule
			rule.Name, rule.Shape = "keep apart", shape
			_, v := open(t, identity, func(s *sim.State) { s.Infisical.Rules = []*sim.ValidationRule{&rule} })
			got, err := store(t, v).(provider.Foresight).Foresee(t.Context(), pair)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for what, x := range map[string]struct {
				want string
				got  []string
			}{"refused": {c.refused, got.Refused}, "told": {c.told, got.Told}} {
				if all := strings.Join(x.got, "\n"); (x.want == "") != (all == "") || !strings.Contains(all, x.want) {
					t.Errorf("%s, shape %q: %s %q, want %q", name, shape, what, all, x.want)
				}
			}
		}
	}
}

// TestForeseenIsWhatIsRefused: the server refuses what was foreseen, and takes
// what was not.
func TestForeseenIsWhatIsRefused(t *testing.T) {
	for _, c := range []struct {
		rule    sim.ValidationRule
		old     bool // a value from before is written, as in a rollback
		refused bool
	}{
		{sim.ValidationRule{Path: "/**", Versions: 5}, true, true},
		{sim.ValidationRule{Path: "/**", Versions: 5}, false, false},
		{sim.ValidationRule{Path: "/**", Others: true}, false, true},
		{sim.ValidationRule{Path: "/elsewhere/**", Others: true, Versions: 5}, true, false},
	} {
		c.rule.Name = "keep apart"
		_, v := open(t, identity, func(s *sim.State) { s.Infisical.Rules = []*sim.ValidationRule{&c.rule} })
		s := store(t, v)
		held, err := s.Read(t.Context(), []string{"CF_ACCESS_SVC_CONSOLE"})
		if err != nil {
			t.Fatal(err)
		}
		values := []provider.SlotValue{both[0]}
		switch {
		case c.old:
			values[0].Value = held["CF_ACCESS_SVC_CONSOLE"].Value
		case c.refused:
			values = both
		}
		if _, err = s.Write(t.Context(), values); (cred.ClassOf(err) == cred.Refused) != c.refused {
			t.Errorf("%+v: %v", c.rule, err)
		}
	}
}

// TestRulesOfUnknownEnvironments: what may be about this one is told.
func TestRulesOfUnknownEnvironments(t *testing.T) {
	b, v := open(t, identity, func(s *sim.State) {
		s.Infisical.Rules = []*sim.ValidationRule{{Name: "x", Path: "/**", Environment: "prod", Versions: 2, Shape: "list"}}
	})
	b.before = func(req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if strings.Contains(req.URL.Path, "/workspace/") {
			return says(req, 403, `{"statusCode":403,"message":"no","error":"PermissionDenied"}`), nil
		}
		return send()
	}
	got, err := store(t, v).(provider.Foresight).Foresee(t.Context(), pair)
	if err != nil || len(got.Refused) != 0 || len(got.Told) != 1 || !strings.Contains(got.Told[0], "could not be told") {
		t.Errorf("%+v %v", got, err)
	}
}

// TestSyncsAreTold: those of this folder, with what they do to the other place.
func TestSyncsAreTold(t *testing.T) {
	sync := func(path, environment string, manual, keeps bool) *sim.Sync {
		return &sim.Sync{Name: "to the app", Destination: "heroku", App: "raxx-console-prod", Path: path, Environment: environment, Manual: manual, KeepsOthers: keeps}
	}
	for i, c := range []struct {
		sync *sim.Sync
		want string
	}{
		{sync("/MooseQuest/cloudflare", "prod", false, false), `the secret sync "to the app" carries this folder to heroku (raxx-console-prod) by itself; if that is a consumer here, two writers change it, and the sync does not wait for any proof; it also removes there what is not in this folder`},
		{sync("/MooseQuest/cloudflare", "prod", true, true), `the secret sync "to the app" carries this folder to heroku (raxx-console-prod) whenever somebody starts it`},
		{sync("/MooseQuest/cloudflare", "dev", false, false), ""},
		{sync("/MooseQuest", "prod", false, false), ""},
	} {
		_, v := open(t, identity, func(s *sim.State) { s.Infisical.Syncs = []*sim.Sync{c.sync} })
		got, err := store(t, v).(provider.Adviser).Advise(t.Context(), cred.Handle{})
		if err != nil || strings.Join(got, "\n") != c.want {
			t.Errorf("%d: %v %v", i, got, err)
		}
	}
	_, v := open(t, identity, func(s *sim.State) { s.Infisical.Blind = true })
	if _, err := store(t, v).(provider.Adviser).Advise(t.Context(), cred.Handle{}); cred.ClassOf(err) != cred.Denied {
		t.Error(err)
	}
}
