package sop

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// wrongIn parses the example with something replaced and returns what is told.
func wrongIn(t *testing.T, src string) string {
	t.Helper()
	_, err := Parse("rekey.yaml", []byte(src))
	var problems Problems
	if err == nil || !errors.As(err, &problems) {
		t.Fatalf("nothing is told: %v", err)
	}
	return err.Error()
}

// laughs is a billion laughs in n generations of ten each.
func laughs(n int) string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10))
	}
	return b.String()
}

// TestNoFileHurts: whatever a file holds is told with its place, in bounded time
// and memory.
func TestNoFileHurts(t *testing.T) {
	chain := "a0: &a0 [x]\n"
	for i := 1; i < 200; i++ {
		chain += fmt.Sprintf("a%d: &a%d [*a%d]\n", i, i, i-1)
	}
	var wide strings.Builder
	wide.WriteString("rekey: 1\nvendors: {}\nprocedures:\n  p:\n    applies_to: A<SCOPE>\n    verify:\n")
	for i := range 10_000 {
		fmt.Fprintf(&wide, "      - {url: 'https://h/%d'}\n", i)
	}
	wide.WriteString("credentials:\n")
	for i := range 10_000 {
		fmt.Fprintf(&wide, "  A%d: {}\n", i)
	}
	for name, tt := range map[string]struct{ src, want string }{
		"alias of itself in a list":   {"a: &a [*a]\n" + Example(), "rekey.yaml:1:8: this alias is part of what it refers to"},
		"alias of itself in a map":    {"a: &a\n  b: *a\n" + Example(), "rekey.yaml:2:6: this alias is part of"},
		"alias of what is around it":  {"a: &a {b: [{c: *a}]}\n" + Example(), "rekey.yaml:1:16: this alias is part of"},
		"a billion laughs":            {laughs(9) + Example(), "aliases repeat more than 100000 parts"},
		"a chain of aliases":          {chain + Example(), "nested more than 64 levels"},
		"lists in lists":              {strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "rekey.yaml:1:"},
		"lists that never end":        {strings.Repeat("[", 200_000), "rekey.yaml:1:"},
		"maps in maps":                {strings.Repeat("{a: ", 500) + strings.Repeat("}", 500), "nested more than 64 levels"},
		"indented for ever":           {deep(6000), "rekey.yaml:"},
		"a small file of much":        {wide.String(), "the credentials up to here have more than 12000000 parts"},
		"a second document":           {Example() + "---\ncredentials: {X: {}}\n", "a second document begins here"},
		"a second document, broken":   {Example() + "---\n[\n", "this is not YAML"},
		"larger than any":             {Example() + strings.Repeat("#\n", maxFile/2), "rekey.yaml:1:1: this file is larger than 16 MB"},
		"NUL":                         {"rekey: 1\nvendors: {}\x00\n", "rekey.yaml:2:12: a control character (U+0000)"},
		"an escape":                   {"rekey: 1\n# \x1b[2J\n", "rekey.yaml:2:3: a control character (U+001B)"},
		"no UTF-8":                    {"rekey: 1\nowner: J\xf6rg\n", "rekey.yaml:2:9: the byte 0xf6 here is not UTF-8"},
		"UTF-16 with a mark":          {"\xff\xfer\x00e\x00k\x00e\x00y\x00", "rekey.yaml:1:1: this is UTF-16 text"},
		"UTF-16 without":              {"\x00r\x00e\x00k\x00e\x00y", "rekey.yaml:1:1: this is UTF-16 text"},
		"a tab":                       {"rekey: 1\nvendors:\n\tcloudflare: {}\n", "rekey.yaml:3:1: a tab stands here"},
		"a scalar":                    {"hello", "rekey.yaml:1:1: want object"},
		"a list":                      {"- a\n- b\n", "rekey.yaml:1:1: want object"},
		"a key that is a list":        {Example() + "\n? [a, b]\n: c\n", "a key must be a plain word"},
		"a name with an escape":       {strings.Replace(Example(), "\n  CF_ACCESS_SVC_CONSOLE:", "\n  \"CF\\e[2J\":", 1), `credentials.CF\x1b[2J: this is not a usable name`},
		"a name without an end":       {strings.Replace(Example(), "\n  CF_ACCESS_SVC_CONSOLE:", "\n  "+strings.Repeat("X", 900)+":", 1), "longer than 200 characters"},
		"a former name that is none":  {strings.Replace(Example(), "former: [", "former: [a b, ", 1), "this is not a usable name"},
		"a scope that is none":        {strings.Replace(Example(), "  CF_ACCESS_SVC_CONSOLE:\n", "  CF_ACCESS_SVC_CONSOLE:\n    scope: '<SCOPE>'\n", 1), "this is not a usable name"},
		"mistakes without number":     {Example() + strings.Repeat("k: 1\n", 100_000), "in all were found; the first 200 are shown"},
		"words of a million letters":  {Example() + strings.Repeat("x", 1_000_000) + ": 1\n", "this key is unknown here"},
		"a header that is none":       {strings.Replace(Example(), "          Cookie:", "          'Coo kie':", 1), "verify.0.headers: this is not the name of a header"},
		"a slot that is none":         {strings.Replace(Example(), "        <name>__CLIENT_ID:", "        \"<name> X\\n\":", 1), "this is not the name of a slot"},
		"a hidden escape":             {strings.Replace(Example(), "role: superadmin", `role: "x\e[2J"`, 1), "this text holds U+001B, which cannot be seen"},
		"a hidden direction":          {strings.Replace(Example(), "role: superadmin", "role: x\u202ey", 1), "this text holds U+202E"},
		"a hidden null":               {`journal: "a\0b"` + "\n" + Example(), "rekey.yaml:1:10: this text holds U+0000"},
		"merge keys":                  {"a: &a {b: 1}\nc: {<<: *a}\n" + Example(), "merge keys"},
		"a null byte in a string":     {Example() + "\nx: \"a\\0b\"\n", "this key is unknown here"},
		"nothing but a byte order":    {"\ufeff", "the key rekey is missing"},
		"an anchor without its alias": {"a: *nowhere\n", "rekey.yaml:1:"},
	} {
		t.Run(name, func(t *testing.T) {
			told := wrongIn(t, tt.src)
			if !strings.Contains(told, tt.want) {
				t.Errorf("want %s\n got %.600s", tt.want, told)
			}
			for line := range strings.SplitSeq(told, "\n") {
				if !strings.HasPrefix(line, "rekey.yaml:") {
					t.Errorf("no place is told: %.200s", line)
				}
			}
		})
	}
}

func deep(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()[:min(b.Len(), maxFile-1)]
}

// TestAnyLineEndingAndAliasesAreFine: what is odd and not wrong is read.
func TestAnyLineEndingAndAliasesAreFine(t *testing.T) {
	for name, src := range map[string]string{
		"CRLF":                   strings.ReplaceAll(Example(), "\n", "\r\n"),
		"a byte order mark":      "\ufeff" + Example(),
		"a document's end":       "---\n" + Example() + "...\n",
		"an empty second":        Example() + "---\n",
		"an alias for a mapping": strings.Replace(strings.Replace(Example(), "    issuer:", "    issuer: &it", 1), "  CF_ACCESS_SVC_CONSOLE:\n", "  CF_ACCESS_SVC_CONSOLE:\n    issuer: *it\n", 1),
	} {
		c, err := Parse("rekey.yaml", []byte(src))
		if err != nil || len(c.Specs) != 2 || c.Specs[0].Issuer.Kind != "access-service-token" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestADeviceIsNoConfiguration: reading ends, whatever the path leads to.
func TestADeviceIsNoConfiguration(t *testing.T) {
	if _, err := os.Stat("/dev/zero"); err != nil {
		t.Skip("NEEDS /dev/zero; CI runs it on Linux")
	}
	if _, err := Load("/dev/zero"); err == nil || !strings.Contains(err.Error(), "/dev/zero:1:1: this file is larger than 16 MB") {
		t.Errorf("%v", err)
	}
	if _, err := Load(t.TempDir()); err == nil {
		t.Error("a folder is read")
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// TestLengthsThatOverflowOrAreNothing: no length of time wraps around into
// another, wherever it is written, and none is nothing where that has no meaning.
func TestLengthsThatOverflowOrAreNothing(t *testing.T) {
	for _, s := range []string{"200000d", "99999999999999999999h", "5200w9999999d", "1" + strings.Repeat("0", 400) + "ms", "36500d1s"} {
		if d, err := ParseDuration(s); err == nil || !strings.Contains(err.Error(), "longer than 100 years") {
			t.Errorf("%.40s is %s, %v", s, d, err)
		}
	}
	if d, err := ParseDuration("36500d"); err != nil || d != 36500*24*time.Hour {
		t.Errorf("%s %v", d, err)
	}
	inTiming := func(key, length string) string {
		return strings.Replace(Example(), "    cadence:", "    timing: {"+key+": "+length+"}\n    cadence:", 1)
	}
	for key, nothing := range map[string]bool{"poll": true, "validate": true, "settle": true, "verify": true, "confirm": true, "quiet": false, "watch": false, "soak": false} {
		if told := wrongIn(t, inTiming(key, "200000d")); !strings.Contains(told, "timing."+key+": this is longer than 100 years") {
			t.Errorf("%s: %s", key, told)
		}
		_, err := Parse("rekey.yaml", []byte(inTiming(key, "0s")))
		if nothing != (err != nil && strings.Contains(err.Error(), "timing."+key+": zero makes no sense here")) {
			t.Errorf("%s: 0s gives %v", key, err)
		}
		if nothing {
			if told := wrongIn(t, inTiming(key, "0.0000000001ms")); !strings.Contains(told, "zero makes no sense") {
				t.Errorf("%s, rounded to nothing: %s", key, told)
			}
		}
	}
	for _, old := range []string{"cadence: 90d", "before_expiry: 14d", "duration: 8760h"} {
		key, _, _ := strings.Cut(old, ":")
		for length, want := range map[string]string{"0h": "zero makes no sense", "99999999h": "longer than 100 years", "200000d": "36500d"} {
			if told := wrongIn(t, strings.Replace(Example(), old, key+": "+length, 1)); !strings.Contains(told, want) {
				t.Errorf("%s: %s: %s", key, length, told)
			}
		}
	}
}

// TestOneRuleForEveryAddress: https except on this machine, wherever an address
// is written.
func TestOneRuleForEveryAddress(t *testing.T) {
	base := func(vendor string) func(address string) string {
		return func(address string) string {
			return strings.Replace(Example(), "\n  "+vendor+":\n", "\n  "+vendor+":\n    base_url: '"+address+"'\n", 1)
		}
	}
	places := map[string]func(string) string{
		"vendors.cloudflare.base_url": base("cloudflare"), "vendors.heroku.base_url": base("heroku"), "vendors.infisical.base_url": base("infisical"),
		"validate.0.url": func(a string) string {
			return strings.Replace(Example(), "https://<scope>.raxx.app/health", a, 1)
		},
		"verify.0.url": func(a string) string {
			return strings.Replace(Example(), "- url: https://console.raxx.app/api/status/sites", "- url: '"+a+"'", 1)
		},
		"identity.oidc.issuer": func(a string) string { return Example() + "\nidentity:\n  oidc: [{issuer: '" + a + "'}]\n" },
	}
	for place, with := range places {
		for _, bad := range []string{"http://api.example.com", "api.example.com", "api.example.com:443/x", "//api.example.com", "ftp://api.example.com", "https://", "https://:443", "https://api.example.com:99999", "https://api.example.com:123456", "https:api.example.com", "HTTP://127.0.0.1.example.com", "https://user:pw@api.example.com", "https://api.example.com/ x", "http://localhost.example.com", "http://10.0.0.1", "http://[2001:db8::1]"} {
			if told := wrongIn(t, with(bad)); !strings.Contains(told, place+":") {
				t.Errorf("%s: %s: %s", place, bad, told)
			} else if strings.Contains(told, "user:pw") {
				t.Errorf("%s: the password is told: %s", place, told)
			}
		}
		for _, good := range []string{"https://api.example.com/v1", "HTTPS://api.example.com", "http://127.0.0.1:8080", "http://localhost", "http://LOCALHOST:8080", "http://[::1]:80/x"} {
			if _, err := Parse("rekey.yaml", []byte(with(good))); err != nil {
				t.Errorf("%s: %s: %v", place, good, err)
			}
		}
	}
}

// TestUnknownWordsInPatterns: <scop> would stand in a name as it is written.
func TestUnknownWordsInPatterns(t *testing.T) {
	for old, tt := range map[string]struct{ by, want string }{
		"name: raxx-<scope>":             {"name: raxx-<scop>", "issuer.name: <scop> is not known here: want <name>, <scope>, <SCOPE>, or in issuer.name <date> and <run> (did you mean scope?)"},
		"-svc-<date>":                    {"-svc-<Date>", "<Date> is not known here"},
		"-<scope>-svc-":                  {"-< scope >-svc-", "issuer.name: < scope > is not known here"},
		"name: raxx-<scope>-":            {"name: raxx-<scope-", "issuer.name: a placeholder is begun here and never closed"},
		"raxx-<scope>-svc-<date>":        {"raxx-<>-svc-<date>", "issuer.name: <> is not known here"},
		"        <name>: \"{client_id}:": {"        <name>_<date>: \"{client_id}:", "<date> can be used in issuer.name only"},
		"https://<scope>.":               {"https://<scpoe>.", "validate.0.url: <scpoe> is not known here"},
	} {
		if told := wrongIn(t, strings.Replace(Example(), old, tt.by, 1)); !strings.Contains(told, tt.want) {
			t.Errorf("%s: want %s\n got %s", tt.by, tt.want, told)
		}
	}
	src := strings.Replace(Example(), "        jq: ", "        jq: '.a<.b and .b>.c' #", 1)
	if _, err := Parse("rekey.yaml", []byte(src)); err != nil {
		t.Errorf("jq has < of its own: %v", err)
	}
}

// TestUnknownFilters: told where it stands, with those that there are.
func TestUnknownFilters(t *testing.T) {
	told := wrongIn(t, strings.Replace(Example(), `<name>: "{client_id}:`, `<name>: "{client_id|uri}:`, 1))
	if want := `there is no filter "uri"; want {client_id|url}, |json, |base64 or |sh`; !strings.Contains(told, want) || !regexp.MustCompile(`rekey\.yaml:\d+:\d+`).MatchString(told) {
		t.Errorf("want %s\n got %s", want, told)
	}
	if _, err := Parse("rekey.yaml", []byte(strings.Replace(Example(), `<name>: "{client_id}:`, `<name>: "{client_id|url|json}:`, 1))); err != nil {
		t.Error(err)
	}
}

// TestNamesAreCountedAsTheVendorWillSeeThem: with the date, the run's label and
// the rehearsal's word, before anything is made.
func TestNamesAreCountedAsTheVendorWillSeeThem(t *testing.T) {
	named := func(n int, more string) string {
		src := strings.Replace(Example(), "kind: access-service-token", "kind: user-api-token", 1)
		src = strings.Replace(src, "name: raxx-<scope>-svc-<date>", "name: "+strings.Repeat("n", n)+more, 1)
		return strings.ReplaceAll(src, "      duration: 8760h\n", "")
	}
	told := wrongIn(t, named(120, ""))
	if !strings.Contains(told, "issuer.name: this name becomes") || !strings.Contains(told, "and the vendor takes 120") {
		t.Errorf("%s", told)
	}
	count := func(src string) int {
		_, err := Parse("rekey.yaml", []byte(src))
		if err == nil {
			return 0
		}
		var n int
		if i := strings.Index(err.Error(), "becomes "); i >= 0 {
			_, _ = fmt.Sscanf(err.Error()[i:], "becomes %d", &n)
		}
		return n
	}
	plain := count(named(200, ""))
	for more, longer := range map[string]int{"-<date>": 11, "<run>": -1} {
		if got := count(named(200, more)); got != plain+longer {
			t.Errorf("%s makes it %d, without %d", more, got, plain)
		}
	}
	if told := wrongIn(t, strings.Replace(Example(), "name: raxx-<scope>-svc-<date>", `name: "raxx\u200b-<date>"`, 1)); !strings.Contains(told, "the character U+200B in this name cannot be seen") {
		t.Errorf("%s", told)
	}
}

// FuzzParse: every file is read or told, with its places.
func FuzzParse(f *testing.F) {
	for _, src := range []string{Example(), "a: &a [*a]", laughs(4), "---\n---\n", "\ufeff", "{", "? [a]\n: b", "rekey: 1\ncredentials: {A: {issuer: {name: <x>}}}"} {
		f.Add([]byte(src))
	}
	if wrong, err := os.ReadFile("testdata/wrong.yaml"); err == nil {
		f.Add(wrong)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		_, err := Parse("rekey.yaml", src)
		var problems Problems
		if err != nil && !errors.As(err, &problems) {
			t.Fatalf("told without a place: %v", err)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Col < 1 || strings.Contains(p.String(), "\n") {
				t.Fatalf("%+v", p)
			}
		}
	})
}

// TestWhereTheSimulatedWorldIs: an empty word means the real vendors, for which the
// rule of addresses holds, and nobody's credentials are sent about in clear text to
// something that is called simulated.
func TestWhereTheSimulatedWorldIs(t *testing.T) {
	with := func(simulate string) string {
		return strings.Replace(Example(), "rekey: 1\n", "rekey: 1\nsimulate: '"+simulate+"'\n", 1)
	}
	for simulate, want := range map[string]string{
		"":                     "simulate: this is empty",
		"http://10.0.0.1:7777": "simulate: a credential is sent there, so it must be https",
		"https://user:pw@x":    "simulate: an address must not carry a user or password",
		"ftp://127.0.0.1":      "simulate: this is not an address",
		"127.0.0.1:7777":       "simulate: an address begins with http://",
	} {
		if told := wrongIn(t, with(simulate)); !strings.Contains(told, want) {
			t.Errorf("%q: want %s\n got %s", simulate, want, told)
		}
	}
	for _, good := range []string{"world.json", "/srv/world", `C:\world`, "http://127.0.0.1:7777", "https://sim.example.com"} {
		if _, err := Parse("rekey.yaml", []byte(with(good))); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	empty := strings.Replace(with(""), "- url: https://<scope>.", "- url: http://<scope>.", 1)
	if told := wrongIn(t, empty); !strings.Contains(told, "so it must be https") {
		t.Errorf("an empty simulate lets credentials go in clear text: %s", told)
	}
}
