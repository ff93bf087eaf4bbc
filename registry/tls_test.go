package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/config/fault"
)

// badge is a client certificate in two files, signed by itself.
func badge(t *testing.T) (config.ClientCertificate, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "ada"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	dir := t.TempDir()
	files := config.ClientCertificate{Certificate: filepath.Join(dir, "me.pem"), Key: filepath.Join(dir, "me.key")}
	must(t, os.WriteFile(files.Certificate, pemOf(der), 0o600))
	must(t, os.WriteFile(files.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	certificate, err := x509.ParseCertificate(der)
	must(t, err)
	return files, certificate
}

// visitors are the names in the client certificates that a server was shown.
type visitors struct {
	mu    sync.Mutex
	names []string
}

// guarded serves a handler over TLS to those whose certificate is trusted, or
// asks for one without insisting if trusted is nil.
func guarded(t *testing.T, h http.Handler, trusted *x509.Certificate) (host string, ca []byte, seen *visitors) {
	t.Helper()
	seen = &visitors{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.mu.Lock()
		for _, c := range r.TLS.PeerCertificates {
			seen.names = append(seen.names, c.Subject.CommonName)
		}
		seen.mu.Unlock()
		h.ServeHTTP(w, r)
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	if trusted != nil {
		server.TLS.ClientAuth, server.TLS.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		server.TLS.ClientCAs.AddCert(trusted)
	}
	server.Config.ErrorLog = quiet
	server.StartTLS()
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "https://"), pemOf(server.Certificate().Raw), seen
}

func showing(t *testing.T, ca []byte, files *config.ClientCertificate, edit ...func(*Options)) *Client {
	t.Helper()
	o := Options{Registries: func(h string) config.Registry { return config.Registry{Host: h, CA: ca, Client: files, Listed: true} }}
	for _, e := range edit {
		e(&o)
	}
	c := New(o)
	t.Cleanup(c.Close)
	return c
}

func TestARegistryIsShownTheClientCertificate(t *testing.T) {
	files, certificate := badge(t)
	host, ca, seen := guarded(t, olaregHandler(t, true), certificate)
	repo := Repository{Host: host, Path: "team/app"}
	pushImage(t, showing(t, ca, &files), repo, "v1", "a")
	if len(seen.names) == 0 || seen.names[0] != "ada" {
		t.Errorf("%q", seen.names)
	}
	_, err := showing(t, ca, nil).Tags(t.Context(), repo)
	if fault.CodeOf(err) != fault.Failed || !strings.Contains(fault.HintOf(err), "client-certificate") {
		t.Errorf("without one: %v (%s)", err, fault.HintOf(err))
	}
	other, _ := badge(t)
	if _, err := showing(t, ca, &other).Tags(t.Context(), repo); !strings.Contains(fault.HintOf(err), "client-certificate") {
		t.Errorf("of a stranger: %v (%s)", err, fault.HintOf(err))
	}
}

func TestNoOtherHostIsShownTheClientCertificate(t *testing.T) {
	files, certificate := badge(t)
	_, blob := image(t, "a")
	cdn, _, away := guarded(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(blob) }), nil)
	redirect := before(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			http.Redirect(w, r, "https://"+cdn+"/blob", http.StatusTemporaryRedirect)
			return true
		}
		return false
	})
	host, ca, _ := guarded(t, redirect(olaregHandler(t, true)), certificate)
	c := showing(t, ca, &files)
	repo := Repository{Host: host, Path: "team/app"}
	m := pushImage(t, c, repo, "v1", "a")
	raw, err := c.Blob(t.Context(), repo, configOf(t, m), MaxConfig)
	if err != nil || string(raw) != string(blob) || len(away.names) != 0 {
		t.Errorf("%q was shown %q: %v", cdn, away.names, err)
	}
}

func TestAClientCertificateThatCannotBeReadIsSaid(t *testing.T) {
	files, certificate := badge(t)
	host, ca, _ := guarded(t, olaregHandler(t, true), certificate)
	files.Key = filepath.Join(t.TempDir(), "gone.key")
	_, err := showing(t, ca, &files).Tags(t.Context(), Repository{Host: host, Path: "app"})
	if fault.CodeOf(err) != fault.Usage || !strings.Contains(err.Error(), "gone.key") || !strings.Contains(fault.HintOf(err), "client-certificate under registries") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
}

func TestAnIdentityThatWasHandedOverShowsNoCertificateOfThisMachine(t *testing.T) {
	files, _ := badge(t)
	host, ca, seen := guarded(t, olaregHandler(t, true), nil)
	c := showing(t, ca, &files, func(o *Options) { o.As = &Credential{Username: "ci", Password: "x"} })
	if _, err := c.Tags(t.Context(), Repository{Host: host, Path: "app"}); err != nil || len(seen.names) != 0 {
		t.Errorf("%v, shown %q", err, seen.names)
	}
}

// TestAProxyOfTheEnvironmentIsUsed runs this program again: the environment's
// proxy is read once for each process.
func TestAProxyOfTheEnvironmentIsUsed(t *testing.T) {
	const host = "registry.behind-the-proxy.example.com"
	if os.Getenv("PLIMSOLL_TEST_BEHIND_PROXY") != "" {
		c := New(Options{Registries: func(h string) config.Registry { return config.Registry{Host: h, PlainHTTP: true, Listed: true} }})
		defer c.Close()
		if _, err := c.Tags(t.Context(), Repository{Host: host, Path: "team/app"}); err != nil {
			t.Fatal(err)
		}
		return
	}
	var mu sync.Mutex
	var asked []string
	proxy := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.URL.String())
		_, _ = io.WriteString(w, `{"name":"team/app","tags":["v1"]}`)
	}))
	out := again(t, "TestAProxyOfTheEnvironmentIsUsed", "PLIMSOLL_TEST_BEHIND_PROXY=1", "HTTP_PROXY=http://"+proxy, "http_proxy=http://"+proxy, "NO_PROXY=", "no_proxy=")
	if len(asked) != 1 || asked[0] != "http://"+host+"/v2/team/app/tags/list?n=1000" {
		t.Errorf("%q\n%s", asked, out)
	}
}

// again runs one test of this program in a process of its own.
func again(t *testing.T, name string, environ ...string) string {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+name+"$")
	cmd.Env = append(os.Environ(), environ...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func TestACredentialHelperOfDockerIsAsked(t *testing.T) {
	host := start(t, basicGuard)
	dir := t.TempDir()
	helper := `#!/bin/sh
read -r host
[ "$1 $host" = "get ` + host + `" ] || { echo "credentials not found in native keychain"; exit 1; }
echo '{"ServerURL":"` + host + `","Username":"owner","Secret":"` + canary + `"}'
`
	must(t, os.WriteFile(filepath.Join(dir, "docker-credential-plimsoll-test"), []byte(helper), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"credHelpers":{"`+host+`":"plimsoll-test"}}`), 0o600))
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("HOME", dir)
	t.Setenv("DOCKER_CONFIG", dir)
	c, _ := client(t, Options{}, config.Registry{Read: &config.Identity{Docker: true}})
	pushImage(t, c, Repository{Host: host, Path: "team/app"}, "v1", "a")
}
