package sop

import (
	"errors"
	"strings"
	"testing"
)

func withEvidence(block string) (*Config, error) {
	return Parse("rekey.yaml", []byte(Example()+"\n"+block))
}

// TestEvidenceIsRead: each way out of the machine, with a name that is the same as
// long as it is the same place.
func TestEvidenceIsRead(t *testing.T) {
	c, err := withEvidence(`evidence:
  origin: example.com/rekey
  key: [env:REKEY_EVIDENCE_KEY, file:key]
  checkpoints:
    - file: /mnt/audit/checkpoints.txt
    - webhook:
        url: env:EVIDENCE_HOOK
        headers: {Authorization: env:EVIDENCE_TOKEN}
    - store: {vendor: infisical, path: /audit/, environment: prod, slot: REKEY_CHECKPOINT}
`)
	if err != nil {
		t.Fatal(err)
	}
	e := c.Evidence
	if e.Origin != "example.com/rekey" || len(e.Key) != 2 || len(e.Sinks) != 3 {
		t.Fatalf("%+v", e)
	}
	names := []string{}
	for _, s := range e.Sinks {
		names = append(names, s.Name)
	}
	if got, want := strings.Join(names, " "), "file:/mnt/audit/checkpoints.txt webhook:env:EVIDENCE_HOOK store:infisical:/audit/REKEY_CHECKPOINT"; got != want {
		t.Errorf("names %s, want %s", got, want)
	}
	if s := e.Sinks[2]; s.Slot != "REKEY_CHECKPOINT" || string(s.Store.Settings) != `{"environment":"prod","path":"/audit/"}` || s.Store.Vendor != "infisical" {
		t.Errorf("%+v", s)
	}
	if w := e.Sinks[1].Webhook; w == nil || w.Headers["Authorization"][0] != "env:EVIDENCE_TOKEN" {
		t.Errorf("%+v", w)
	}
	for _, p := range c.Advice {
		if strings.Contains(p.Path, "evidence") {
			t.Errorf("advice where none is due: %s", p)
		}
	}
}

// TestEvidenceMistakes are all told, with their places; a written-down address is
// not quoted.
func TestEvidenceMistakes(t *testing.T) {
	_, err := withEvidence(`evidence:
  origin: two words
  key: PRIVATE+KEY+x
  checkpoints:
    - file: a
      webhook: {url: env:X}
    - webhook: {url: https://hooks.example.com/hunter2}
    - webhook: {}
    - store: {vendor: heroku, slot: X}
    - store: {vendor: infisicla, slot: X}
    - store: {vendor: infisical, slot: X, path: audit}
    - store: {vendor: infisical, slot: X, path: /a, environment: prod, app: x}
    - file: b
    - file: b
    - {}
  sent: nowhere
`)
	var ps Problems
	if !errors.As(err, &ps) {
		t.Fatal(err)
	}
	text := ps.Error()
	for _, want := range []string{
		"evidence.origin: expected a name without spaces",
		"evidence.key: a secret is named by reference",
		"evidence.checkpoints.0: expected file, webhook or store",
		"evidence.checkpoints.1.webhook.url: a secret is named by reference",
		"evidence.checkpoints.2.webhook: the key url is missing",
		"evidence.checkpoints.3.store.vendor: heroku cannot be a store; stores are ",
		"evidence.checkpoints.4.store.vendor: there is no vendor of this name under vendors (did you mean infisical?)",
		"evidence.checkpoints.5.store.path: expected a path that begins with /",
		"evidence.checkpoints.5.store: the key environment is missing",
		"evidence.checkpoints.6.store.app: this key is unknown here",
		"evidence.checkpoints.8: file:b is given twice",
		"evidence.checkpoints.9: expected file, webhook or store",
		"evidence.sent: this key is unknown here",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not told: %s", want)
		}
	}
	for _, p := range ps {
		if p.Line < 70 {
			t.Errorf("no place: %s", p)
		}
	}
	if strings.Contains(text, "hunter2") || strings.Contains(text, "PRIVATE") {
		t.Error("a secret is quoted")
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestEvidenceAdvice: what never leaves the machine proves nothing against whoever
// can write there.
func TestEvidenceAdvice(t *testing.T) {
	for block, want := range map[string]string{
		"":                                    "checkpoints never leave this machine",
		"evidence: {origin: example.com/x}\n": "checkpoints never leave this machine",
		"evidence: {checkpoints: [{file: .rekey/checkpoints}]}\n": "lies in the journal's own folder",
	} {
		c, err := withEvidence(block)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(c.Advice.Error(), want) {
			t.Errorf("%q: %s", block, c.Advice.Error())
		}
	}
	c, err := withEvidence("simulate: world.json\n")
	if err != nil || strings.Contains(c.Advice.Error(), "checkpoints") {
		t.Errorf("practice is advised: %v %v", c.Advice, err)
	}
}
