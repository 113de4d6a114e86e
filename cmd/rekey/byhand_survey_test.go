package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

// TestByHandWhoElseHoldsItIsFound: before the old one is switched off the page finds
// whoever holds it, however it is written there; what could not be seen is not
// "nobody". It stops, and goes on only past what a person has named.
func TestByHandWhoElseHoldsItIsFound(t *testing.T) {
	t.Parallel()
	h := atHand(t, "", "", func(s *sim.State) {
		stage.Scatter(s)
		c := s.Cloudflare.Tokens[0]
		coded := base64.StdEncoding.EncodeToString([]byte("x:" + c.Secret))
		stage.AddApp(s, "raxx-coded", map[string]string{"HEADER": "Basic " + coded, "WRAPPED": coded[:40] + "\n" + coded[40:] + "\n", "LITERAL": coded[:64] + `\n` + coded[64:],
			"HEX": hex.EncodeToString([]byte(c.Secret)), "LINE": c.Secret + "\n", "HALF": c.Secret[:len(c.Secret)/2] + "-" + c.Secret[len(c.Secret)/2:]})
		stage.AddApp(s, "raxx-private", map[string]string{}).Closed = true
	})
	before := h.world().Cloudflare.Tokens[0].Secret
	survey := blocks(t, h.page, "\n#### Check who else holds the old one before ", "\n### 7. ")
	// What the registered slots hold is passed over, so it is the same before the switch and after.
	if err := h.follow("", h.steps("\n### 2. ")); err != nil {
		t.Fatalf("%v\n%s", err, h.said.String())
	}
	if err := h.follow("", h.again(), survey); err == nil {
		t.Error("it does not stop")
	}
	said := h.said.String()
	for _, want := range []string{
		stage.Other + " holds it in EDGE_TOKEN\n", "raxx-worker holds it in ACCESS_SECRET, SETTINGS\n", "raxx-console-prod holds it in OLD_EDGE_TOKEN\n",
		"raxx-coded holds it in HALF, HEADER, HEX, LINE, LITERAL, WRAPPED\n", "raxx-private could not be seen", "STOP: not while",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
	if strings.Contains(said, "raxx-docs") || strings.Contains(said, "hunter2") || strings.Contains(said, "ok: nobody else") {
		t.Errorf("a public half counts as the secret, or more is told than names:\n%s", said)
	}
	// One that nobody has named still stops it.
	decide := func(names ...string) {
		if err := os.WriteFile(filepath.Join(h.desk(), "despite"), []byte(strings.Join(names, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	decide(stage.Other, "raxx-worker", "raxx-coded", "raxx-console-prod")
	if err := h.follow("", h.again(), survey); err == nil {
		t.Error("what could not be seen counts as nobody")
	}
	decide(stage.Other, "raxx-worker", "raxx-coded", "raxx-console-prod", "raxx-private")
	if err := h.follow("", h.again(), survey); err != nil {
		t.Errorf("%v\n%s", err, h.said.String())
	}
	if strings.Contains(h.said.String(), before) {
		t.Error("the old secret was shown")
	}
	h.clean(false)
}

// TestByHandEveryPageOfAList: half a list of apps would be half a look.
func TestByHandEveryPageOfAList(t *testing.T) {
	t.Parallel()
	h := atHand(t, "", "", func(s *sim.State) {
		for i := range 420 { // 200 are a page
			stage.AddApp(s, fmt.Sprint("raxx-filler-", i), nil)
		}
	})
	count := `( set -euo pipefail; cd "$DESK"; heroku_all /apps; jq '"\(map(.name) | unique | length) apps"' heroku.json )`
	if err := h.follow("", h.steps("\n#### Observe\n"), []string{count}); err != nil || !strings.Contains(h.said.String(), fmt.Sprint(len(h.world().Heroku.Apps), " apps")) {
		t.Errorf("%v\n%s", err, h.said.String())
	}
}
