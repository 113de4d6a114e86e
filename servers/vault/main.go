// Command vault is the real core of Vault 1.14.1 (MPL 2.0) for tests: KV version 2 and
// AppRole, on loopback, unsealed, and gone when its standard input ends.
//
// It prints one line of JSON when it answers: {"address":…,"token":…}. With a folder as
// its argument it keeps what it holds there, and goes on with it when it is started
// again, on the same address; without one everything is in memory.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"

	log "github.com/hashicorp/go-hclog"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical"
	"github.com/hashicorp/vault/sdk/physical/file"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

// state is what a server needs to go on after its end. It is of a test and opens nothing else.
type state struct {
	Address string `json:"address"`
	Token   string `json:"token"`
	Key     string `json:"key,omitempty"`
}

func main() {
	folder := ""
	if len(os.Args) > 1 {
		folder = os.Args[1]
	}
	if err := serve(context.Background(), folder); err != nil {
		fmt.Fprintln(os.Stderr, "vault:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, folder string) error {
	logger := log.NewNullLogger()
	var s state
	var storage physical.Backend
	var err error
	if folder == "" {
		storage, err = inmem.NewInmem(nil, logger)
	} else {
		storage, err = file.NewFileBackend(map[string]string{"path": filepath.Join(folder, "data")}, logger)
	}
	if err != nil {
		return err
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           storage,
		LogicalBackends:    map[string]logical.Factory{"kv": kv.Factory},
		CredentialBackends: map[string]logical.Factory{"approle": approle.Factory},
		BuiltinRegistry:    builtin{},
		DisableMlock:       true,
		Logger:             logger,
	})
	if err != nil {
		return err
	}
	kept := filepath.Join(folder, "state.json")
	if b, err := os.ReadFile(kept); folder != "" && err == nil {
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
	} else if s, err = initialize(ctx, core); err != nil {
		return err
	}
	key, err := hex.DecodeString(s.Key)
	if err != nil {
		return err
	}
	if _, err := core.Unseal(key); err != nil {
		return err
	}
	if s.Address == "" {
		s.Address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", s.Address)
	if err != nil {
		return err
	}
	s.Address = l.Addr().String()
	if folder != "" {
		b, _ := json.Marshal(s)
		if err := os.WriteFile(kept, b, 0o600); err != nil {
			return err
		}
	}
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{Core: core, ListenerConfig: &configutil.Listener{Address: "127.0.0.1"}})
	go func() { _ = http.Serve(l, handler) }()
	if err := json.NewEncoder(os.Stdout).Encode(state{Address: "http://" + s.Address, Token: s.Token}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func initialize(ctx context.Context, core *vault.Core) (state, error) {
	one := &vault.SealConfig{SecretShares: 1, SecretThreshold: 1}
	made, err := core.Initialize(ctx, &vault.InitParams{BarrierConfig: one, RecoveryConfig: one})
	if err != nil {
		return state{}, err
	}
	return state{Token: made.RootToken, Key: hex.EncodeToString(made.SecretShares[0])}, nil
}

// builtin names the plugins that are linked in: the two under test.
type builtin struct{}

func (builtin) Contains(name string, kind consts.PluginType) bool {
	_, ok := builtin{}.Get(name, kind)
	return ok
}

func (builtin) Get(name string, kind consts.PluginType) (func() (any, error), bool) {
	switch {
	case name == "kv" && kind == consts.PluginTypeSecrets:
		return func() (any, error) { return kv.Factory, nil }, true
	case name == "approle" && kind == consts.PluginTypeCredential:
		return func() (any, error) { return approle.Factory, nil }, true
	}
	return nil, false
}

func (builtin) Keys(kind consts.PluginType) []string {
	switch kind {
	case consts.PluginTypeSecrets:
		return []string{"kv"}
	case consts.PluginTypeCredential:
		return []string{"approle"}
	}
	return nil
}

func (builtin) DeprecationStatus(string, consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, true
}

func (builtin) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }
