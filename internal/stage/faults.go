package stage

import (
	"fmt"
	"io"
	"slices"
	"time"

	"rekey/internal/world"
)

// Kind of a fault at one call.
type Kind string

// The kinds of faults that every call is given.
const (
	CrashBefore Kind = "crash before" // the process dies before the request is sent
	CrashAfter  Kind = "crash after"  // the effect happens, the process dies before the answer
	Lost        Kind = "not applied"  // the connection breaks before the effect
	Applied     Kind = "applied"      // the effect happens, the connection breaks
	Page        Kind = "html"         // the effect happens, a proxy answers 502 with a page
	Refused     Kind = "refused"      // 403 in the vendor's own shape
	Limited     Kind = "limited"      // 429 with Retry-After
	Late        Kind = "late"         // as applied, and what was made is listed late

	// What a world does that is less polite: answers that are not true.
	NotThere     Kind = "404"              // 404 in the vendor's own shape; nothing was done
	NotThereHTML Kind = "404 html"         // 404 with a page; nothing was done
	Applied400   Kind = "applied, 400"     // a gateway sent it twice, and passes on what became of the second
	Applied409   Kind = "applied, 409"     //
	Applied422   Kind = "applied, 422"     //
	Moved        Kind = "applied, 302"     //
	Nothing      Kind = "applied, {}"      // 200 with an empty object
	SetBack      Kind = "journal set back" // as crash after, and the journal has lost its tail
	Twin         Kind = "two processes"    // another process takes the run up after the effect, and ends it
	TwinBefore   Kind = "two, one waits"   // the same before the effect
	AskedBack    Kind = "asked to go back" // as crash after, and a person says rollback

	Twice      Kind = "applied twice"        // a gateway sent it twice, and passes on what became of the second, whatever that was
	TwiceLate  Kind = "applied twice, late"  // the same, and what was made is listed some seconds later
	Applied404 Kind = "applied, 404"         // the same, where the second found nothing any more
	Cut        Kind = "applied, cut off"     // half of the answer
	Error200   Kind = "200 with an error"    // a refusal under the status of success; nothing was done
	Later      Kind = "applied later"        // the connection breaks, and the effect happens while one goes on
	CrashLater Kind = "crash, applied later" // the process dies, and the effect happens after the next one has looked
	Stale      Kind = "older answer"         // an answer of before the last change; of a change: the next look at that vendor has one

	Astray Kind = "another account" // a look is answered for another account: a proxy, a cache or the token led it there; of a change: the next look at that vendor

	// AstrayForEver leads every look of this kind there from here on. RefusedForEver refuses every call of this kind from here on, and NotThereForEver says
	// that what it is about is not there: so do vendors that hide what one may not see.
	RefusedForEver  Kind = "refused for ever"
	NotThereForEver Kind = "404 for ever"
	AstrayForEver   Kind = "another account for ever"
)

// Kinds are all kinds that hit a single call.
var Kinds = []Kind{CrashBefore, CrashAfter, Lost, Applied, Page, Refused, Limited, Late}

// Rude are the kinds of a world that answers what is not true, or in which a journal
// is not what it was.
var Rude = []Kind{NotThere, NotThereHTML, Applied400, Applied409, Applied422, Moved, Nothing, SetBack, Twin, TwinBefore, AskedBack,
	Twice, Applied404, Cut, Error200, Later, CrashLater, Stale}

// Delayed are the kinds of doubles that can list something after a time (Knobs.ListDelay).
var Delayed = []Kind{TwiceLate}

// Lasting are those that hit every call of a kind from one on.
var Lasting = []Kind{RefusedForEver, NotThereForEver}

// Accounts are the kinds of doubles that have more than one account (world.Accounts).
var Accounts = []Kind{Astray, AstrayForEver}

// Fault is a kind of fault at the n-th call of a run.
type Fault struct {
	Call int
	Kind Kind
	Act  string // what somebody else does, with a kind of Others
}

func (f Fault) String() string {
	if f.Act != "" {
		return fmt.Sprintf("%s call %d: %s", f.Kind, f.Call, f.Act)
	}
	return fmt.Sprintf("%s at call %d", f.Kind, f.Call)
}

// Arrange makes the stage suffer these faults.
func (s *Stage) Arrange(faults ...Fault) {
	s.Before, s.faults = nil, faults
	s.stale = slices.ContainsFunc(faults, func(f Fault) bool { return f.Kind == Stale })
}

// Calm takes back every fault that is still to come.
func (s *Stage) Calm() { s.faults, s.refused, s.Before, s.staleFor, s.astray = nil, nil, nil, "", "" }

// asked is one call on one way to a double, and how that way answers what the double
// did not say. T is an answer.
type asked[T any] interface {
	kind() string  // of call: two of one kind differ only in what they are about
	changes() bool // it is meant to change something
	site() bool    // it goes to what a credential opens, not to a vendor

	page(status int) (T, error)    // a page that a proxy made
	refusal(status int) (T, error) // in the shape of whoever was asked
	elsewhere() (T, error)         // a redirection
	nothing() (T, error)           // success, with nothing in it
	cutOff(T, error) (T, error)    // half of an answer
	failure() (T, error)           // a refusal under the status of success
	vendor() string                // who is asked
}

// meet lets a call meet what was arranged for it.
func meet[T any](s *Stage, a asked[T], send func() (T, error)) (T, error) {
	s.callComes(a.changes())
	defer s.callWent(a.changes())
	var met *Fault
	for i := range s.faults {
		switch f := &s.faults[i]; {
		case f.Call != s.Calls:
		case f.Kind == OthersBefore:
			s.theyDo(*f, a.changes())
		case f.Kind == OthersAfter:
			next := send
			send = func() (T, error) {
				answer, err := next()
				s.theyDo(*f, a.changes())
				return answer, err
			}
		case met == nil:
			met = f
		}
	}
	if met != nil {
		return suffer(s, met.Kind, a, send)
	}
	if status := s.refused[a.kind()]; status != 0 {
		return a.refusal(status)
	}
	if led := s.astray == a.vendor() || s.astray == a.kind(); led && !a.changes() {
		if s.astray == a.vendor() {
			s.astray = "" // once
		}
		return astray(s, send)
	}
	if s.staleFor == a.vendor() && !a.changes() {
		s.staleFor = ""
		return older(s, send)
	}
	s.remember(a.changes())
	return send()
}

func suffer[T any](s *Stage, k Kind, a asked[T], send func() (T, error)) (T, error) {
	var none T
	switch k {
	case CrashBefore:
		panic(Crash{})
	case CrashAfter:
		_, _ = send()
		panic(Crash{})
	case Lost:
		return none, io.ErrUnexpectedEOF
	case Applied:
		_, _ = send()
		return none, io.ErrUnexpectedEOF
	case Page:
		_, _ = send()
		return a.page(502)
	case Late:
		before := s.generations()
		s.World.Turn(func(k *world.Knobs) { k.ListLag = 1 })
		_, _ = send()
		s.Late, s.LateMade = true, s.LateMade || s.generations() > before
		return none, io.ErrUnexpectedEOF
	case Refused:
		return a.refusal(403)
	case RefusedForEver, NotThereForEver:
		status := 403
		if k == NotThereForEver {
			status = 404
		}
		if s.refused == nil {
			s.refused = map[string]int{}
		}
		s.refused[a.kind()] = status
		return a.refusal(status)
	case NotThere:
		return a.refusal(404)
	case NotThereHTML:
		return a.page(404)
	case Applied400:
		_, _ = send()
		return a.refusal(400)
	case Applied409:
		_, _ = send()
		return a.refusal(409)
	case Applied422:
		_, _ = send()
		return a.refusal(422)
	case Moved:
		_, _ = send()
		return a.elsewhere()
	case Nothing:
		if a.site() {
			return send() // what a site answers with 200 is an acceptance, by whatever body
		}
		_, _ = send()
		return a.nothing()
	case Twice:
		if !a.changes() || s.Late {
			return send() // what is made twice and listed late is found by who looks the next time
		}
		_, _ = send()
		d := deed{at: s.Clock.Now(), before: s.truth()}
		defer func() { d.after = s.truth(); s.doubled = append(s.doubled, d) }()
		return send()
	case TwiceLate:
		if !a.changes() {
			return send()
		}
		s.World.Turn(func(k *world.Knobs) { k.ListDelay = world.Duration(listedAfter) })
		defer s.World.Turn(func(k *world.Knobs) { k.ListDelay = 0 })
		return suffer(s, Twice, a, send)
	case Applied404:
		_, _ = send()
		return a.refusal(404)
	case Cut:
		return a.cutOff(send())
	case Error200:
		if a.site() {
			return send() // what a site answers with 200 is an acceptance, by whatever body
		}
		return a.failure()
	case Later:
		s.later(func() { _, _ = send() })
		return none, io.ErrUnexpectedEOF
	case CrashLater:
		s.later(func() { _, _ = send() })
		panic(Crash{})
	case Stale:
		if !a.changes() {
			return older(s, send)
		}
		s.remember(true)
		s.staleFor = a.vendor()
		return send()
	case Astray, AstrayForEver:
		if !a.changes() {
			if k == AstrayForEver {
				s.astray, s.misled = a.kind(), true
			}
			return astray(s, send)
		}
		s.remember(true)
		s.astray = a.vendor()
		return send()
	case SetBack:
		_, _ = send()
		s.setBack = true
		panic(Crash{})
	case AskedBack:
		_, _ = send()
		s.asked = true
		panic(Crash{})
	case Twin:
		answer, err := send()
		s.another()
		return answer, err
	case TwinBefore:
		s.another()
		if a.changes() && s.overtaken() != nil {
			return none, errOvertaken // it was about to be sent; what was on its way already is another kind
		}
		return send()
	case Limited:
		return a.refusal(429)
	}
	panic("unknown kind of fault " + k)
}

// listedAfter is how much later a list shows what was made: longer than the first steps that
// list take, and no longer than the shortest run. What is listed only after a run has ended
// is found by whatever lists next, and named.
const listedAfter = 5 * time.Second

// generations are how many there have been in the world.
func (s *Stage) generations() (n int) {
	s.World.See(func(*world.State) {
		for _, d := range s.World.Doubles() {
			if i, ok := d.(world.Issues); ok {
				n += len(i.Generations())
			}
		}
	})
	return n
}
