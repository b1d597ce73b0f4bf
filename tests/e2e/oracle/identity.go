package oracle

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
)

// A User is someone who asks: by token, by client certificate, or, with neither, anonymously. A user with both
// presents both.
type User struct {
	Name  string
	Token string
	Cert  Pair
}

// TLSClient is the TLS configuration with which the user connects. protocols is the ALPN list.
func (u User) TLSClient(caFile string, protocols ...string) (*tls.Config, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: no certificates", caFile)
	}
	config := &tls.Config{RootCAs: pool, NextProtos: protocols, MinVersion: tls.VersionTLS12}
	if u.Cert.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(u.Cert.CertFile, u.Cert.KeyFile)
		if err != nil {
			return nil, err
		}
		// Always this one: a client that honours the server's list of CAs would hide a certificate of a foreign CA.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return config, nil
}

// AgreesTo tells whether the server takes this protocol when it is offered beside HTTP/1.1.
func (c *Cluster) AgreesTo(server, protocol string) (bool, error) {
	config, err := c.Admin.TLSClient(c.CAFile(), protocol, "http/1.1")
	if err != nil {
		return false, err
	}
	conn, err := tls.Dial("tcp", strings.TrimPrefix(server, "https://"), config)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	return conn.ConnectionState().NegotiatedProtocol == protocol, nil
}

// ServingConfig is for a server of the tests' own, which clients take for the API server.
func (c *Cluster) ServingConfig() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(c.serving.CertFile, c.serving.KeyFile)
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}, nil
}

// RESTConfig is client-go's configuration for the user at this server. The rate limit is off.
func (u User) RESTConfig(server, caFile string) *rest.Config {
	return &rest.Config{
		Host:        server,
		BearerToken: u.Token,
		QPS:         -1,
		TLSClientConfig: rest.TLSClientConfig{
			CAFile: caFile, CertFile: u.Cert.CertFile, KeyFile: u.Cert.KeyFile,
		},
	}
}

// WriteKubeconfig writes a kubeconfig for the user. With inline, certificates and keys are in the file itself.
func (u User) WriteKubeconfig(file, server, caFile string, inline bool) error {
	user := map[string]any{}
	cluster := map[string]any{"server": server}
	put := func(m map[string]any, key, path string) error {
		if path == "" {
			return nil
		}
		if !inline {
			m[key] = path
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		m[key+"-data"] = base64.StdEncoding.EncodeToString(data)
		return nil
	}
	if u.Token != "" {
		user["token"] = u.Token
	}
	for _, e := range []struct {
		m         map[string]any
		key, path string
	}{
		{cluster, "certificate-authority", caFile},
		{user, "client-certificate", u.Cert.CertFile},
		{user, "client-key", u.Cert.KeyFile},
	} {
		if err := put(e.m, e.key, e.path); err != nil {
			return err
		}
	}
	// JSON is YAML.
	text, err := json.MarshalIndent(map[string]any{
		"apiVersion":      "v1",
		"kind":            "Config",
		"clusters":        []any{map[string]any{"name": "oracle", "cluster": cluster}},
		"users":           []any{map[string]any{"name": u.Name, "user": user}},
		"contexts":        []any{map[string]any{"name": "default", "context": map[string]any{"cluster": "oracle", "user": u.Name}}},
		"current-context": "default",
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}
