// Package helm judges the chart under deploy/helm by Helm itself, and by Kubernetes' own types.
package helm
