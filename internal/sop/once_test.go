package sop

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestTogetherIsAsAlone: what is worked out once for all credentials of a procedure
// comes to what each comes to in a file of its own, right or wrong.
func TestTogetherIsAsAlone(t *testing.T) {
	head, _, _ := strings.Cut(Example(), "\ncredentials:\n")
	head += "\ncredentials:\n"
	consumers := "    consumers: [{app: shop}]\n"
	all := []string{
		"  CF_ACCESS_SVC_A:\n" + consumers,
		"  CF_ACCESS_SVC_B:\n    former: [OLD_B]\n    consumers: [{app: shop-b, slots: {<name>_X: \"{client_secret}\"}}, {app: two}]\n",
		"  CF_ACCESS_SVC_C:\n    store: {path: /other/<scope>/}\n    consumers: [{app: c}]\n",
		"  CF_ACCESS_SVC_D:\n    store: {path: /other/<name>/}\n    cadence: 30d\n    consumers: [{app: d}]\n",
		"  CF_ACCESS_SVC_E:\n    store: {path: 7}\n    consumers: [{app: e}]\n",                      // wrong
		"  CF_ACCESS_SVC_F:\n    store: {path: 7}\n    consumers: [{app: f}]\n",                      // wrong in the same way
		"  CF_ACCESS_SVC_G:\n    verify: [{url: https://x, jq: '.[}'}]\n    consumers: [{app: g}]\n", // wrong
		"  CF_ACCESS_SVC_H:\n    verify: [{url: https://x, jq: '.a == \"<scope>\"'}]\n    consumers: [{app: h}]\n",
		"  CF_ACCESS_SVC_I:\n    verify: [{url: https://x, jq: '.a == \"<scope>'}]\n    consumers: [{app: i}]\n", // wrong
		"  CF_ACCESS_SVC_J:\n    issuer: {duration: 1h, unknown: x}\n    consumers: [{app: j}]\n",                // wrong
		"  CF_ACCESS_SVC_K:\n    scope: Other\n    consumers: [{app: k, app: l}]\n",                              // wrong
		"  CF_ACCESS_SVC_L: text\n", // wrong
	}
	told := map[string]bool{}
	right := head
	want := []string{}
	for _, one := range all {
		c, err := Parse("rekey.yaml", []byte(head+one))
		if err != nil {
			for _, p := range err.(Problems) {
				told[p.Path+": "+p.Msg] = true
			}
			continue
		}
		right += one
		want = append(want, asJSON(t, c.Specs[0]))
	}
	c, err := Parse("rekey.yaml", []byte(right))
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range c.Specs {
		if got := asJSON(t, s); got != want[i] {
			t.Errorf("%s\n together %s\n alone    %s", s.Name, got, want[i])
		}
	}
	_, err = Parse("rekey.yaml", []byte(head+strings.Join(all, "")))
	if err == nil {
		t.Fatal("nothing is told")
	}
	for _, p := range err.(Problems) {
		if key := p.Path + ": " + p.Msg; !told[key] {
			t.Errorf("told together and not alone: %s", p)
		} else {
			delete(told, key)
		}
	}
	for key := range told {
		t.Errorf("told alone and not together: %s", key)
	}
}

func asJSON(t *testing.T, s Spec) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestAProcedureIsWorkedOutOnce counts what one more credential of a procedure
// allocates: its procedure laid out anew, checked and compiled came to 620.
func TestAProcedureIsWorkedOutOnce(t *testing.T) {
	count := func(n int) float64 {
		src := many(n)
		return testing.AllocsPerRun(1, func() {
			if _, err := Parse("rekey.yaml", src); err != nil {
				t.Fatal(err)
			}
		})
	}
	for _, n := range []int{200, 2000} { // and one more costs the same, however many there are
		if got := (count(2*n) - count(n)) / float64(n); got > 290 {
			t.Errorf("one more than %d costs %.0f allocations, want 290", n, got)
		}
	}
	p := &parser{once: newOnce()}
	for i := range 50 {
		if err := p.compiles(Check{JQ: fmt.Sprintf(`.sites[] | select(.id=="n%d-prod").liveness.ok`, i)}); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.programs) != 1 {
		t.Errorf("%d programs were compiled, want one", len(p.programs))
	}
}

// FuzzSkeleton: an expression compiles just when its skeleton does.
func FuzzSkeleton(f *testing.F) {
	for _, s := range []string{`.a=="x"`, `.a=="`, `. # "`, `"\(1)"`, `"a" "b"`, `{"a":1}."a"`, `.["x"]`, `@base64 "x"`, `@base64d "a" as $x | $x`, `import "a" as b; .`, `include "x"; .`, `"<" + "a\n"`, `."a".b`, `def f: "x"; f`, `.a as {"b": $c} | $c`, `reduce .[] as $x ("a"; . + $x)`, `label $out | "x"`, `{"a"}`, `{"a b": 1}`, `{"$__loc__"}`, `try error("x") catch .`, `"x" as [$a, {"b": $c}] | $a`, `{@json "x": 1}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, jq string) {
		bones, ok := skeleton(jq)
		if !ok {
			return
		}
		_, whole := Check{JQ: jq}.Code()
		_, bare := Check{JQ: bones}.Code()
		if (whole == nil) != (bare == nil) {
			t.Errorf("%q: %v\n%q: %v", jq, whole, bones, bare)
		}
	})
}
