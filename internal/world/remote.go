package world

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
)

// Rewrite turns a real address into a path of a world of these doubles: one that
// none of them stands for goes to whichever stands for all others, and nowhere if
// there is none.
func Rewrite(u *url.URL, doubles []Double) *url.URL {
	return rewrite(u, Hosts(doubles), elsewhere(doubles))
}

// elsewhere is the name of the double that stands for all other hosts.
func elsewhere(doubles []Double) (name string) {
	for _, d := range doubles {
		if _, ok := d.(Elsewhere); ok {
			name = d.Name()
		}
	}
	return name
}

func rewrite(u *url.URL, hosts map[string]string, elsewhere string) *url.URL {
	out := *u
	prefix := "/" + elsewhere + "/" + u.Host
	if name, ok := hosts[u.Host]; ok {
		prefix = "/" + name
	} else if elsewhere == "" {
		prefix = "/nowhere"
	}
	out.Path = prefix + u.Path
	if u.RawPath != "" {
		out.RawPath = prefix + u.RawPath
	}
	return &out
}

// Remote leads requests to a world that is served elsewhere.
type Remote struct {
	Base      *url.URL // http://127.0.0.1:7777
	Transport http.RoundTripper
	Doubles   []Double // those that it has; they are only asked for their names and hosts
}

// RoundTrip sends the request to the world.
func (r Remote) RoundTrip(req *http.Request) (*http.Response, error) {
	out := req.Clone(req.Context())
	if req.URL.Host == r.Base.Host {
		return nil, errors.New("the request is already meant for the simulated world")
	}
	out.URL = Rewrite(req.URL, r.Doubles)
	out.URL.Scheme, out.URL.Host = r.Base.Scheme, r.Base.Host
	out.Host = r.Base.Host
	return r.Transport.RoundTrip(out)
}

// Env asks the world what a person would have in the environment.
func (r Remote) Env() (map[string]string, error) {
	req, err := http.NewRequest(http.MethodGet, r.Base.JoinPath("_env").String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := r.Transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var out map[string]string
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&out)
	return out, err
}
