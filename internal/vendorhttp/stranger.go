package vendorhttp

import (
	"net/http"
	"slices"
	"strings"
)

// servers are programs that stand before vendors, by what they call themselves in
// the header Server. Only a name that stands here is ever shown.
var servers = []string{
	"akamaighost", "apache", "awselb", "azure", "bigip", "caddy", "cloudflare", "cloudfront", "cowboy", "envoy", "fly", "gunicorn", "gws", "haproxy",
	"heroku", "istio-envoy", "kong", "microsoft-iis", "netlify", "nginx", "openresty", "squid", "traefik", "varnish", "vegur", "vercel", "zscaler",
}

// stranger says of an answer that is not in the vendor's own error shape what it is
// and who may have given it.
func (r *Response) stranger() string {
	by := "something between here and " + r.host
	if r.host == "" {
		by = "something on the way"
	}
	if r.proxy != "" {
		by += " (the way leads through the proxy " + r.proxy + ")"
	}
	if name := r.server(); name != "" {
		by += ", which calls itself " + name + ","
	}
	if r.Status == http.StatusProxyAuthRequired {
		return "the proxy " + r.proxy + " on the way wants to know who asks; the vendor was not reached"
	}
	return r.kind() + ", not in the vendor's format: " + by + " answered"
}

// kind is what an answer is, without anything from it.
func (r *Response) kind() string {
	switch {
	case len(strings.TrimSpace(string(r.Body))) == 0:
		return "an empty answer"
	case r.IsHTML():
		return "a page of HTML"
	case r.IsJSON():
		return "JSON of another shape"
	}
	return "a text"
}

func (r *Response) server() string {
	name, _, _ := strings.Cut(strings.ToLower(r.Header.Get("Server")), "/")
	if name = strings.TrimSpace(name); slices.Contains(servers, name) {
		return name
	}
	return ""
}
