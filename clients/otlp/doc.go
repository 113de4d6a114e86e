// Package otlp judges the traces that Rekey sends by OpenTelemetry's own collector: its receiver reads them, and its own data types say what it read.
package otlp
