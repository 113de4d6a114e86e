package secret

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"strings"
	"testing"
	"text/template"

	"go.yaml.in/yaml/v4"

	"rekey/internal/cred"
)

const canary = "canary-value-71f0"

// holders are the ways in which a value ends up inside something that is printed.
func holders() map[string]any {
	v := New(canary)
	type hidden struct{ v Value }
	type shown struct{ V Value }
	return map[string]any{
		"value": v, "pointer": &v, "in a field": shown{v}, "in a hidden field": hidden{v}, "pointer to struct": &shown{v},
		"list": []Value{v}, "map": map[string]Value{"k": v}, "bundle": Bundle{"k": v}, "in any": []any{v},
		"deep": map[string]any{"a": []any{shown{v}, &hidden{v}}}, "keyer": NewKeyer(v), "wrapped": fmt.Errorf("failed with %v", v),
		"error": errors.Join(fmt.Errorf("%+v", shown{v}), fmt.Errorf("%#v", hidden{v})),
	}
}

// TestNothingPrintsASecret tries every printer there is on every holder.
func TestNothingPrintsASecret(t *testing.T) {
	for name, h := range holders() {
		texts := map[string]string{}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T", "%p", "%08v", "%.3s", "%w"} {
			texts[verb] = fmt.Sprintf(verb, h)
		}
		var buf bytes.Buffer
		log.New(&buf, "", 0).Print(h)
		slog.New(slog.NewTextHandler(&buf, nil)).Info("x", "h", h)
		slog.New(slog.NewJSONHandler(&buf, nil)).Info("x", "h", h)
		_ = template.Must(template.New("").Parse("{{.}}{{printf \"%s\" .}}")).Execute(&buf, h)
		_ = xml.NewEncoder(&buf).Encode(h)
		_ = gob.NewEncoder(&buf).Encode(h)
		j, _ := json.Marshal(h)
		func() {
			defer func() { _ = recover() }() // yaml panics on what it may not encode
			y, _ := yaml.Marshal(h)
			texts["yaml"] = string(y)
		}()
		texts["loggers and encoders"], texts["json"] = buf.String(), string(j)
		for how, text := range texts {
			for _, s := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), canary[:6]} {
				if strings.Contains(text, s) {
					t.Errorf("%s by %s: %s", name, how, text)
				}
			}
		}
	}
}

// TestEncodersRefuse: a placeholder would be stored one day and taken for the secret.
func TestEncodersRefuse(t *testing.T) {
	v := New(canary)
	for how, f := range map[string]func() error{
		"json":       func() error { _, err := json.Marshal(v); return err },
		"json field": func() error { _, err := json.Marshal(struct{ V Value }{v}); return err },
		"text":       func() error { _, err := v.MarshalText(); return err },
		"yaml":       func() error { _, err := v.MarshalYAML(); return err },
		"gob":        func() error { return gob.NewEncoder(&bytes.Buffer{}).Encode(v) },
	} {
		if err := f(); !errors.Is(err, ErrEncode) {
			t.Errorf("%s: %v", how, err)
		}
	}
}

func TestValue(t *testing.T) {
	var zero, fromNull Value
	if zero.Present() || New("").Present() || !New("x").Present() || zero.Reveal() != "" {
		t.Error("present is wrong")
	}
	if !New("a").Equal(New("a")) || New("a").Equal(New("b")) || New("a").Equal(New("aa")) || !zero.Equal(New("")) {
		t.Error("equal is wrong")
	}
	for in, want := range map[string]string{`"a\"b\u00e4\n"`: "a\"bä\n", `""`: ""} {
		var v Value
		if err := json.Unmarshal([]byte(in), &v); err != nil || v.Reveal() != want {
			t.Errorf("%s: %v", in, err)
		}
	}
	if err := json.Unmarshal([]byte("null"), &fromNull); err != nil || fromNull.Present() {
		t.Errorf("null: %v", err)
	}
	for _, bad := range []string{`{"x":"` + canary + `"}`, `["` + canary + `"]`, `7`} {
		var v Value
		if err := json.Unmarshal([]byte(bad), &v); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestBundleNeverRendersWhatIsMissing: T01 and T02 wrote null and nothing.
func TestBundleNeverRendersWhatIsMissing(t *testing.T) {
	b := Bundle{"id": New("i"), "empty": New(""), "secret": New("a:b{id}")}
	for in, want := range map[string]string{"{id}:{secret}": "i:a:b{id}", "{secret}": "a:b{id}", "x{id}y": "xiy"} {
		tm, err := cred.ParseTemplate(in)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := b.Render(tm); err != nil || v.Reveal() != want {
			t.Errorf("%s: %v", in, err)
		}
	}
	for _, in := range []string{"{empty}", "{id}:{missing}", "{id}:{empty}"} {
		tm, err := cred.ParseTemplate(in)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := b.Render(tm); err == nil || v.Present() {
			t.Errorf("%s was rendered", in)
		}
	}
	if b.Complete([]string{"id", "empty"}) || b.Complete(nil) || !b.Complete([]string{"id", "secret"}) {
		t.Error("complete is wrong")
	}
}

// TestFingerprints: the same value gives the same one, another key another, and
// neither gives the value away.
func TestFingerprints(t *testing.T) {
	k, other := NewKeyer(New("key")), NewKeyer(New("another"))
	if k.Of(New("a")) != k.OfText("a") || k.Of(New("a")) == k.Of(New("b")) || k.Of(New("a")) == other.Of(New("a")) {
		t.Error("fingerprints do not tell values apart")
	}
	if k.Of(Value{}) != "" || k.Of(New("")) != "" || len(k.Of(New("a"))) != 2*fingerprintBytes {
		t.Errorf("%q, %q", k.Of(Value{}), k.Of(New("a")))
	}
}
