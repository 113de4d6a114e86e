// Package realserver starts real database servers for tests, on systems that have them; on Windows there are none.
package realserver
