// Package contract holds every request and answer of a run against what Cloudflare, GitHub and Heroku publish of their APIs; tests only.
//
// A simulator that is tested only with the client it was written for can agree
// with it on something that no vendor ever said. Here both are judged by a third
// party: testdata has the vendors' own descriptions, with their licences.
package contract

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Exchange is one request and what came back.
type Exchange struct {
	Method string
	URL    *url.URL
	Header http.Header
	Body   []byte

	Status       int // 0: nothing came back
	AnswerHeader http.Header
	Answer       []byte
}

// Violation is something that the contract does not say.
type Violation struct {
	Operation string // vendor, method and path as published; or as sent, where none is
	Part      string // operation, path, query, credential, request body, status, answer
	What      string
}

func (v Violation) String() string { return v.Operation + ": " + v.Part + ": " + v.What }

// Verdict is what one exchange comes to. Operation is "" for a host that no
// contract speaks of.
type Verdict struct {
	Operation  string
	Violations []Violation
	Excepted   []int // of Exceptions, those without which there would be more
}

// vendor is one published contract.
type vendor interface {
	// operation returns the name of what is called; ok: the contract knows it.
	operation(Exchange) (name string, ok bool)
	// check judges an exchange of a known operation.
	check(Exchange, func(part, format string, args ...any))
}

// Check judges one exchange. It panics if a contract in testdata cannot be read.
func Check(x Exchange) Verdict {
	var v vendor
	switch {
	case x.URL.Host == "api.cloudflare.com" && strings.HasPrefix(x.URL.Path, cloudflareBase+"/"):
		v = cloudflareContract()
	case x.URL.Host == "api.github.com":
		v = githubContract()
	case x.URL.Host == "api.heroku.com":
		v = herokuContract()
	default:
		return Verdict{}
	}
	name, ok := v.operation(x)
	out := Verdict{Operation: name}
	tell := func(part, format string, args ...any) {
		bad := Violation{Operation: out.Operation, Part: part, What: fmt.Sprintf(format, args...)}
		if i, e := forgives(bad, x); e != nil {
			out.Excepted = append(out.Excepted, i)
			if part == partOperation {
				out.Operation = e.name()
			}
			return
		}
		out.Violations = append(out.Violations, bad)
	}
	if !ok {
		tell(partOperation, "is not published")
		return out
	}
	v.check(x, tell)
	return out
}

const partOperation = "operation"
