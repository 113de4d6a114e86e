package kubernetes

import (
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
)

// cluster is one API server and who we are there.
type cluster struct {
	env  provider.Env
	name string
	conn Connection

	mu   sync.Mutex
	api  *vendorhttp.Client // nil: not connected yet
	done func()
	who  identity
	held secret.Value // the token that was found last
	till time.Time    // until when it is used; zero: for ever
}

// identity is who we are at the server; one of them, or none where a certificate says it.
type identity struct {
	token func(ctx context.Context) (secret.Value, time.Time, error)
	says  string // where it comes from
}

// where a pod finds what it needs [kubernetes.io/docs/tasks/run-application/access-api-from-pod].
const (
	inside   = "https://kubernetes.default.svc"
	mounted  = "/var/run/secrets/kubernetes.io/serviceaccount"
	fresh    = time.Minute // how long a token from a file is used: the kubelet renews it in place
	largest  = 1 << 20     // of a file that is read, in bytes
	early    = 10 * time.Second
	mergeKey = "application/merge-patch+json"
)

func (c *cluster) unsent(op, why string) error {
	return &cred.Error{Vendor: c.name, Op: op, Class: cred.Unsent, Why: why}
}

func (c *cluster) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done != nil {
		c.done()
	}
	c.api, c.done = nil, nil
}

// read reads a file of this machine.
func (c *cluster) read(ctx context.Context, path string) (v secret.Value, err error) {
	const op = "read how to reach the cluster"
	err = c.env.Look(ctx, c.name, op, func(context.Context) error {
		f, err := c.env.Ways().Files().Read(path, largest)
		switch {
		case err == nil:
			v = f.Content
			return nil
		case isClosed(err):
			return err
		}
		return c.unsent(op, path+" cannot be read: it is not there, or this user may not")
	})
	return v, err
}

// client connects once: settings are read when the server is first asked.
func (c *cluster) client(ctx context.Context) (*vendorhttp.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.api != nil {
		return c.api, nil
	}
	base, terms, who, err := c.found(ctx)
	if err != nil {
		return nil, err
	}
	set, err := terms.set()
	if err != nil {
		return nil, c.unsent("connect", err.Error())
	}
	way, done := vendorhttp.WithTLS(c.env.Transport, set)
	c.done, c.who = done, who
	c.api = &vendorhttp.Client{
		Vendor: c.name, Base: base, Transport: way, Now: c.env.Now, Observe: c.env.Observe,
		Explain: explain, Own: own, NotApplied: notApplied, Clock: &vendorhttp.Clock{}, Pace: c.env.Pace(0, 0),
		Authorize: c.authorize,
	}
	return c.api, nil
}

func (c *cluster) authorize(ctx context.Context, req *http.Request) (string, error) {
	if c.who.token == nil {
		return c.who.says, nil
	}
	c.mu.Lock()
	token, till := c.held, c.till
	c.mu.Unlock()
	if !token.Present() || !till.IsZero() && !c.env.Now().Before(till) {
		var err error
		if token, till, err = c.who.token(ctx); err != nil {
			return "", err
		}
		c.mu.Lock()
		c.held, c.till = token, till
		c.mu.Unlock()
	}
	req.Header.Set("Authorization", "Bearer "+token.Trimmed().Reveal())
	return c.who.says, nil
}

// fromFile is a token that a file holds, which whoever writes it may renew.
func (c *cluster) fromFile(path string) identity {
	return identity{says: "the token in " + path, token: func(ctx context.Context) (secret.Value, time.Time, error) {
		v, err := c.read(ctx, path)
		return v, c.env.Now().Add(fresh), err
	}}
}

// found reads the settings: where the server is, what its certificate is measured by,
// and who we are.
func (c *cluster) found(ctx context.Context) (base string, t terms, who identity, err error) {
	switch {
	case c.conn.InCluster:
		t.roots, err = c.read(ctx, filepath.Join(mounted, "ca.crt"))
		return inside, t, c.fromFile(filepath.Join(mounted, "token")), err
	case c.conn.BaseURL != "":
		if c.conn.CAFile != "" {
			t.roots, err = c.read(ctx, c.conn.CAFile)
		}
		who.token = func(ctx context.Context) (secret.Value, time.Time, error) {
			v, _, err := c.env.Resolve(ctx, c.conn.Token)
			return v, time.Time{}, err
		}
		return c.conn.BaseURL, t, who, err
	}
	path, err := c.env.Text(c.conn.Kubeconfig)
	if err != nil {
		return "", t, who, c.unsent("read the kubeconfig", "its path: "+err.Error())
	}
	text, err := c.read(ctx, path)
	if err != nil {
		return "", t, who, err
	}
	k, err := parseKubeconfig(text, c.conn.Context)
	if err != nil {
		return "", t, who, c.unsent("read the kubeconfig", path+": "+err.Error())
	}
	return c.configured(ctx, k, filepath.Dir(path))
}

// configured turns one context of a kubeconfig into terms and identity.
func (c *cluster) configured(ctx context.Context, k kubeconfig, dir string) (base string, t terms, who identity, err error) {
	part := func(data, path string) (secret.Value, error) {
		if data != "" {
			v, err := decoded(data)
			if err != nil {
				err = c.unsent("read the kubeconfig", err.Error())
			}
			return v, err
		}
		if path == "" {
			return secret.Value{}, nil
		}
		return c.read(ctx, from(dir, path))
	}
	t.name = k.cluster.ServerName
	if t.roots, err = part(k.cluster.CAData, k.cluster.CA); err != nil {
		return "", t, who, err
	}
	if t.certificate, err = part(k.user.CertificateData, k.user.Certificate); err != nil {
		return "", t, who, err
	}
	if t.key, err = part(k.user.KeyData, k.user.Key); err != nil {
		return "", t, who, err
	}
	switch {
	case k.user.Token != "":
		v := secret.New(k.user.Token)
		who = identity{says: "the token of the kubeconfig", token: func(context.Context) (secret.Value, time.Time, error) { return v, time.Time{}, nil }}
	case k.user.TokenFile != "":
		who = c.fromFile(from(dir, k.user.TokenFile))
	case k.user.Exec != nil:
		first, err := c.execute(ctx, k, dir)
		if err != nil {
			return "", t, who, err
		}
		if first.certificate.Present() {
			t.certificate, t.key = first.certificate, first.key
		}
		if first.token.Present() {
			c.held, c.till = first.token, first.till
			who = identity{says: "the token that " + k.user.Exec.Command + " gave", token: func(ctx context.Context) (secret.Value, time.Time, error) {
				next, err := c.execute(ctx, k, dir)
				return next.token, next.till, err
			}}
		}
	case !t.certificate.Present():
		return "", t, who, c.unsent("read the kubeconfig", "its user has no token, no certificate and no command that gives one")
	}
	if who.says == "" {
		who.says = "the client certificate of the kubeconfig"
	}
	return k.cluster.Server, t, who, nil
}

// given is what a command gave as a credential.
type given struct {
	token, certificate, key secret.Value
	till                    time.Time
}

// execute asks a command for a credential [kubernetes.io/docs/reference/access-authn-authz/authentication, client-go credential plugins].
func (c *cluster) execute(ctx context.Context, k kubeconfig, dir string) (g given, err error) {
	const op = "ask the command of the kubeconfig for a credential"
	x := k.user.Exec
	info, _ := json.Marshal(map[string]any{"kind": "ExecCredential", "apiVersion": x.APIVersion, "spec": map[string]any{
		"interactive": false, "cluster": map[string]any{"server": k.cluster.Server, "certificate-authority-data": k.cluster.CAData}}})
	command := outside.Command{Path: x.Command, Args: x.Args, More: []string{"KUBERNETES_EXEC_INFO=" + string(info)}}
	if filepath.Base(x.Command) != x.Command {
		command.Path = from(dir, x.Command)
	}
	for _, e := range x.Env {
		command.More = append(command.More, e.Name+"="+e.Value)
	}
	err = c.env.Look(ctx, c.name, op, func(ctx context.Context) error {
		ended, err := c.env.Ways().Exec(ctx, command)
		if err != nil {
			return err
		}
		if ended.Exit != 0 {
			return c.unsent(op, x.Command+" did not give one: run it by hand to see why")
		}
		var out struct {
			Status struct {
				Token       secret.Value `json:"token"`
				Certificate secret.Value `json:"clientCertificateData"`
				Key         secret.Value `json:"clientKeyData"`
				Expires     time.Time    `json:"expirationTimestamp"`
			} `json:"status"`
		}
		s := &out.Status
		if json.Unmarshal([]byte(ended.Stdout.Reveal()), &out) != nil || !s.Token.Present() && (!s.Certificate.Present() || !s.Key.Present()) {
			return c.unsent(op, "what "+x.Command+" printed is not an ExecCredential with a token or a certificate")
		}
		g = given{token: s.Token, certificate: s.Certificate, key: s.Key}
		if !s.Expires.IsZero() {
			g.till = s.Expires.Add(-early)
		}
		return nil
	})
	return g, err
}
