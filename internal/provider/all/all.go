// Package all is the list of vendors; made by go generate ./internal/sop from the folders of internal/provider.
package all

import (
	"rekey/internal/provider"
	"rekey/internal/provider/assisted"
	"rekey/internal/provider/cloudflare"
	"rekey/internal/provider/file"
	"rekey/internal/provider/github"
	"rekey/internal/provider/heroku"
	"rekey/internal/provider/infisical"
	"rekey/internal/provider/kubernetes"
	"rekey/internal/provider/mysql"
	"rekey/internal/provider/postgres"
	"rekey/internal/provider/redis"
	"rekey/internal/provider/rekey"
	"rekey/internal/provider/vault"
)

// Vendors returns the descriptor of every vendor, by name in order.
func Vendors() []provider.Descriptor {
	return []provider.Descriptor{
		assisted.Descriptor,
		cloudflare.Descriptor,
		file.Descriptor,
		github.Descriptor,
		heroku.Descriptor,
		infisical.Descriptor,
		kubernetes.Descriptor,
		mysql.Descriptor,
		postgres.Descriptor,
		redis.Descriptor,
		rekey.Descriptor,
		vault.Descriptor,
	}
}

// Find returns the descriptor with this name.
func Find(name string) (provider.Descriptor, bool) {
	for _, d := range Vendors() {
		if d.Name == name {
			return d, true
		}
	}
	return provider.Descriptor{}, false
}
