package double

import (
	"html/template"
	"net/http"
	"slices"
)

// page is what a person's browser shows: the keys by name, and a new one's value this once.
var page = template.Must(template.New("portal").Parse(`<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Portal, simulated</title>
<main style="font: 1rem/1.5 system-ui; max-width: 40rem; margin: 3rem auto; padding: 0 1rem"><h1>Portal, simulated</h1>
<p>A vendor whose keys only a person can make, in its web page. It stands on this machine.</p>
{{with .Made}}<p><strong>{{.Name}}</strong> is made. Its value is shown this once:</p><p><code id="value">{{.Value}}</code></p>{{end}}
<h2>Keys</h2><ul>{{range .Keys}}<li><form method="post" action="/portal/page/end"><code>{{.Name}}</code> <input type="hidden" name="name" value="{{.Name}}"><button>Delete</button></form></li>{{else}}<li>none</li>{{end}}</ul>
<h2>New key</h2><form method="post" action="/portal/page/make"><label>Name <input name="name" required size="40"></label> <button>Make it</button></form></main></html>
`))

// pages are the portal for people, beside what programs of the tests ask.
func (w *Double) pages(mux *http.ServeMux) {
	show := func(rw http.ResponseWriter, made *PortalKey) {
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		rw.Header().Set("Cache-Control", "no-store")
		_ = page.Execute(rw, struct {
			Made *PortalKey
			Keys []*PortalKey
		}{made, w.Portal.Keys})
	}
	mux.HandleFunc("GET /page", func(rw http.ResponseWriter, _ *http.Request) { show(rw, nil) })
	mux.HandleFunc("POST /page/make", func(rw http.ResponseWriter, req *http.Request) {
		name := req.PostFormValue("name")
		if name == "" {
			http.Error(rw, "a key needs a name", http.StatusBadRequest)
			return
		}
		show(rw, w.NewKey(name))
	})
	mux.HandleFunc("POST /page/end", func(rw http.ResponseWriter, req *http.Request) {
		p := w.Portal
		at := slices.IndexFunc(p.Keys, func(k *PortalKey) bool { return k.Name == req.PostFormValue("name") })
		if at < 0 {
			http.Error(rw, "there is no such key", http.StatusNotFound)
			return
		}
		p.Ended = append(p.Ended, p.Keys[at])
		p.Keys = slices.Delete(slices.Clone(p.Keys), at, at+1)
		show(rw, nil)
	})
}
