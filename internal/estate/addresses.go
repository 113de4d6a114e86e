package estate

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"rekey/internal/provider/all"
	"rekey/internal/sop"
)

// ownServers leads the addresses that vendors of rekey.yaml have of their own (base_url)
// to those of the services whose place they take: those are the ones that a simulated
// world stands in for.
type ownServers struct {
	next http.RoundTripper
	own  map[string]*url.URL // by address, without a slash at its end
}

func ownAddresses(vendors map[string]sop.Vendor, next http.RoundTripper) http.RoundTripper {
	o := ownServers{next: next, own: map[string]*url.URL{}}
	for _, v := range vendors {
		var of struct {
			Base string `json:"base_url"`
		}
		d, ok := all.Find(v.Type)
		if json.Unmarshal(v.Settings, &of) != nil || of.Base == "" || !ok {
			continue
		}
		if public, err := url.Parse(d.Base); err == nil && d.Base != "" {
			o.own[strings.TrimSuffix(of.Base, "/")] = public
		}
	}
	if len(o.own) == 0 {
		return next
	}
	return o
}

// RoundTrip sends the request on, under the public address.
func (o ownServers) RoundTrip(req *http.Request) (*http.Response, error) {
	for base, public := range o.own {
		from, err := url.Parse(base)
		if err != nil || from.Scheme != req.URL.Scheme || !strings.EqualFold(from.Host, req.URL.Host) {
			continue
		}
		rest, below := strings.CutPrefix(req.URL.EscapedPath(), from.EscapedPath())
		if !below || rest != "" && rest[0] != '/' {
			continue
		}
		to, err := url.Parse(public.Scheme + "://" + public.Host + strings.TrimSuffix(public.EscapedPath(), "/") + rest)
		if err != nil {
			continue
		}
		to.RawQuery = req.URL.RawQuery
		out := req.Clone(req.Context())
		out.URL, out.Host = to, to.Host
		return o.next.RoundTrip(out)
	}
	return o.next.RoundTrip(req)
}
