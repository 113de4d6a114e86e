package providertest_test

import (
	"strings"
	"testing"

	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/providertest"
	"rekey/internal/secret"
)

func toyHarness(wrong string) providertest.Harness {
	return providertest.Harness{
		Vendor:     toyDescriptor(wrong),
		Connection: `{"token":["env:TOY_TOKEN"]}`,
		Issuers:    map[string]string{"key": `{}`},
		Store:      `{}`, Consumer: `{}`, Slots: []string{"A", "B"},
		Double: func(providertest.T) *providertest.Double {
			w := &toyWorld{token: "toy-token-0123456789", keys: map[string]string{"first": "old"}, held: map[string]string{"A": "a", "B": "b"},
				file: outside.File{Content: secret.New(`{"A":"a","B":"b"}`), Mode: 0o600}}
			return &providertest.Double{Ways: w, Env: map[string]string{"TOY_TOKEN": w.token}}
		},
	}
}

// TestADriverThatSpeaksNoHTTPPasses: connections, files and programs are enough.
func TestADriverThatSpeaksNoHTTPPasses(t *testing.T) { providertest.Run(t, toyHarness("")) }

// found runs the suite on a harness and returns every mistake that it told.
func found(t *testing.T, h providertest.Harness) string {
	var b strings.Builder
	r := providertest.NewReport(t.Context(), func(l providertest.Line) {
		if l.Kind == providertest.Found {
			b.WriteString(l.Test + ": " + l.Text + "\n")
		}
	})
	providertest.Run(r, h)
	if (b.Len() > 0) != r.Failed() {
		t.Errorf("failed is told as %v, with these mistakes:\n%s", r.Failed(), b.String())
	}
	return b.String()
}

// TestEveryMistakeIsFound: a driver that is wrong in one way does not pass, and is told
// what is wrong.
func TestEveryMistakeIsFound(t *testing.T) {
	for wrong, says := range map[string]string{
		"":                  "",
		"believes a cut":    "it calls that done",
		"quotes":            "the canary stands in the error",
		"denies too much":   "nobody said refused",
		"tells nothing":     "nothing was told of",
		"retries":           "it tried again: 2 connections and programs, and 1",
		"looks and changes": "by what it tells it does: false",
		"cuts names":        "a name of 41 characters became one of 40",
		"piecewise":         "1 of the slots were written and the others not",
		"takes any exit":    "it calls that done",
		"claims too much":   "can switch it off, and the code cannot",
	} {
		t.Run(wrong, func(t *testing.T) {
			t.Parallel()
			got := found(t, toyHarness(wrong))
			if !strings.Contains(got, says) || (got == "") != (wrong == "") {
				t.Errorf("want %q, got:\n%s", says, got)
			}
		})
	}
}

// TestASuiteThatRanNothingIsNotPassed: no role, a role that the harness leaves out, no
// world, a world without anything in it.
func TestASuiteThatRanNothingIsNotPassed(t *testing.T) {
	with := func(change func(*providertest.Harness)) providertest.Harness {
		h := toyHarness("")
		change(&h)
		return h
	}
	for says, h := range map[string]providertest.Harness{
		"names no role": with(func(h *providertest.Harness) {
			h.Vendor.Issuers, h.Vendor.Store, h.Vendor.Consumer = nil, nil, nil
			h.Issuers, h.Store, h.Consumer = nil, "", ""
		}),
		"no operation of store was carried out": with(func(h *providertest.Harness) { h.Store = "" }),
		"the harness has no Double":             with(func(h *providertest.Harness) { h.Double = nil }),
		"the world has none":                    with(func(h *providertest.Harness) { empty(h) }),
		"no operation was carried out at all": with(func(h *providertest.Harness) {
			h.Lacks = []string{"key: list", "key: create", "key: works", "key: revoke", "store: read", "store: write", "store: remove",
				"consumer: snapshot", "consumer: progress", "consumer: write"}
		}),
		"no fault was met": with(func(h *providertest.Harness) { *h = providertest.Harness{Vendor: provider.Descriptor{Name: "none"}} }),
	} {
		if got := found(t, h); !strings.Contains(got, says) {
			t.Errorf("want %q, got:\n%s", says, got)
		}
	}
}

// empty takes from the world what the operations need.
func empty(h *providertest.Harness) {
	whole := h.Double
	h.Double = func(t providertest.T) *providertest.Double {
		d := whole(t)
		d.Ways.(*toyWorld).keys = map[string]string{}
		return d
	}
}
