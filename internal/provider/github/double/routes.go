package double

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Routes adds the operations of secrets, and the list of runs.
func (d *Double) Routes(mux *http.ServeMux) {
	for _, at := range []string{
		"/repos/{owner}/{repo}/{of}/secrets", "/orgs/{org}/{of}/secrets", "/repos/{owner}/{repo}/environments/{environment}/secrets",
	} {
		mux.HandleFunc("GET "+at, d.in(d.list))
		mux.HandleFunc("GET "+at+"/public-key", d.in(d.publicKey))
		mux.HandleFunc("PUT "+at+"/{name}", d.in(d.put))
		mux.HandleFunc("DELETE "+at+"/{name}", d.in(d.remove))
	}
	mux.HandleFunc("GET /orgs/{org}/{of}/secrets/{name}/repositories", d.in(d.selected))
	mux.HandleFunc("GET /repos/{owner}/{repo}/actions/runs", d.runs)
	mux.HandleFunc("/", func(rw http.ResponseWriter, _ *http.Request) { d.Fail(rw, http.StatusNotFound, "") })
}

// known answers 401 to whoever is not the account.
func (d *Double) known(rw http.ResponseWriter, req *http.Request) bool {
	if d.GitHub.Token == "" || req.Header.Get("Authorization") != "Bearer "+d.GitHub.Token {
		d.Fail(rw, http.StatusUnauthorized, "")
		return false
	}
	return true
}

// in finds the set of secrets; what the token may not see is not there.
func (d *Double) in(do func(http.ResponseWriter, *http.Request, *Vault)) http.HandlerFunc {
	return func(rw http.ResponseWriter, req *http.Request) {
		if !d.known(rw, req) {
			return
		}
		path := "/orgs/" + req.PathValue("org") + "/" + req.PathValue("of")
		if owner := req.PathValue("owner"); owner != "" {
			path = "/repos/" + owner + "/" + req.PathValue("repo") + "/" + req.PathValue("of")
			if e := req.PathValue("environment"); e != "" {
				path = "/repos/" + owner + "/" + req.PathValue("repo") + "/environments/" + e
			}
		}
		v := d.GitHub.Vault[path]
		if v == nil {
			d.Fail(rw, http.StatusNotFound, "")
			return
		}
		do(rw, req, v)
	}
}

// page cuts a list as GitHub does: 30 a page, at most 100.
func page[T any](req *http.Request, all []T) []T {
	number := func(key string, usual, most int) int {
		n, err := strconv.Atoi(req.URL.Query().Get(key))
		if err != nil || n < 1 {
			n = usual
		}
		return min(n, most)
	}
	per := number("per_page", 30, 100)
	from := min((number("page", 1, 1<<20)-1)*per, len(all))
	return append([]T{}, all[from:min(from+per, len(all))]...)
}

func (d *Double) list(rw http.ResponseWriter, req *http.Request, v *Vault) {
	var names []string
	for n := range v.Secrets {
		names = append(names, n)
	}
	slices.Sort(names)
	out := []map[string]any{}
	for _, n := range page(req, names) {
		s := v.Secrets[n]
		x := map[string]any{"name": n, "created_at": told(s.Created), "updated_at": told(s.Updated)}
		if req.PathValue("org") != "" {
			x["visibility"] = s.Visibility
		}
		out = append(out, x)
	}
	answer(rw, http.StatusOK, map[string]any{"total_count": len(names), "secrets": out})
}

// told are whole seconds.
func told(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (d *Double) publicKey(rw http.ResponseWriter, _ *http.Request, v *Vault) {
	answer(rw, http.StatusOK, map[string]string{"key_id": keyID(v), "key": base64.StdEncoding.EncodeToString(v.Public)})
}

func keyID(v *Vault) string {
	n := uint64(0)
	for _, b := range v.Public[:8] {
		n = n<<8 | uint64(b)
	}
	return strconv.FormatUint(n, 10)
}

// allowed: letters, digits and _, no digit first, no GITHUB_
// [docs.github.com/actions/reference/security/secrets: naming your secrets].
var allowed = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)

func (d *Double) put(rw http.ResponseWriter, req *http.Request, v *Vault) {
	var in struct {
		Value        string  `json:"encrypted_value"`
		Key          string  `json:"key_id"`
		Visibility   string  `json:"visibility"`
		Repositories []int64 `json:"selected_repository_ids"`
	}
	name := strings.ToUpper(req.PathValue("name"))
	if err := json.NewDecoder(req.Body).Decode(&in); err != nil {
		d.Fail(rw, http.StatusBadRequest, "Problems parsing JSON")
		return
	}
	value, ok := v.open(in.Value)
	org := req.PathValue("org") != ""
	switch {
	case !allowed.MatchString(name) || strings.HasPrefix(name, "GITHUB_"):
		d.Fail(rw, http.StatusUnprocessableEntity, "Secret names can only contain alphanumeric characters")
		return
	case in.Key != keyID(v) || !ok || org && in.Visibility == "":
		d.Fail(rw, http.StatusUnprocessableEntity, "Bad request - improperly encrypted secret")
		return
	case len(value) > 48<<10:
		d.Fail(rw, http.StatusUnprocessableEntity, "Secret value is too large")
		return
	}
	s, status := v.Secrets[name], http.StatusNoContent
	if s == nil {
		s, status = &Secret{Created: d.At}, http.StatusCreated
		v.Secrets[name] = s
	}
	s.Value, s.Updated = value, d.At
	if org {
		s.Visibility, s.Repositories = in.Visibility, in.Repositories
	}
	if status == http.StatusCreated {
		answer(rw, status, map[string]any{})
		return
	}
	rw.WriteHeader(status)
}

func (d *Double) remove(rw http.ResponseWriter, req *http.Request, v *Vault) {
	name := strings.ToUpper(req.PathValue("name"))
	if v.Secrets[name] == nil {
		d.Fail(rw, http.StatusNotFound, "")
		return
	}
	delete(v.Secrets, name)
	rw.WriteHeader(http.StatusNoContent)
}

func (d *Double) selected(rw http.ResponseWriter, req *http.Request, v *Vault) {
	s := v.Secrets[strings.ToUpper(req.PathValue("name"))]
	if s == nil {
		d.Fail(rw, http.StatusNotFound, "")
		return
	}
	out := []map[string]any{}
	for _, id := range page(req, s.Repositories) {
		out = append(out, map[string]any{"id": id})
	}
	answer(rw, http.StatusOK, map[string]any{"total_count": len(s.Repositories), "repositories": out})
}

// runs are listed by status; one that has not ended is in progress.
func (d *Double) runs(rw http.ResponseWriter, req *http.Request) {
	if !d.known(rw, req) {
		return
	}
	repo := req.PathValue("owner") + "/" + req.PathValue("repo")
	if d.GitHub.Vault["/repos/"+repo+"/actions"] == nil {
		d.Fail(rw, http.StatusNotFound, "")
		return
	}
	all := []map[string]any{}
	for _, r := range d.GitHub.Runs {
		if r.Repo == repo && req.URL.Query().Get("status") == "in_progress" && !r.Started.After(d.At) && r.Ends.After(d.At) {
			all = append(all, map[string]any{"id": r.ID, "name": r.Name, "created_at": told(r.Started), "run_started_at": told(r.Started), "status": "in_progress"})
		}
	}
	answer(rw, http.StatusOK, map[string]any{"total_count": len(all), "workflow_runs": page(req, all)})
}
