package sop

import (
	"encoding/json"
	"time"

	"go.yaml.in/yaml/v4"
)

// Begin is what begins a rotation that is due. The zero value is by hand.
type Begin string

// The ways in which one begins.
const (
	ByHand        Begin = ""
	Automatically Begin = "automatically"
	AfterApproval Begin = "after approval"
)

// String is the word of rekey.yaml.
func (b Begin) String() string {
	if b == ByHand {
		return "by hand"
	}
	return string(b)
}

// Approvals say whose agreement a rotation waits for. An emergency, a repair and a rehearsal wait for none.
type Approvals struct {
	// What waits: start (before a run begins), retiring (before anything is taken from the old credential), or both. Default: start
	Before string `json:"before,omitempty" jsonschema:"enum=start,enum=retiring,enum=both"`
	// How many people have to agree. Default: 1
	HowMany int `json:"how_many,omitempty" jsonschema:"minimum=1,maximum=10"`
	// Role of those who may agree. Default: the credential's role
	Role string `json:"role,omitempty"`
	// Whether whoever asks for it may agree as well; that is recorded. Default: false
	ByAsker bool `json:"by_asker,omitempty"`
	// How long an answer is waited for, and how long what was agreed to may still be begun: 3d. Default: 7d
	Expire Duration `json:"expire,omitempty" jsonschema:"format=rekey-positive"`
	// How recently somebody must have signed in to agree to what cannot be undone, where identity.oidc says who signs in. Default: 5m
	Fresh Duration `json:"fresh,omitempty" jsonschema:"format=rekey-positive"`
}

// Approval is whose agreement a rotation waits for, checked.
type Approval struct {
	Start    bool          `json:"start,omitempty"`    // before it begins
	Retiring bool          `json:"retiring,omitempty"` // before anything is taken from the old one
	HowMany  int           `json:"how_many"`           // different people
	Role     string        `json:"role,omitempty"`     // "": anybody
	ByAsker  bool          `json:"by_asker,omitempty"` // whoever asks may agree
	Expire   time.Duration `json:"expire"`             // of a request, agreed to or not
	Fresh    time.Duration `json:"fresh"`              // most time since the sign-in, for what cannot be undone
}

// Schedule is how the service begins what is due, and looks without anybody asking.
type Schedule struct {
	// How many runs go on at a time. One that is stuck or waits for a person does not count. Default: 3
	AtMost int `json:"at_most,omitempty" jsonschema:"minimum=1,maximum=1000"`
	// Where several credentials of one procedure are due: first lets one go alone, and the others once it has ended well; none begins them as they come. Default: first
	Canary string `json:"canary,omitempty" jsonschema:"enum=first,enum=none"`
	// Over how long after it is due, or after its window opens, a run begins, by a fixed draw for each credential and each time, so that starts are spread over time: 30m. Default: 0s
	Spread Duration `json:"spread,omitempty"`
	// How many runs that the schedule began may end badly. With the next one it begins nothing more until somebody says `rekey schedule continue`.
	ErrorBudget *ErrorBudget `json:"error_budget,omitempty"`
	// How long it leaves a credential alone whose run ended badly. Default: 6h
	AgainAfter Duration `json:"again_after,omitempty" jsonschema:"format=rekey-positive"`
	// How often it looks without anybody asking: an interval, or off.
	Looks *Looks `json:"looks,omitempty"`
}

// ErrorBudget is how much may go wrong before a person is called.
type ErrorBudget struct {
	// Runs that may end badly: rolled back, refused or stuck. Default: 2
	Failures *int `json:"failures,omitempty" jsonschema:"minimum=0,maximum=1000"`
	// Within how long. Default: 24h
	Within Duration `json:"within,omitempty" jsonschema:"format=rekey-positive"`
}

// Looks are what the service looks at without anybody asking. Each asks the vendors some questions, and changes nothing.
type Looks struct {
	// Where issuer, store and consumers disagree (rekey drift). Default: 6h
	Drift Every `json:"drift,omitempty"`
	// Who holds a credential without being registered (rekey discover). Default: 24h
	Discover Every `json:"discover,omitempty"`
	// Whether everything that a run needs is there (rekey check), and what the issuer lists. Default: 24h
	Check Every `json:"check,omitempty"`
}

// Every is an interval as written, or off.
type Every string

// Scheduling is how the service begins what is due, checked.
type Scheduling struct {
	AtMost     int           `json:"at_most"`
	Canary     bool          `json:"canary"`      // one of a procedure goes first
	Spread     time.Duration `json:"spread"`      // of the beginnings
	Failures   int           `json:"failures"`    // that may be
	Within     time.Duration `json:"within"`      // how long
	AgainAfter time.Duration `json:"again_after"` // a run that ended badly
	Drift      time.Duration `json:"drift"`       // between two looks; 0: never
	Discover   time.Duration `json:"discover"`    // 0: never
	Check      time.Duration `json:"check"`       // 0: never
}

// shortestLook is the shortest interval of looks: vendors limit how often they answer.
const shortestLook = time.Minute

// schedule reads the block of that name; what it does not say has a default.
func (p *parser) schedule() {
	out := Scheduling{AtMost: 3, Canary: true, Failures: 2, Within: 24 * time.Hour, AgainAfter: 6 * time.Hour,
		Drift: 6 * time.Hour, Discover: 24 * time.Hour, Check: 24 * time.Hour}
	defer func() { p.config.Schedule = out }()
	n := get(p.root, "schedule")
	if n == nil {
		return
	}
	var s Schedule
	if json.Unmarshal(raw(p.doc(n).plain(n, "schedule")), &s) != nil {
		return // told by the schema
	}
	if s.AtMost > 0 {
		out.AtMost = s.AtMost
	}
	out.Canary = s.Canary != "none"
	out.Spread, out.AgainAfter = s.Spread.Or(0), s.AgainAfter.Or(out.AgainAfter)
	if b := s.ErrorBudget; b != nil {
		if b.Failures != nil {
			out.Failures = *b.Failures
		}
		out.Within = b.Within.Or(out.Within)
	}
	if s.Looks == nil {
		return
	}
	looks := get(n, "looks")
	out.Drift = p.every(get(looks, "drift"), "drift", s.Looks.Drift, out.Drift)
	out.Discover = p.every(get(looks, "discover"), "discover", s.Looks.Discover, out.Discover)
	out.Check = p.every(get(looks, "check"), "check", s.Looks.Check, out.Check)
}

func (p *parser) every(n *yaml.Node, what string, e Every, otherwise time.Duration) time.Duration {
	if e == "off" {
		return 0
	}
	d := Duration(e).Or(otherwise)
	if n != nil && d < shortestLook {
		p.doc(n).at(n, "schedule.looks."+what, "this is shorter than a minute: vendors limit how often they answer", "")
	}
	return d
}

// begins reads what begins a rotation, and whose agreement it waits for. v is what the
// credential says itself.
func (c *credential) begins(v *yaml.Node) {
	s := &c.spec
	s.Canary = value(get(v, "canary")) == "true"
	switch b := Begin(c.text("run")); b {
	case Automatically, AfterApproval:
		s.Run = b
	}
	n := get(c.node, "approvals")
	if n == nil {
		if s.Run == AfterApproval {
			s.Approvals = (&Approvals{}).checked(s.Role)
		}
		return
	}
	var a Approvals
	if json.Unmarshal(raw(c.doc(n).plain(n, "")), &a) != nil {
		return // told by the schema
	}
	s.Approvals = a.checked(s.Role)
	switch {
	case s.Run == AfterApproval && !s.Approvals.Start:
		c.wrong(orNode(get(n, "before"), n), "approvals.before", "it says run: after approval, and that is an approval before the start: expected start or both", "")
	case s.Run == Automatically && s.Approvals.Start:
		c.wrong(orNode(get(n, "before"), n), "approvals.before", "it says run: automatically, and a run that waits for approval before its start cannot start automatically: expected run: after approval, or before: retiring", "")
	}
	if c.config.Identity != nil && s.Approvals.Role == "" {
		c.wrong(n, "approvals", "nobody is named who may approve: give a role here, or one of the credential", "")
	}
	if s.Approvals.Expire < time.Minute {
		c.wrong(get(n, "expire"), "approvals.expire", "nobody can respond in less than a minute", "")
	}
}

func (a *Approvals) checked(role string) *Approval {
	out := &Approval{Start: a.Before != "retiring", Retiring: a.Before == "retiring" || a.Before == "both", HowMany: max(1, a.HowMany), Role: a.Role, ByAsker: a.ByAsker,
		Expire: a.Expire.Or(7 * 24 * time.Hour), Fresh: a.Fresh.Or(5 * time.Minute)}
	if out.Role == "" {
		out.Role = role
	}
	return out
}

// adviseApprovals tells of approvals that nobody can give.
func (p *parser) adviseApprovals() {
	at := map[string]*yaml.Node{}
	each(get(p.root, "credentials"), func(k, _ *yaml.Node) { at[k.Value] = k })
	id, told := p.config.Identity, map[string]bool{}
	for _, s := range p.config.Specs {
		a, msg := s.Approvals, ""
		switch {
		case a == nil:
		case id == nil && a.HowMany > 1:
			msg = "rekey.yaml has no identity, so the approver's identity is not verified"
		case id != nil && a.Role != "" && len(id.Roles[a.Role]) == 0:
			msg = "nobody has the role " + a.Role + ", so nobody can agree to a rotation"
		}
		if k := at[s.Name]; msg != "" && !told[msg] && k != nil {
			told[msg] = true
			p.advice = append(p.advice, Problem{File: p.file, Path: "credentials." + s.Name + ".approvals", Line: k.Line, Col: k.Column, Msg: msg})
		}
	}
}
