package document

import (
	"fmt"
	"slices"
	"strings"

	"rekey/internal/byhand"
	"rekey/internal/cred"
	"rekey/internal/sop"
)

func gate(i int) string { return fmt.Sprintf("GATE_%d", i+1) }

// probeArgs are address and status of a probe, for ask.
func (b *builder) probeArgs(i int) string {
	p := b.Spec.Validate[i]
	status := p.Status
	if status == 0 {
		status = 200
	}
	if p.URL == sop.IssuerItself {
		return fmt.Sprintf("issuer %d", status)
	}
	return fmt.Sprintf(`"$%s" %d`, gate(i), status)
}

// says is the shell that ends well once a protected place gives this verdict of a bundle.
func (b *builder) says(verdict, which string, i int) string {
	p := b.Spec.Validate[i]
	if p.Vendor == "" {
		return "gate_says " + verdict + " " + which + " " + b.probeArgs(i)
	}
	of := map[string]string{"-": "no credential", "wrong": "a made-up one", "was": "the old one", "new": "the new one"}[which]
	return "by_hand " + byhand.Quote(fmt.Sprintf("Ask %s with %s: it has to be %s.", p.Title(), of, verdict))
}

// asksPeople reports whether something is asked of which nothing tells how it is done
// in a shell.
func (b *builder) asksPeople() bool {
	return slices.ContainsFunc(b.Spec.Validate, func(p sop.Probe) bool { return p.Vendor != "" }) ||
		slices.ContainsFunc(b.Spec.Verify, func(c sop.Check) bool { return c.Query != "" })
}

// byHand asks whoever pastes the block.
const byHand = `by_hand() { # a person looks, and says so
  read -rp "$1 Press enter when that is true, or control-C. " _ < /dev/tty
}`

// commanded is a check that is a command or a query.
func commanded(n int, c sop.Check) string {
	if c.Query != "" {
		return fmt.Sprintf("check_%d() { by_hand %s; }", n, byhand.Quote("Ask "+c.Vendor+": "+c.Query+" It has to come out true."))
	}
	var words []string
	for _, w := range c.Command {
		if w == "$since" {
			words = append(words, `"$(if [ -e settled ]; then cat settled; fi)"`)
		} else {
			words = append(words, byhand.Quote(w))
		}
	}
	run := strings.Join(words, " ") + " > /dev/null 2>&1"
	t, err := cred.ParseTemplate(c.Stdin)
	if c.Stdin == "" || err != nil {
		return fmt.Sprintf("check_%d() { # true where it ends with status 0\n  %s < /dev/null\n}", n, run)
	}
	feed := func(bundle string) string {
		value, args := rendered(t, bundle)
		return "jq -nj " + strings.Join(args, " ") + " " + apostrophed(value)
	}
	return fmt.Sprintf("check_%d() { # true where it ends with status 0; the value goes by standard input\n"+`  if [ -n "$(cat settled 2> /dev/null)" ]; then %s; else %s; fi | %s`+"\n}", n, feed("new"), feed("was"), run)
}

// checks are the checks of the procedure, as functions.
func (b *builder) checks() string {
	var out []string
	for i, c := range b.Spec.Verify {
		if c.URL == "" {
			out = append(out, commanded(i+1, c))
			continue
		}
		status := c.Status
		if status == 0 {
			status = 200
		}
		n := i + 1
		lines := []string{
			fmt.Sprintf("check_%d() { # comes out true, and not the login page of a session that has ended", n),
			"  local status",
			fmt.Sprintf(`  status=$(curl -qsSg --max-time 15 -H @check-%d.header -o check.json -w '%%{http_code}' --url "$CHECK_%d") || return 1`, n, n),
			`  case $status in`,
			fmt.Sprintf(`    %d) ;;`, status),
			`    3?? | 401 | 403) stop "the check itself was denied ($status): is its header still valid?" ;;`,
			`    *) return 1 ;;`,
			`  esac`,
		}
		if c.JQ != "" {
			// At least one result, and each of them true: what selects nothing proves nothing (T33).
			lines = append(lines, `  jq -es --arg since "$(if [ -e settled ]; then cat settled; fi)" `+apostrophed("[.[] | (\n"+c.JQ+"\n)] | length > 0 and all(. == true)")+` check.json > /dev/null`)
		}
		out = append(out, strings.Join(append(lines, "}"), "\n"))
	}
	return strings.Join(out, "\n\n")
}
