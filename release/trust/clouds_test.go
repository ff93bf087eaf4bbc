package trust_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
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

const (
	tenant = "11111111-2222-3333-4444-555555555555"
	// canary is every secret of these tests; no error, note or file may hold it.
	canary = "canary-c0ffee-secret"

	login = "login.microsoftonline.com"
	vault = "acme.vault.azure.net"
	awsk  = "kms.eu-west-1.amazonaws.com"
	tufs  = "tuf.acme.example"
)

// clouds are the hosts that the SDKs talk to, under their real names: the
// program is sent through a proxy, as in many companies, and the proxy ends at a
// server of this process that speaks their documented protocols.
type clouds struct {
	mu    sync.Mutex
	hosts map[string]http.Handler
	asked []string // host and path of every request
}

var world = &clouds{hosts: map[string]http.Handler{}}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "trust")
	if err != nil {
		panic(err)
	}
	server := httptest.NewUnstartedServer(world)
	certificate, ca := certify(login, vault, awsk, tufs)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	proxy := httptest.NewServer(tunnel(server.Listener.Addr().String()))
	file := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(file, ca, 0o600); err != nil {
		panic(err)
	}
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "AZURE_") || strings.HasPrefix(v, "AWS_") || strings.Contains(strings.ToLower(v), "_proxy") {
			name, _, _ := strings.Cut(v, "=")
			_ = os.Unsetenv(name)
		}
	}
	for name, v := range map[string]string{
		"SSL_CERT_FILE": file, "SSL_CERT_DIR": dir, "HTTPS_PROXY": proxy.URL, "HOME": dir,
		"AZURE_TENANT_ID": tenant, "AZURE_CLIENT_ID": "66666666-2222-3333-4444-555555555555", "AZURE_CLIENT_SECRET": canary + "-azure",
		"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": canary + "-aws", "AWS_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_MAX_ATTEMPTS": "1",
	} {
		_ = os.Setenv(name, v)
	}
	world.hosts[login] = http.HandlerFunc(authority)
	code := m.Run()
	proxy.Close()
	server.Close()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// certify makes a certificate for the names, and the PEM of its authority.
func certify(names ...string) (tls.Certificate, []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "clouds of the tests"}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// tunnel is an HTTP proxy that leads every CONNECT to one address.
func tunnel(to string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.Host)
		world.mu.Lock()
		_, known := world.hosts[host]
		world.mu.Unlock()
		if r.Method != http.MethodConnect || !known {
			http.Error(w, "no way to "+r.Host, http.StatusBadGateway)
			return
		}
		out, err := net.Dial("tcp", to)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
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
	})
}

// ServeHTTP hands a request to the host that it is for.
func (c *clouds) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.asked = append(c.asked, r.Host+r.URL.Path)
	h := c.hosts[r.Host]
	c.mu.Unlock()
	if h == nil {
		http.Error(w, "nobody is here", http.StatusServiceUnavailable)
		return
	}
	h.ServeHTTP(w, r)
}

// host starts a host for one test. Nil: its name is known, and nobody answers.
func host(t *testing.T, name string, h http.Handler) {
	t.Helper()
	world.mu.Lock()
	defer world.mu.Unlock()
	world.asked = nil
	world.hosts[name] = h
	t.Cleanup(func() {
		world.mu.Lock()
		defer world.mu.Unlock()
		delete(world.hosts, name)
	})
}

// requests is how many requests went to a host since it was started.
func requests(name string) (n int) {
	world.mu.Lock()
	defer world.mu.Unlock()
	for _, r := range world.asked {
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

// authority is Microsoft Entra ID: OpenID discovery, and tokens for a client secret
// (https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow).
func authority(w http.ResponseWriter, r *http.Request) {
	at := "https://" + login + "/" + tenant
	switch {
	case strings.HasSuffix(r.URL.Path, "/discovery/instance"):
		answer(w, 200, map[string]any{
			"tenant_discovery_endpoint": at + "/v2.0/.well-known/openid-configuration", "api-version": "1.1",
			"metadata": []any{map[string]any{"preferred_network": login, "preferred_cache": "login.windows.net", "aliases": []string{login}}},
		})
	case strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
		answer(w, 200, map[string]any{"token_endpoint": at + "/oauth2/v2.0/token", "authorization_endpoint": at + "/oauth2/v2.0/authorize", "issuer": at + "/v2.0"})
	case r.URL.Path == "/"+tenant+"/oauth2/v2.0/token":
		if r.FormValue("client_secret") != canary+"-azure" || !strings.HasPrefix(r.FormValue("scope"), "https://vault.azure.net/.default") {
			answer(w, 401, map[string]any{"error": "invalid_client"})
			return
		}
		answer(w, 200, map[string]any{"token_type": "Bearer", "expires_in": 3599, "access_token": canary + "-token"})
	default:
		http.NotFound(w, r)
	}
}

// keyVault is one key of Azure Key Vault, with versions; the newest is used
// where a request names none (https://learn.microsoft.com/rest/api/keyvault/keys).
type keyVault struct {
	name     string
	versions []crypto.Signer
	wrong    bool // signs with another version than the one it shows
	denied   bool
}

func (v *keyVault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+canary+"-token" {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer authorization="https://%s/%s", resource="https://vault.azure.net"`, login, tenant))
		answer(w, 401, map[string]any{"error": map[string]any{"code": "Unauthorized", "message": "AKV10000: Request is missing a Bearer or PoP token."}})
		return
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/") // keys/NAME[/VERSION][/sign]
	sign := parts[len(parts)-1] == "sign"
	if sign {
		parts = parts[:len(parts)-1]
	}
	version := len(v.versions)
	if len(parts) == 3 {
		_, _ = fmt.Sscanf(parts[2], "v%d", &version)
	}
	switch {
	case v.denied:
		answer(w, 403, map[string]any{"error": map[string]any{"code": "Forbidden", "message": "Caller is not authorized to perform action"}})
	case len(parts) < 2 || parts[1] != v.name || r.URL.Query().Get("api-version") == "":
		answer(w, 404, map[string]any{"error": map[string]any{"code": "KeyNotFound", "message": "A key with that name was not found"}})
	case sign:
		v.sign(w, r, version)
	default:
		answer(w, 200, map[string]any{"key": jwk(v.versions[version-1].Public(), fmt.Sprintf("https://%s/keys/%s/v%d", vault, v.name, version)), "attributes": map[string]any{"enabled": true}})
	}
}

func (v *keyVault) sign(w http.ResponseWriter, r *http.Request, version int) {
	var ask struct{ Alg, Value string }
	_ = json.NewDecoder(r.Body).Decode(&ask)
	sum, err := base64.RawURLEncoding.DecodeString(ask.Value)
	key := v.versions[version-1]
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[ask.Alg[2:]]
	if err != nil || len(sum) != hash.Size() {
		answer(w, 400, map[string]any{"error": map[string]any{"code": "BadParameter", "message": "Invalid length of value"}})
		return
	}
	if v.wrong {
		key = v.versions[0]
	}
	sig, _ := key.Sign(rand.Reader, sum, hash)
	if k, ok := key.(*ecdsa.PrivateKey); ok { // JWS form: r and s of fixed length
		var parts struct{ R, S *big.Int }
		_, _ = asn1.Unmarshal(sig, &parts)
		size := (k.Params().BitSize + 7) / 8
		sig = append(parts.R.FillBytes(make([]byte, size)), parts.S.FillBytes(make([]byte, size))...)
	}
	answer(w, 200, map[string]any{"kid": "https://" + vault + "/keys/" + v.name, "value": base64.RawURLEncoding.EncodeToString(sig)})
}

func jwk(public crypto.PublicKey, id string) map[string]any {
	b64 := func(n *big.Int, size int) string {
		return base64.RawURLEncoding.EncodeToString(n.FillBytes(make([]byte, size)))
	}
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		size := (k.Params().BitSize + 7) / 8
		raw, _ := k.Bytes()
		return map[string]any{
			"kid": id, "kty": "EC-HSM", "crv": k.Params().Name, "key_ops": []string{"sign", "verify"},
			"x": base64.RawURLEncoding.EncodeToString(raw[1 : 1+size]), "y": base64.RawURLEncoding.EncodeToString(raw[1+size:]),
		}
	case *rsa.PublicKey:
		return map[string]any{"kid": id, "kty": "RSA", "key_ops": []string{"sign"}, "n": b64(k.N, k.Size()), "e": "AQAB"}
	}
	return nil
}

// awsKMS is AWS KMS with one key (https://docs.aws.amazon.com/kms/latest/APIReference).
type awsKMS struct {
	id     string
	key    crypto.Signer
	denied bool
}

func (k *awsKMS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	refuse := func(kind, message string) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": kind, "message": message})
	}
	var ask struct {
		KeyID            string `json:"KeyId"`
		Message          []byte
		MessageType      string
		SigningAlgorithm string
	}
	body, _ := io.ReadAll(r.Body)
	signed := strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIATEST/") && strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/kms/")
	switch {
	case !signed:
		refuse("IncompleteSignatureException", "no signature")
	case json.Unmarshal(body, &ask) != nil || ask.KeyID != k.id:
		refuse("NotFoundException", "Key '"+ask.KeyID+"' does not exist")
	case k.denied:
		refuse("AccessDeniedException", "User is not authorized to perform: kms:GetPublicKey")
	case r.Header.Get("X-Amz-Target") == "TrentService.GetPublicKey":
		der, _ := x509.MarshalPKIXPublicKey(k.key.Public())
		answer(w, 200, map[string]any{"KeyId": k.id, "PublicKey": der, "KeyUsage": "SIGN_VERIFY", "SigningAlgorithms": k.algorithms()})
	case r.Header.Get("X-Amz-Target") == "TrentService.DescribeKey":
		answer(w, 200, map[string]any{"KeyMetadata": map[string]any{"KeyId": k.id, "Enabled": true, "SigningAlgorithms": k.algorithms()}})
	case r.Header.Get("X-Amz-Target") == "TrentService.Sign" && ask.MessageType == "DIGEST" && ask.SigningAlgorithm == k.algorithms()[0]:
		hash := crypto.SHA256
		if len(ask.Message) == crypto.SHA384.Size() {
			hash = crypto.SHA384
		}
		sig, _ := k.key.Sign(rand.Reader, ask.Message, hash)
		answer(w, 200, map[string]any{"KeyId": k.id, "Signature": sig, "SigningAlgorithm": ask.SigningAlgorithm})
	default:
		refuse("ValidationException", r.Header.Get("X-Amz-Target"))
	}
}

func (k *awsKMS) algorithms() []string {
	switch key := k.key.(type) {
	case *ecdsa.PrivateKey:
		if key.Curve == elliptic.P384() {
			return []string{"ECDSA_SHA_384"}
		}
		return []string{"ECDSA_SHA_256"}
	default:
		return []string{"RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PSS_SHA_256"}
	}
}

func ecKey(t *testing.T, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t *testing.T, bits int) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// noCanary fails if a secret shows in text.
func noCanary(t *testing.T, text ...string) {
	t.Helper()
	for _, s := range text {
		if strings.Contains(s, canary) || bytes.Contains([]byte(s), []byte("Bearer ")) {
			t.Errorf("a secret shows in: %s", s)
		}
	}
}
