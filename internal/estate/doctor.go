package estate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"rekey/internal/byhand"
	"rekey/internal/history"
	"rekey/internal/refs"
	"rekey/internal/report"
	"rekey/internal/sop"
	"rekey/internal/wire"
)

const (
	knockTimeout = 5 * time.Second  // how long a host may take to answer at all
	knocksAtOnce = 200              // at how many hosts: there may be thousands, and a process has few connections
	skewed       = 30 * time.Second // how far two clocks may be apart before it is said
	worldFew     = 0o077            // nobody else may read or write the journal's folder
)

// Doctor tells everything that is missing on this machine.
func (e *Estate) Doctor(ctx context.Context, names []string) ([]Finding, error) {
	specs, err := e.specs(names)
	if err != nil {
		return nil, err
	}
	w := &work{Estate: e, calls: map[string]int{}}
	defer w.close()
	transport, lookup, worldErr := w.surroundings()
	want := wantedBy(e.config, specs)
	var all []Finding
	if worldErr != nil {
		all = append(all, Finding{"network", strings.SplitN(worldErr.Error(), "\n", 2)[0], false, "start it, or fix simulate in rekey.yaml"})
	} else {
		finder := &refs.Finder{Dir: e.config.Dir, Env: lookup, Simulated: e.config.Simulate != ""}
		all = append(all, variables(e.config, specs, want.inputs, finder)...)
		if len(names) == 0 {
			all = append(all, channels(e.config, finder)...)
		}
	}
	all = append(all, tools(e.config, specs, want.inputs)...)
	all = append(all, drivers(e.config, specs)...)
	if e.config.Database != "" {
		all = append(all, e.databaseFindings(ctx)...)
	} else {
		all = append(all, e.journalFinding(ctx)...)
	}
	all = append(all, e.checkpointFindings()...)
	if worldErr == nil {
		all = append(all, e.knock(ctx, hosts(specs, want.addresses), transport)...)
	}
	return all, nil
}

// wanted is what the recipes of everybody in some specs have to have at hand, each thing
// once: it is the same for most credentials of a vendor, and a recipe is long.
type wanted struct {
	inputs    []byhand.Input
	addresses []string
}

func wantedBy(config *sop.Config, specs []sop.Spec) (all wanted) {
	seen := map[string]bool{}
	first := func(kind string, of ...string) bool {
		key := kind + "\x00" + strings.Join(of, "\x00")
		known := seen[key]
		seen[key] = true
		return !known
	}
	add := func(r byhand.Recipe) {
		for _, in := range r.Inputs {
			if first("input", slices.Concat([]string{in.Title}, in.Refs, in.Least)...) {
				all.inputs = append(all.inputs, in)
			}
		}
		for _, x := range r.Addresses {
			if first("address", x.Default) {
				all.addresses = append(all.addresses, x.Default)
			}
		}
	}
	for _, spec := range specs {
		// Of a vendor that nobody can do by hand there is no recipe: of the others there is.
		hands, _ := wire.ByHand(spec, config.Vendors)
		add(hands.Issuer)
		add(hands.Store)
		for _, s := range spec.Further {
			add(hands.Further[s.Key])
		}
		for _, c := range spec.Consumers {
			add(hands.Consumers[c.Key])
		}
	}
	return all
}

// variables are all references: of several, one that is set is enough.
func variables(config *sop.Config, specs []sop.Spec, inputs []byhand.Input, finder *refs.Finder) (out []Finding) {
	seen, told := map[string]bool{}, map[string]bool{}
	look := func(title string, list []string, least []string) {
		key := strings.Join(list, ", or ")
		if seen[key] || len(list) == 0 {
			return
		}
		seen[key] = true
		for _, x := range list {
			told[x] = true
		}
		for _, x := range list {
			r := sop.Ref(x)
			if scheme, _ := r.Split(); scheme == "" {
				return // a text
			}
			if finder.IsSet(r) {
				out = append(out, Finding{"variables", title + ": " + x, true, ""})
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
		out = append(out, Finding{"variables", title + ": " + key + " is not set", false, then})
	}
	for _, in := range inputs {
		look(in.Title, in.Refs, in.Least)
	}
	for _, name := range involved(config, specs) {
		for _, n := range settingsOf(name, config.Vendors[name].Settings) {
			if slices.ContainsFunc(n.refs, func(r string) bool { return !told[r] }) {
				look(n.title, n.refs, nil)
			}
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
func tools(config *sop.Config, specs []sop.Spec, inputs []byhand.Input) (out []Finding) {
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
				out = append(out, Finding{"tools", program + " is " + path, true, ""})
			} else {
				out = append(out, Finding{"tools", program + ", which " + x + " runs, is not there", false, "install it, or fix PATH"})
			}
		}
	}
	for _, in := range inputs {
		look(in.Refs)
	}
	for _, name := range involved(config, specs) {
		for _, n := range settingsOf(name, config.Vendors[name].Settings) {
			look(n.refs)
		}
	}
	for _, spec := range specs {
		for _, c := range spec.Verify {
			// Where a path begins that is not one from the root is the command's own matter.
			if len(c.Command) > 0 && (filepath.IsAbs(c.Command[0]) || !strings.Contains(c.Command[0], "/")) {
				look([]string{"cmd:" + c.Command[0]})
			}
			for _, rs := range c.Headers {
				look(byhand.Texts(rs))
			}
		}
	}
	return out
}

// journalFinding tells whether the journal can be written, is ours, and is private.
func (e *Estate) journalFinding(ctx context.Context) []Finding {
	dir := e.journalDir()
	at := dir
	for {
		if _, err := os.Stat(at); err == nil {
			break
		}
		at = filepath.Dir(at)
	}
	probe, err := os.CreateTemp(at, ".rekey-doctor-*")
	if err != nil {
		return []Finding{{"journal", "the folder of " + dir + " cannot be written: " + err.Error(), false, "let whoever runs Rekey write it, or name another under journal"}}
	}
	_ = probe.Close()
	_ = os.Remove(probe.Name())
	if at != dir {
		return []Finding{{"journal", dir + " is not there yet, and can be made", true, ""}}
	}
	out := []Finding{{"journal", dir + " can be written", true, ""}}
	if st, err := os.Stat(dir); err == nil && runtime.GOOS != "windows" && st.Mode().Perm()&worldFew != 0 {
		out = append(out, Finding{"journal", fmt.Sprintf("%s can be read by others (%v)", dir, st.Mode().Perm()), false, "chmod 700 " + report.Quote(dir)})
	}
	err = e.withJournal(ctx, func(b history.Book) error { return e.place().Has(ctx, b.J) })
	if _, statErr := os.Stat(filepath.Join(dir, "journal.db")); statErr == nil && err != nil {
		out = append(out, unsound(err))
	}
	return out
}

// unsound says why the journal cannot be used.
func unsound(err error) Finding {
	out := Finding{About: "journal", What: strings.SplitN(err.Error(), "\n", 2)[0], Then: "rekey verify"}
	coded, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
	case coded.Code == OtherWorld && coded.Simulated:
		out.What = "the journal in " + coded.Dir + " holds simulated runs, and rekey.yaml has no simulate: simulated and real runs are never mixed"
	case coded.Code == OtherWorld:
		out.What = "the journal in " + coded.Dir + " holds real runs, and rekey.yaml says simulate; simulated and real runs are never mixed"
	case coded.Err != nil:
		out.What = strings.SplitN(coded.Err.Error(), "\n", 2)[0]
	}
	if ok && len(coded.Advice) > 0 {
		out.Then = coded.Advice[0]
	}
	return out
}
