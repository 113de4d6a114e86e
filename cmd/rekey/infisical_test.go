package main

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rekey/internal/sim"
)

const credential = "CF_ACCESS_SVC_CONSOLE"

// TestThreeCommandsDoNotLockTheIdentity: each is a process of its own, and each needs
// a login; with a wrong client secret the first is refused, and the others do not ask.
func TestThreeCommandsDoNotLockTheIdentity(t *testing.T) {
	w := newTown(t)
	right := ""
	w.world.Look(func(s *sim.State) {
		right = s.Env["INFISICAL_CLIENT_SECRET"]
		s.Env["INFISICAL_CLIENT_SECRET"] = "wrong-client-secret"
	})
	for _, args := range [][]string{{"check", credential}, {"drift"}, {"run", credential, "--confirm", credential}, {"check", credential}} {
		code, out := w.rekey(args...)
		if code == 0 || !strings.Contains(out, "client id or client secret is wrong") {
			t.Errorf("%v: %d\n%s", args, code, out)
		}
		if strings.Contains(out, "log in, log in") {
			t.Errorf("%v: it says one thing many times:\n%s", args, out)
		}
	}
	w.world.Look(func(s *sim.State) {
		who := s.Infisical.Identities[0]
		if who.Locks > 0 || len(who.Failures) != 1 {
			t.Errorf("%d failed logins, locked %d times", len(who.Failures), who.Locks)
		}
		s.Env["INFISICAL_CLIENT_SECRET"] = right
	})
	files, err := filepath.Glob(filepath.Join(w.dir, ".rekey*", "refused", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v %v", files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil || strings.Contains(string(b), "wrong-client") || strings.Contains(files[0]+string(b), "identity") {
		t.Errorf("%s: %s %v", files[0], b, err)
	}
	// Another secret is tried at once, and a login that works ends it.
	if code, out := w.rekey("check", credential); code != 0 {
		t.Errorf("with the right one: %d\n%s", code, out)
	}
	if _, err := os.Stat(files[0]); !os.IsNotExist(err) {
		t.Errorf("the mark stays: %v", err)
	}
}

// TestThreeSecretsDoNotLockTheIdentityEither: whichever they are, the third within
// half a minute is not sent.
func TestThreeSecretsDoNotLockTheIdentityEither(t *testing.T) {
	w := newTown(t)
	for _, wrong := range []string{"wrong-one", "wrong-two", "wrong-three", "wrong-four"} {
		w.world.Look(func(s *sim.State) { s.Env["INFISICAL_CLIENT_SECRET"] = wrong })
		if code, out := w.rekey("drift"); code == 0 {
			t.Errorf("%s: %s", wrong, out)
		} else if wrong == "wrong-four" && !strings.Contains(out, "a third would lock it for everybody") {
			t.Errorf("%s: %s", wrong, out)
		}
	}
	w.world.Look(func(s *sim.State) {
		if who := s.Infisical.Identities[0]; who.Locks > 0 || len(who.Failures) != 2 {
			t.Errorf("%d failed logins, locked %d times", len(who.Failures), who.Locks)
		}
	})
}

// TestOwnAddressesWorkUnderSimulate: a server of one's own (base_url), of any vendor,
// is stood in for as the public service is.
func TestOwnAddressesWorkUnderSimulate(t *testing.T) {
	for _, path := range []string{"", "/behind/a/gateway", "/slash/"} {
		w := newTown(t)
		w.rewrite(func(text string) string {
			for vendor, host := range map[string]string{"cloudflare": "cf", "infisical": "secrets", "heroku": "apps"} {
				text = strings.Replace(text, "\n  "+vendor+":\n", "\n  "+vendor+":\n    base_url: https://"+host+".raxx.example"+path+"\n", 1)
			}
			if strings.Count(text, "raxx.example"+path+"\n") != 3 {
				t.Fatalf("the addresses are not in the file:\n%s", text)
			}
			return text
		})
		if code, out := w.rekey("check", credential); code != 0 {
			t.Errorf("%q: %d\n%s", path, code, out)
		}
		visited := []string{}
		w.world.Look(func(s *sim.State) {
			for host := range s.Visits {
				visited = append(visited, host)
			}
		})
		if slices.ContainsFunc(visited, func(h string) bool { return strings.Contains(h, "raxx.example") }) {
			t.Errorf("%q: it was taken for a site behind the edge: %v", path, visited)
		}
	}
	// The address of the world itself, as `rekey sim` prints it.
	w := newTown(t)
	base, err := url.Parse(w.base)
	if err != nil {
		t.Fatal(err)
	}
	w.rewrite(func(text string) string {
		return strings.Replace(text, "\n  infisical:\n", "\n  infisical:\n    base_url: "+base.JoinPath("infisical").String()+"\n", 1)
	})
	if code, out := w.rekey("check", credential); code != 0 {
		t.Errorf("%d\n%s", code, out)
	}
}

// TestAReferenceIsReadFromTheStoreThatItNames: of two projects in one file the one
// that is named is asked, whatever order a map has.
func TestAReferenceIsReadFromTheStoreThatItNames(t *testing.T) {
	w := newTown(t)
	w.world.Look(func(s *sim.State) {
		s.Infisical.Secrets = append(s.Infisical.Secrets, &sim.StoredSecret{
			ID: "heroku-key", Environment: "prod", Path: "/MooseQuest", Key: "HEROKU_KEY", Versions: []sim.Version{{Value: s.Env["HEROKU_API_KEY"]}},
		})
		delete(s.Env, "HEROKU_API_KEY")
	})
	w.rewrite(func(text string) string {
		text = strings.Replace(text, "\n  infisical:\n", "\n  team-b: {vendor: infisical, token: env:OF_TEAM_B, project: another-project}\n  infisical:\n", 1)
		return strings.Replace(text, "env:HEROKU_API_KEY", "infisical:infisical:prod/MooseQuest/HEROKU_KEY", 1)
	})
	for range 4 {
		if code, out := w.rekey("check", credential); code != 0 {
			t.Fatalf("%d\n%s", code, out)
		}
	}
	w.rewrite(func(text string) string {
		return strings.Replace(text, "infisical:infisical:prod", "infisical:prod", 1)
	})
	if code, out := w.rekey("check", credential); code != exitUsage || !strings.Contains(out, "several vendors are of type infisical (infisical, team-b)") || !strings.Contains(out, "rekey.yaml:") {
		t.Errorf("%d\n%s", code, out)
	}
}
