// Command oidc is a real OpenID provider for tests: the example provider of
// github.com/zitadel/oidc/v3 (Apache 2.0), whose library is certified by the OpenID
// Foundation, with its page on which people sign in. On loopback, in memory, and gone when
// its standard input ends.
//
// Its argument is the address that people are sent back to. It prints one line of JSON
// when it answers: {"issuer":…,"client":…,"secret":…,"user":…,"password":…}.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("want one argument: the address that people are sent back to")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	issuer := fmt.Sprintf("http://localhost:%d/", listener.Addr().(*net.TCPAddr).Port)
	storage.RegisterClients(storage.WebClient("rekey", "secret-of-the-client", os.Args[1]))
	provider := exampleop.SetupServer(issuer, storage.NewStorage(storage.NewUserStore(issuer)), nil, false)
	server := &http.Server{Handler: provider, ReadHeaderTimeout: 10 * time.Second}
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); _ = server.Close() }()
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{
		"issuer": issuer, "client": "rekey", "secret": "secret-of-the-client", "user": "test-user@localhost", "password": "verysecure", "email": "test-user@zitadel.ch",
	}); err != nil {
		return err
	}
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	return nil
}
