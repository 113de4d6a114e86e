package sim

import (
	"net/http"
	"time"

	"rekey/internal/provider"
	assisted "rekey/internal/provider/assisted/double"
	cloudflare "rekey/internal/provider/cloudflare/double"
	heroku "rekey/internal/provider/heroku/double"
	infisical "rekey/internal/provider/infisical/double"
	webhook "rekey/internal/provider/webhook/double"
	"rekey/internal/vendorhttp"
	"rekey/internal/world"
)

// The words of a world, as those who look into this one write them.
type (
	Knobs    = world.Knobs
	Duration = world.Duration
	Fault    = world.Fault
	Outage   = world.Outage
	Bucket   = world.Bucket

	Cloudflare = cloudflare.Cloudflare
	Edge       = cloudflare.Edge
	View       = cloudflare.View
	Site       = cloudflare.Site
	Token      = cloudflare.Token
	APIToken   = cloudflare.APIToken
	Rules      = cloudflare.Rules
	App        = cloudflare.App
	Inactivity = cloudflare.Inactivity

	Infisical      = infisical.Infisical
	StoredSecret   = infisical.StoredSecret
	Version        = infisical.Version
	Metadatum      = infisical.Metadatum
	Import         = infisical.Import
	Identity       = infisical.Identity
	ClientSecret   = infisical.ClientSecret
	Access         = infisical.Access
	ValidationRule = infisical.ValidationRule
	Sync           = infisical.Sync
	Tag            = infisical.Tag

	Heroku         = heroku.Heroku
	HerokuApp      = heroku.HerokuApp
	HerokuPipeline = heroku.HerokuPipeline
	Coupling       = heroku.Coupling
	Release        = heroku.Release
	Process        = heroku.Process
	Authorization  = heroku.Authorization

	Portal    = assisted.Portal
	PortalKey = assisted.PortalKey
	Hook      = webhook.Hook
)

// Values of those words.
const (
	UsesAPI    = cloudflare.UsesAPI
	Server2024 = infisical.Server2024
	Server2025 = infisical.Server2025
	PortalHost = assisted.PortalHost
	HooksHost  = webhook.HooksHost
)

// Person is a person who does by hand in the simulated portal what is asked.
func Person(network http.RoundTripper, now func() time.Time, seen func(vendorhttp.Call)) provider.Person {
	return assisted.Person(network, now, seen)
}
