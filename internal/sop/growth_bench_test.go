package sop

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// many is the example with so many credentials more, all of one procedure.
func many(n int) []byte {
	var b strings.Builder
	b.WriteString(Example())
	for i := range n {
		fmt.Fprintf(&b, "\n  CF_ACCESS_SVC_N%d:\n    consumers: [{app: app-n%d}]\n", i, i)
	}
	return []byte(b.String())
}

// BenchmarkParse reads and checks a file of many credentials of one procedure.
func BenchmarkParse(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			src := many(n)
			b.ReportAllocs()
			var config *Config
			for b.Loop() {
				var err error
				if config, err = Parse("rekey.yaml", src); err != nil {
					b.Fatal(err)
				}
			}
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.HeapAlloc)/1e6, "MB-kept")
			runtime.KeepAlive(config)
		})
	}
}
