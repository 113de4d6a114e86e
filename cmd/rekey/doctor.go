package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"rekey/internal/byhand"
	"rekey/internal/journal"
	"rekey/internal/refs"
	"rekey/internal/report"
	"rekey/internal/sop"
	"rekey/internal/wire"
)

// finding is one thing that doctor looked at.
type finding struct {
	About string `json:"about"` // variables, tools, journal, network, clock
	What  string `json:"what"`
	OK    bool   `json:"ok"`
	Then  string `json:"then,omitempty"` // what to do where it is not
}

const (
	knock    = 5 * time.Second  // how long a host may take to answer at all
	skewed   = 30 * time.Second // how far two clocks may be apart before it is said
	worldFew = 0o077            // nobody else may read or write the journal's folder
)

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor [NAME...]", Short: "Everything that is missing on this machine, all at once",
		Long: `Look at everything that a run needs of this machine, and say all at once what is
missing: variables, files, tools, the journal's folder, whether each host answers,
and whether the clocks agree. No credential is sent, and nothing is changed.

What the vendors allow is looked at by rekey check NAME.`,
		ValidArgsFunction: a.completeNames,
		RunE:              func(c *cobra.Command, args []string) error { return a.doctor(c.Context(), args) },
	}
}

func (a *app) doctor(ctx context.Context, names []string) error {
	config, err := a.load()
	if err != nil {
		return err
	}
	specs := config.Specs
	if len(names) > 0 {
		specs = nil
		for _, n := range names {
			spec, err := config.Spec(n)
			if err != nil {
				return notThere(err)
			}
			specs = append(specs, spec)
		}
	}
	w := &work{app: a, config: config, calls: map[string]int{}}
	defer w.close()
	transport, lookup, worldErr := w.surroundings()
	var all []finding
	if worldErr != nil {
		all = append(all, finding{"network", strings.SplitN(worldErr.Error(), "\n", 2)[0], false, "start it, or fix simulate in rekey.yaml"})
	} else {
		all = append(all, variables(config, specs, &refs.Finder{Dir: config.Dir, Env: lookup})...)
	}
	all = append(all, tools(config, specs)...)
	all = append(all, a.journalFinding(ctx, config)...)
	if worldErr == nil {
		all = append(all, a.network(ctx, hosts(config, specs), transport)...)
	}
	return a.sayDoctor(all, specs)
}

func (a *app) sayDoctor(all []finding, specs []sop.Spec) error {
	missing := 0
	for _, f := range all {
		if !f.OK {
			missing++
		}
	}
	if a.json {
		if err := a.printJSON(map[string]any{"ok": missing == 0, "findings": all}); err != nil {
			return err
		}
	} else {
		s, about := a.style(a.out), ""
		for _, f := range all {
			if f.About != about {
				about = f.About
				a.print("%s\n", s.Bold(about))
			}
			mark := s.Good("✓")
			if !f.OK {
				mark = s.Bad("✗")
			}
			a.print("  %s %s\n", mark, f.What)
			if f.Then != "" {
				a.print("      next  %s\n", f.Then)
			}
		}
		if missing == 0 {
			a.print("\nNothing is missing on this machine.\n")
			for i, spec := range specs[:min(len(specs), 3)] {
				a.print("  %s  what the vendors allow: rekey check %s\n", []string{"next", "or  "}[min(i, 1)], report.Quote(spec.Name))
			}
		} else {
			a.print("\n%s\n", s.Bad(count(missing, "thing")+" missing; nothing was asked of a vendor but whether it answers"))
		}
	}
	if missing > 0 {
		return exit{exitFailed, nil}
	}
	return nil
}

// recipes of everybody in these specs.
func recipes(config *sop.Config, specs []sop.Spec) (out []byhand.Recipe) {
	for _, spec := range specs {
		hands, err := wire.ByHand(spec, config.Vendors)
		if err != nil {
			continue // lint tells it
		}
		out = append(out, hands.Issuer, hands.Store)
		for _, c := range spec.Consumers {
			out = append(out, hands.Consumers[c.Key])
		}
	}
	return out
}

// variables are all references: of several, one that is set is enough.
func variables(config *sop.Config, specs []sop.Spec, finder *refs.Finder) (out []finding) {
	seen := map[string]bool{}
	look := func(title string, list []string, least []string) {
		key := strings.Join(list, ", or ")
		if seen[key] || len(list) == 0 {
			return
		}
		seen[key] = true
		for _, x := range list {
			r := sop.Ref(x)
			if scheme, _ := r.Split(); scheme == "" {
				return // a text
			}
			if finder.IsSet(r) {
				out = append(out, finding{"variables", title + ": " + x, true, ""})
				return
			}
		}
		then := "set it"
		if scheme, _ := sop.Ref(list[0]).Split(); scheme == "file" {
			then = "write it"
		}
		if len(least) > 0 {
			then += "; it needs, and no more: " + strings.Join(least, "; ")
		}
		out = append(out, finding{"variables", title + ": " + key + " is not set", false, then})
	}
	for _, r := range recipes(config, specs) {
		for _, in := range r.Inputs {
			look(in.Title, in.Refs, in.Least)
		}
	}
	for _, spec := range specs {
		for _, c := range spec.Verify {
			for name, rs := range c.Headers {
				look("header "+name+" of the check of "+c.URL, byhand.Texts(rs), nil)
			}
		}
	}
	return out
}

// tools are the programs that references run.
func tools(config *sop.Config, specs []sop.Spec) (out []finding) {
	seen := map[string]bool{}
	look := func(list []string) {
		for _, x := range list {
			scheme, command := sop.Ref(x).Split()
			program, _, _ := strings.Cut(command, " ")
			if scheme != "cmd" || seen[program] || strings.ContainsAny(program, "$`'\"(") {
				continue
			}
			seen[program] = true
			if path, err := exec.LookPath(program); err == nil {
				out = append(out, finding{"tools", program + " is " + path, true, ""})
			} else {
				out = append(out, finding{"tools", program + ", which " + x + " runs, is not there", false, "install it, or fix PATH"})
			}
		}
	}
	for _, r := range recipes(config, specs) {
		for _, in := range r.Inputs {
			look(in.Refs)
		}
	}
	for _, spec := range specs {
		for _, c := range spec.Verify {
			for _, rs := range c.Headers {
				look(byhand.Texts(rs))
			}
		}
	}
	return out
}

// journalFinding tells whether the journal can be written, is ours, and is private.
func (a *app) journalFinding(ctx context.Context, config *sop.Config) []finding {
	dir := a.journalDir(config)
	at := dir
	for {
		if _, err := os.Stat(at); err == nil {
			break
		}
		at = filepath.Dir(at)
	}
	probe, err := os.CreateTemp(at, ".rekey-doctor-*")
	if err != nil {
		return []finding{{"journal", "the folder of " + dir + " cannot be written: " + err.Error(), false, "let whoever runs Rekey write it, or name another under journal"}}
	}
	_ = probe.Close()
	_ = os.Remove(probe.Name())
	if at != dir {
		return []finding{{"journal", dir + " is not there yet, and can be made", true, ""}}
	}
	out := []finding{{"journal", dir + " can be written", true, ""}}
	if st, err := os.Stat(dir); err == nil && runtime.GOOS != "windows" && st.Mode().Perm()&worldFew != 0 {
		out = append(out, finding{"journal", fmt.Sprintf("%s can be read by others (%v)", dir, st.Mode().Perm()), false, "chmod 700 " + report.Quote(dir)})
	}
	err = a.withJournal(config, func(*journal.Journal) error { return nil })
	if _, statErr := os.Stat(filepath.Join(dir, "journal.db")); statErr == nil && err != nil {
		what, then, told := strings.Cut(err.Error(), "\n  next  ")
		if !told {
			then = "rekey verify"
		}
		out = append(out, finding{"journal", strings.SplitN(what, "\n", 2)[0], false, strings.SplitN(then, "\n", 2)[0]})
	}
	return out
}

// hosts are all places that a run asks.
func hosts(config *sop.Config, specs []sop.Spec) (out []string) {
	add := func(address string) {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" {
			return
		}
		if base := u.Scheme + "://" + u.Host; !slices.Contains(out, base) {
			out = append(out, base)
		}
	}
	for _, r := range recipes(config, specs) {
		for _, x := range r.Addresses {
			add(x.Default)
		}
	}
	for _, spec := range specs {
		for _, p := range spec.Validate {
			add(p.URL)
		}
		for _, c := range spec.Verify {
			add(c.URL)
		}
	}
	return out
}

// network asks each host for its head, with no credential: any answer will do, and
// tells the host's clock.
func (a *app) network(ctx context.Context, bases []string, transport http.RoundTripper) []finding {
	found := make([][]finding, len(bases))
	var wait sync.WaitGroup
	for i, base := range bases {
		wait.Go(func() { found[i] = a.knockAt(ctx, base, transport) })
	}
	wait.Wait()
	out := slices.Concat(found...)
	slices.SortStableFunc(out, func(x, y finding) int { return strings.Compare(y.About, x.About) })
	return out
}

func (a *app) knockAt(ctx context.Context, base string, transport http.RoundTripper) []finding {
	ctx, cancel := context.WithTimeout(ctx, knock)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, base+"/", nil)
	if err != nil {
		return []finding{{"network", base + ": " + err.Error(), false, "fix the address"}}
	}
	began := a.now()
	res, err := transport.RoundTrip(req)
	if err != nil {
		then := "look at the network, the proxy (HTTPS_PROXY) and the name"
		why := err.Error()
		if e, ok := err.(net.Error); ok && e.Timeout() {
			why = fmt.Sprintf("no answer within %v", knock)
		}
		return []finding{{"network", base + " does not answer: " + why, false, then}}
	}
	_ = res.Body.Close()
	out := []finding{{"network", base + " answers", true, ""}}
	theirs, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return out
	}
	middle := began.Add(a.now().Sub(began) / 2)
	if skew := middle.Sub(theirs).Round(time.Second); skew.Abs() > skewed {
		out = append(out, finding{"clock", fmt.Sprintf("this clock and the one of %s are %v apart", base, skew.Abs()), false, "set this machine's clock: times that vendors tell are compared with it"})
	} else {
		out = append(out, finding{"clock", "agrees with " + base, true, ""})
	}
	return out
}
