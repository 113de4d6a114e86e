package world

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// apart is a double that can be served alone; nil if there is none of this name.
func (w *World) apart(name string) Apart {
	for _, d := range w.doubles {
		if a, ok := d.(Apart); ok && d.Name() == name {
			return a
		}
	}
	return nil
}

// names of the doubles that can be served alone.
func (w *World) alone() (out []string) {
	for _, d := range w.doubles {
		if _, ok := d.(Apart); ok {
			out = append(out, d.Name())
		}
	}
	return out
}

// Alone serves one vendor that is Apart as the real one is: at the root, and nothing
// beside it. It is the same world; /_world, /_env and /_faults are not there.
func (w *World) Alone(vendor string) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		w.serve(rw, req, vendor, w.mux[vendor])
	})
}

// clientEnv answers GET /_env/<vendor>: lines for a shell.
func (w *World) clientEnv(rw http.ResponseWriter, req *http.Request, vendor string) {
	base, d := w.Addresses[vendor], w.apart(vendor)
	switch {
	case d == nil:
		http.Error(rw, "GET /_env/ and one of "+strings.Join(w.alone(), ", "), http.StatusNotFound)
		return
	case base == "" && !d.TakesPath():
		http.Error(rw, "the tools of "+vendor+" take a host without a path: start rekey sim with --"+vendor+" 127.0.0.1:7778", http.StatusNotFound)
		return
	case base == "":
		base = "http://" + req.Host + "/" + vendor
	}
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	set := d.ClientEnv(base, w.Env())
	for _, name := range slices.Sorted(maps.Keys(set)) {
		_, _ = fmt.Fprintf(rw, "export %s='%s'\n", name, strings.ReplaceAll(set[name], "'", `'\''`))
	}
}
