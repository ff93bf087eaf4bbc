package trusttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Canary is in every secret of the fakes; nothing that is shown or kept may hold it.
const Canary = "canary-c0ffee-secret"

// The hosts that the SDKs ask, under their real names, and one of our own.
const (
	Vault = "acme.vault.azure.net"
	AWS   = "kms.eu-west-1.amazonaws.com"
	TUF   = "tuf.acme.example"

	login  = "login.microsoftonline.com"
	tenant = "11111111-2222-3333-4444-555555555555"
)

// Clouds are hosts of clouds in this process. Programs are sent to them through a
// proxy, as in many companies, and the proxy ends at a server that speaks their
// documented protocols. Safe for concurrent use.
type Clouds struct {
	server, proxy *httptest.Server
	dir           string

	mu    sync.Mutex
	fakes sync.RWMutex // held while a host answers, and while Change changes one
	hosts map[string]http.Handler
	asked []string // host and path of every request
}

// Start starts them, without any service but Microsoft Entra ID.
func Start() (*Clouds, error) {
	dir, err := os.MkdirTemp("", "clouds")
	if err != nil {
		return nil, fmt.Errorf("start the clouds: %w", err)
	}
	certificate, ca, err := certify(login, Vault, AWS, TUF)
	if err != nil {
		return nil, fmt.Errorf("start the clouds: %w", err)
	}
	c := &Clouds{dir: dir, hosts: map[string]http.Handler{login: http.HandlerFunc(authority)}}
	if err := os.WriteFile(c.file(), ca, 0o600); err != nil {
		return nil, fmt.Errorf("start the clouds: %w", err)
	}
	c.server = httptest.NewUnstartedServer(c)
	c.server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	c.server.StartTLS()
	c.proxy = httptest.NewServer(http.HandlerFunc(c.tunnel))
	return c, nil
}

func (c *Clouds) file() string { return filepath.Join(c.dir, "ca.pem") }

// Close ends them.
func (c *Clouds) Close() {
	c.proxy.Close()
	c.server.Close()
	_ = os.RemoveAll(c.dir)
}

// Environ is what a program needs in its environment to be sent to these clouds,
// and to be let in. A process must have it before it makes its first request.
func (c *Clouds) Environ() map[string]string {
	return map[string]string{
		"SSL_CERT_FILE": c.file(), "SSL_CERT_DIR": c.dir, "HTTPS_PROXY": c.proxy.URL,
		"AZURE_TENANT_ID": tenant, "AZURE_CLIENT_ID": "66666666-2222-3333-4444-555555555555", "AZURE_CLIENT_SECRET": Canary + "-azure",
		"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": Canary + "-aws", "AWS_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_MAX_ATTEMPTS": "1",
	}
}

// certify makes a certificate for the names, and the PEM of its authority.
func certify(names ...string) (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("make a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "clouds of the tests"}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("make a certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// tunnel is an HTTP proxy that leads every CONNECT to the server, if its host is known.
func (c *Clouds) tunnel(w http.ResponseWriter, r *http.Request) {
	host, _, _ := net.SplitHostPort(r.Host)
	c.mu.Lock()
	_, known := c.hosts[host]
	c.mu.Unlock()
	if r.Method != http.MethodConnect || !known {
		http.Error(w, "no way there", http.StatusBadGateway)
		return
	}
	out, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", c.server.Listener.Addr().String())
	if err != nil {
		http.Error(w, "nobody is there", http.StatusBadGateway)
		return
	}
	in, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		_ = out.Close()
		return
	}
	_, _ = io.WriteString(in, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
	go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
}

// ServeHTTP hands a request to the host that it is for.
func (c *Clouds) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.asked = append(c.asked, r.Host+r.URL.Path)
	h := c.hosts[r.Host]
	c.mu.Unlock()
	if h == nil {
		http.Error(w, "nobody is here", http.StatusServiceUnavailable)
		return
	}
	c.fakes.RLock()
	defer c.fakes.RUnlock()
	h.ServeHTTP(w, r)
}

// Change changes what hosts know, while none of them answers.
func (c *Clouds) Change(change func()) {
	c.fakes.Lock()
	defer c.fakes.Unlock()
	change()
}

// Host starts a host until the test ends, and counts requests anew.
func (c *Clouds) Host(t testing.TB, name string, h http.Handler) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = nil
	c.hosts[name] = h
	t.Cleanup(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.hosts, name)
	})
}

// Requests is how many requests went to a host since Host was called last.
func (c *Clouds) Requests(name string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.asked {
		if strings.HasPrefix(r, name) {
			n++
		}
	}
	return n
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
