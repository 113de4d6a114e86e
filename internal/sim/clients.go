package sim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Apart are the vendors that can be served at an address of their own, for
// clients that are given a host and no path.
var Apart = []string{"cloudflare", "infisical", "heroku"}

// Alone serves one vendor of Apart as the real one is: at the root, and nothing
// beside it. It is the same world; /_world, /_env and /_faults are not there.
func (w *World) Alone(vendor string) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		w.serve(rw, req, vendor, w.mux[vendor])
	})
}

// ClientEnv returns the environment in which a vendor's own tools work on the
// simulated one at base (http://127.0.0.1:7778, no slash at the end). env is what
// World.Env returns.
func ClientEnv(vendor, base string, env map[string]string) map[string]string {
	switch vendor {
	case "cloudflare":
		// The Go SDK and the Terraform provider (cloudflare-go v7.9.0, client.go,
		// DefaultClientOptions).
		return map[string]string{
			"CLOUDFLARE_BASE_URL": base + "/client/v4", "CLOUDFLARE_API_TOKEN": env["CF_ACCESS_MGMT"],
			"CLOUDFLARE_ACCOUNT_ID": env["CF_ACCOUNT_ID"],
		}
	case "infisical":
		// The SDKs read the identity (go-sdk v0.8.0, packages/util/constants.go), the
		// CLI the address as well (github.com/Infisical/cli/issues/206).
		return map[string]string{
			"INFISICAL_API_URL": base + "/api", "INFISICAL_UNIVERSAL_AUTH_CLIENT_ID": env["INFISICAL_CLIENT_ID"],
			"INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET": env["INFISICAL_CLIENT_SECRET"], "INFISICAL_PROJECT_ID": env["INFISICAL_PROJECT_ID"],
		}
	case "heroku":
		// The CLI (docs/vendors/heroku.md). It takes a loopback address as it is;
		// with any other it would go to the real Heroku, and so it must never be
		// given one. The others keep it from calling home; the last one stands in
		// @oclif/plugin-update, dist/hooks/init.js.
		return map[string]string{
			"HEROKU_HOST": base, "HEROKU_API_KEY": env["HEROKU_API_KEY"],
			"HEROKU_PARTICLEBOARD_URL": base, "HEROKU_SKIP_NEW_VERSION_CHECK": "1", "DISABLE_TELEMETRY": "true",
			"HEROKU_DISABLE_AUTOUPDATE": "1",
		}
	}
	return nil
}

// clientEnv answers GET /_env/<vendor>: lines for a shell.
func (w *World) clientEnv(rw http.ResponseWriter, req *http.Request, vendor string) {
	base := w.Addresses[vendor]
	switch {
	case !slices.Contains(Apart, vendor):
		http.Error(rw, "GET /_env/ and one of "+strings.Join(Apart, ", "), http.StatusNotFound)
		return
	case base == "" && vendor == "heroku":
		http.Error(rw, "Heroku's CLI takes a host without a path: start rekey sim with --heroku 127.0.0.1:7778", http.StatusNotFound)
		return
	case base == "":
		base = "http://" + req.Host + "/" + vendor
	}
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	set := ClientEnv(vendor, base, w.Env())
	for _, name := range slices.Sorted(maps.Keys(set)) {
		_, _ = fmt.Fprintf(rw, "export %s='%s'\n", name, strings.ReplaceAll(set[name], "'", `'\''`))
	}
}
