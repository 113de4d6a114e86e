package main

import (
	"io"
	"net/http"
	"testing"
)

// contentOf is what stands at an address, which has to be there.
func contentOf(tb testing.TB, address string) []byte {
	tb.Helper()
	resp, err := http.Get(address)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		tb.Fatalf("%s: %d %v %s", address, resp.StatusCode, err, b)
	}
	return b
}
