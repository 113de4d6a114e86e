package contract_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"rekey/internal/contract"
)

// TestTrueExchangesPass: what the vendors show on their own pages is no violation.
func TestTrueExchangesPass(t *testing.T) {
	for _, s := range samples {
		if v := contract.Check(s.exchange()); len(v.Violations) > 0 || v.Operation == "" {
			t.Errorf("%s: %q %v", s.name, v.Operation, v.Violations)
		}
	}
}

// broken is a sample with one thing wrong.
type broken struct {
	what string
	part string // that has to be told
	x    contract.Exchange
}

// TestBrokenExchangesAreSeen breaks every sample in every way that applies: a
// validator that sees nothing would pass every run.
func TestBrokenExchangesAreSeen(t *testing.T) {
	n := 0
	for _, s := range samples {
		list := slices.Concat(s.wrongEnvelope(), s.wrongBody(), s.wrongAnswer())
		if len(list) < 8 {
			t.Errorf("%s: broken in %d ways only", s.name, len(list))
		}
		for _, b := range list {
			n++
			v := contract.Check(b.x)
			if !slices.ContainsFunc(v.Violations, func(x contract.Violation) bool { return x.Part == b.part }) {
				t.Errorf("%s, %s: nothing is told of the %s: %v", s.name, b.what, b.part, v.Violations)
			}
		}
	}
	t.Logf("%d broken exchanges of %d true ones", n, len(samples))
	if n < 400 {
		t.Errorf("only %d mutations", n)
	}
}

// wrongEnvelope: everything but the bodies.
func (s sample) wrongEnvelope() []broken {
	var out []broken
	add := func(what, part string, change func(*contract.Exchange)) {
		x := s.exchange()
		u := *x.URL
		x.URL = &u
		change(&x)
		out = append(out, broken{what, part, x})
	}
	add("an unknown query value", "query", func(x *contract.Exchange) {
		q := x.URL.Query()
		q.Set("unheard_of", "1")
		x.URL.RawQuery = q.Encode()
	})
	add("a path that is not published", "operation", func(x *contract.Exchange) { x.URL.Path += "/unheard/of/this" })
	add("a method that is not published", "operation", func(x *contract.Exchange) { x.Method = "TRACE" })
	if s.heroku() {
		add("a name that no app can have", "path", func(x *contract.Exchange) {
			x.URL.Path = strings.NewReplacer("/apps/example", "/apps/No_App!", "/apps/"+hkUUID, "/apps/No_App!", "/pipelines/"+hkUUID, "/pipelines/raxx").Replace(x.URL.Path)
			if x.URL.Path == "/oauth/authorizations" {
				x.Method, x.URL.Path, x.Body, x.Status = "DELETE", x.URL.Path+"/~", nil, 200
			}
		})
		add("another version of the API", "request header", func(x *contract.Exchange) { x.Header.Set("Accept", "application/json") })
	} else {
		add("an id that is too long", "path", func(x *contract.Exchange) {
			id := account
			if !strings.Contains(x.URL.Path, account) {
				if !strings.Contains(x.URL.Path, tokenID) {
					x.URL.Path, x.Method, x.Body = "/client/v4/user/tokens/"+tokenID, "GET", nil
				}
				id = tokenID
			}
			x.URL.Path = strings.Replace(x.URL.Path, id, id+"0", 1)
		})
		add("an answer of another kind", "answer", func(x *contract.Exchange) { x.AnswerHeader = http.Header{"Content-Type": {"text/html"}} })
		if s.status < 400 {
			add("no credential", "credential", func(x *contract.Exchange) { x.Header.Del("Authorization") })
		}
	}
	part := "status"
	if s.status < 400 {
		for _, status := range []int{204, 299, 302} {
			add(fmt.Sprintf("status %d", status), part, func(x *contract.Exchange) { x.Status = status })
		}
	}
	add("a refusal in the shape of a success", "answer", func(x *contract.Exchange) {
		x.Status, x.Answer = 409, []byte(`{"success":true,"errors":[],"messages":[],"result":{}}`)
	})
	add("an answer cut off", "answer", func(x *contract.Exchange) { x.Answer = x.Answer[:len(x.Answer)/2] })
	return out
}

// wrongBody: what is sent.
func (s sample) wrongBody() []broken {
	if s.body == "" {
		x := s.exchange()
		x.Body = []byte(`{"unheard_of":1}`)
		x.Header = x.Header.Clone()
		x.Header.Set("Content-Type", "application/json")
		return []broken{{"a body where none belongs", "request body", x}}
	}
	var out []broken
	for _, m := range mutants(s.body) {
		// What a roll is sent is an object of no shape.
		if m.how == dropped && !slices.Contains(s.needs, strings.TrimPrefix(m.at, ".")) || m.free() || s.body == "{}" && m.how == unknown {
			continue
		}
		x := s.exchange()
		x.Body = m.json
		out = append(out, broken{"request " + m.String(), "request body", x})
	}
	x := s.exchange()
	x.Body = []byte(`[]`)
	return append(out, broken{"a list for an object", "request body", x})
}

// wrongAnswer: what comes back. Heroku shows every property; Cloudflare requires
// its envelope and what the sample says.
func (s sample) wrongAnswer() []broken {
	var out []broken
	for _, m := range mutants(s.answer) {
		if m.free() {
			continue
		}
		if m.how == dropped {
			required := s.heroku() && s.status < 400 && !strings.Contains(s.url, "config-vars") || slices.Contains([]string{".success", ".errors", ".messages"}, m.at)
			for _, r := range s.required {
				required = required || m.at == ".result."+r
			}
			if s.heroku() && s.status >= 400 {
				required = m.at == ".id" || m.at == ".message"
			}
			if !required {
				continue
			}
		}
		x := s.exchange()
		x.Answer = m.json
		out = append(out, broken{"answer " + m.String(), "answer", x})
	}
	return out
}

// Ways to break a field.
const (
	dropped = "dropped"
	retyped = "of another type"
	unknown = "unknown"
)

type mutant struct {
	at, how string
	json    []byte
}

func (m mutant) String() string { return m.at + " " + m.how }

// free is where anything may stand: names of resources, and what the vendor
// declares as an object without a shape.
func (m mutant) free() bool {
	return strings.Contains(m.at, ".resources.") || strings.Contains(m.at, ".any_valid_service_token.")
}

// mutants are all that differ from a JSON text in one field.
func mutants(text string) []mutant {
	var out []mutant
	var walk func(v any, at string, put func(any))
	root := func() any {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			panic(err)
		}
		return v
	}
	whole := root()
	snap := func(at, how string) {
		b, err := json.Marshal(whole)
		if err != nil {
			panic(err)
		}
		out = append(out, mutant{at, how, b})
	}
	walk = func(v any, at string, put func(any)) {
		switch v := v.(type) {
		case map[string]any:
			v["unheard_of?"] = 1 // no config var can be called so
			snap(at+".unheard_of", unknown)
			delete(v, "unheard_of?")
			for _, name := range slices.Sorted(maps.Keys(v)) {
				x := v[name]
				delete(v, name)
				snap(at+"."+name, dropped)
				v[name] = x
				walk(x, at+"."+name, func(y any) { v[name] = y })
			}
		case []any:
			for i, x := range v {
				walk(x, at+"[]", func(y any) { v[i] = y })
			}
		}
		if put == nil {
			return
		}
		for _, other := range []any{map[string]any{"a": 1.5}, []any{7.5}, true, "\u0000"} {
			if fmt.Sprintf("%T", other) == fmt.Sprintf("%T", v) {
				continue
			}
			if _, isText := other.(string); isText && v == nil {
				continue
			}
			put(other)
			snap(at, fmt.Sprintf("%s (%T)", retyped, other))
		}
		put(v)
	}
	walk(whole, "", nil)
	return out
}

// TestUnknownHostsAreLeftAlone: nothing is said of what no contract speaks of.
func TestUnknownHostsAreLeftAlone(t *testing.T) {
	u, _ := url.Parse("https://console.raxx.app/health?x=1")
	if v := contract.Check(contract.Exchange{Method: "GET", URL: u, Status: 200}); v.Operation != "" || len(v.Violations) > 0 {
		t.Errorf("%+v", v)
	}
}
