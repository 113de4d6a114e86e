package kubernetes

import (
	"encoding/base64"
	"errors"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"

	"rekey/internal/outside"
	"rekey/internal/secret"
)

// kubeconfig is one context of such a file
// [kubernetes.io/docs/reference/config-api/kubeconfig.v1].
type kubeconfig struct {
	cluster kubeCluster
	user    kubeUser
}

type kubeCluster struct {
	Server     string `yaml:"server"`
	ServerName string `yaml:"tls-server-name"`
	Insecure   bool   `yaml:"insecure-skip-tls-verify"`
	CA         string `yaml:"certificate-authority"`
	CAData     string `yaml:"certificate-authority-data"`
	Proxy      string `yaml:"proxy-url"`
}

type kubeUser struct {
	Certificate     string    `yaml:"client-certificate"`
	CertificateData string    `yaml:"client-certificate-data"`
	Key             string    `yaml:"client-key"`
	KeyData         string    `yaml:"client-key-data"`
	Token           string    `yaml:"token"`
	TokenFile       string    `yaml:"tokenFile"`
	As              string    `yaml:"as"`
	Username        string    `yaml:"username"`
	Provider        yaml.Node `yaml:"auth-provider"`
	Exec            *kubeExec `yaml:"exec"`
}

type kubeExec struct {
	APIVersion string   `yaml:"apiVersion"`
	Command    string   `yaml:"command"`
	Args       []string `yaml:"args"`
	Env        []struct {
		Name  string `yaml:"name"`
		Value string `yaml:"value"`
	} `yaml:"env"`
}

// parseKubeconfig reads one context, the current one where none is named. Its errors
// quote nothing: the file holds credentials.
func parseKubeconfig(text secret.Value, context string) (k kubeconfig, err error) {
	var file struct {
		Current  string `yaml:"current-context"`
		Clusters []struct {
			Name    string      `yaml:"name"`
			Cluster kubeCluster `yaml:"cluster"`
		} `yaml:"clusters"`
		Users []struct {
			Name string   `yaml:"name"`
			User kubeUser `yaml:"user"`
		} `yaml:"users"`
		Contexts []struct {
			Name    string `yaml:"name"`
			Context struct {
				Cluster string `yaml:"cluster"`
				User    string `yaml:"user"`
			} `yaml:"context"`
		} `yaml:"contexts"`
	}
	if yaml.Unmarshal([]byte(text.Reveal()), &file) != nil {
		return k, errors.New("this is not a kubeconfig")
	}
	if context == "" {
		context = file.Current
	}
	cluster, user, found := "", "", false
	for _, c := range file.Contexts {
		if c.Name == context && !found {
			cluster, user, found = c.Context.Cluster, c.Context.User, true
		}
	}
	switch {
	case context == "":
		return k, errors.New("it has no current context: name one with context")
	case !found:
		return k, errors.New("it has no context " + context)
	}
	there, known := false, false
	for _, c := range file.Clusters {
		if c.Name == cluster && !there {
			k.cluster, there = c.Cluster, true
		}
	}
	for _, u := range file.Users {
		if u.Name == user && !known {
			k.user, known = u.User, true
		}
	}
	switch {
	case !there || !known:
		return k, errors.New("the context " + context + " names a cluster or a user that the file does not have")
	case k.cluster.Insecure:
		return k, errors.New("insecure-skip-tls-verify is set: whoever stands on the way could read every secret; give certificate-authority instead")
	case !strings.HasPrefix(k.cluster.Server, "https://"):
		return k, errors.New("its server is not reached by https")
	case k.cluster.Proxy != "":
		return k, errors.New("proxy-url is not taken from here: set HTTPS_PROXY")
	case k.user.As != "":
		return k, errors.New("its user acts as another (as), which Rekey does not: give it a context of its own")
	case k.user.Username != "" || !k.user.Provider.IsZero():
		return k, errors.New("username and auth-provider are not known to Kubernetes any more: use a token, a certificate or exec")
	case k.user.Exec != nil && (k.user.Exec.Command == "" || !strings.HasPrefix(k.user.Exec.APIVersion, "client.authentication.k8s.io/")):
		return k, errors.New("its exec lacks the command or the version")
	}
	return k, nil
}

// from is a path as a kubeconfig means it: beside the file.
func from(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func decoded(data string) (secret.Value, error) {
	b, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return secret.Value{}, errors.New("a certificate or key in the kubeconfig is not base64")
	}
	v := secret.New(string(b))
	clear(b)
	return v, nil
}

func isClosed(err error) bool { return errors.Is(err, outside.ErrClosed) }
