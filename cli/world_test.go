package cli_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/cli"
	"plimsoll/config"
	"plimsoll/registry"
	"plimsoll/registry/embedded"
	"plimsoll/registry/registrytest"
	"plimsoll/ui/terminaltest"
)

// The users of the registries with a login, and their passwords.
const (
	reader, readerPassword     = "viewer", "may-only-look-1"
	promoter, promoterPassword = "release-robot", "may-write-prod-2"
)

// world is two registries, a person's machine, and one service called chat.
// Everything in it is done by commands, as people and CI do it.
type world struct {
	t             *testing.T
	dir           string // keys, plimsoll.yaml, ci.yaml, scanner.yaml
	Staging, Prod string // hosts
	Repository    string // of both
	Entry         string // what plimsoll.yaml says of a registry beside its host
	Promote       string // the promote identity of prod
	Signer        string // whose key the configuration names
	env           map[string]string
	push          *registry.Client
}

// environment is what worlds share, set before any test runs, so that tests can
// run beside each other: nobody's personal.yaml counts in them.
var environment = map[string]string{
	"XDG_CONFIG_HOME": filepath.Join(os.TempDir(), "plimsoll-has-no-configuration-here"), "TERM": "xterm-256color", "CLICOLOR_FORCE": "1",
	"PLIMSOLL_TEST_READ": readerPassword, "PLIMSOLL_TEST_PROMOTE": promoterPassword, "PLIMSOLL_TEST_WRONG": "guessed",
}

// registries starts the two registries of a world and gives the client that CI pushes with.
type registries func(t *testing.T, w *world)

// embeddedRegistries know the referrers API.
func embeddedRegistries(t *testing.T, w *world) {
	w.Staging, w.Prod = registrytest.Embedded(t), registrytest.Embedded(t)
	w.Entry, w.push = "plain-http: true, read: {anonymous: true}", registrytest.Client(t)
}

// faultyRegistries are embedded ones whose requests a story may answer itself;
// a fault that returns true has answered.
func faultyRegistries(staging, prod *fault) registries {
	return func(t *testing.T, w *world) {
		w.Staging = registrytest.Embedded(t, embedded.Options{Wrap: staging.wrap})
		w.Prod = registrytest.Embedded(t, embedded.Options{Wrap: prod.wrap})
		w.Entry, w.push = "plain-http: true, read: {anonymous: true}", registrytest.Client(t)
	}
}

// fault is what goes wrong in a registry, nothing until a story says so.
type fault struct {
	mu     sync.Mutex
	answer func(rw http.ResponseWriter, r *http.Request, next http.Handler) bool
}

func (f *fault) set(answer func(rw http.ResponseWriter, r *http.Request, next http.Handler) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

func (f *fault) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		answer := f.answer
		f.mu.Unlock()
		if answer == nil || !answer(rw, r, next) {
			next.ServeHTTP(rw, r)
		}
	})
}

// distributionRegistries are CNCF distribution: no referrers API, fallback tags.
func distributionRegistries(t *testing.T, w *world) {
	w.Staging, w.Prod = registrytest.Distribution(t), registrytest.Distribution(t)
	w.Entry, w.push = "plain-http: true, read: {anonymous: true}", registrytest.Client(t)
}

// guardedRegistries are CNCF distribution with TLS of a test CA and two users.
func guardedRegistries(t *testing.T, w *world) {
	ca := registrytest.NewCA(t)
	w.write("ca.pem", ca.PEM)
	options := []registrytest.Option{registrytest.WithTLS(ca), registrytest.WithLogin(reader, readerPassword), registrytest.WithLogin(promoter, promoterPassword)}
	w.Staging, w.Prod = registrytest.Distribution(t, options...), registrytest.Distribution(t, options...)
	w.Entry = "ca: ca.pem, read: {username: " + reader + ", password-env: PLIMSOLL_TEST_READ}"
	w.Promote = "{username: " + promoter + ", password-env: PLIMSOLL_TEST_PROMOTE}"
	identity := &config.Identity{Username: reader, PasswordEnv: "PLIMSOLL_TEST_READ"}
	w.push = registrytest.Client(t, config.Registry{Host: w.Staging, Listed: true, CA: ca.PEM, Read: identity})
}

var configuration = template.Must(template.New("").Parse(`registries:
  {{.Staging}}: { {{- .Entry}}}
  {{.Prod}}: { {{- .Entry}}, promote: {{.Promote}}}
signing: {key: {{.Signer}}.key}
trust:
  ci: {keys: [ci.pub]}
  scanner: {keys: [scanner.pub]}
  release-owners: {people: {you@example.com: you.pub}}
gates:
  e2e: {signers: [ci], max-age: 72h, suites: [smoke]}
  scan: {signers: [scanner], max-severity: medium, max-age: 24h}
records: {signers: [release-owners]}
services:
  - {name: chat, staging: {{.Staging}}/{{.Repository}}, prod: {{.Prod}}/{{.Repository}}, candidates: {tags: '^v'}}
`))

func newWorld(t *testing.T, start registries) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), Repository: "acme/chat", Promote: "{anonymous: true}"}
	w.env = map[string]string{"PLIMSOLL_CONFIG": filepath.Join(w.dir, "you.yaml"), "PLIMSOLL_STATE": filepath.Join(w.dir, "state")}
	start(t, w)
	for _, name := range []string{"ci", "scanner", "you"} {
		w.keys(name)
		w.configure(name)
	}
	return w
}

// configure writes the configuration of somebody who signs with a key of that name.
func (w *world) configure(signer string) {
	w.t.Helper()
	w.Signer = signer
	var text bytes.Buffer
	if err := configuration.Execute(&text, w); err != nil {
		w.t.Fatal(err)
	}
	w.write(signer+".yaml", text.Bytes())
}

func (w *world) write(name string, content []byte) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// keys writes a key pair without a password.
func (w *world) keys(name string) {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		w.t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		w.t.Fatal(err)
	}
	w.write(name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	w.write(name+".pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
}

// answer is what a command left.
type answer struct {
	out, err string
	code     int
}

// run runs one command without a terminal.
func (w *world) run(args ...string) answer {
	w.t.Helper()
	return w.runAs("you", args...)
}

func (w *world) runAs(signer string, args ...string) answer {
	w.t.Helper()
	var out, errs bytes.Buffer
	io := w.io(signer)
	io.In, io.Out, io.Err = strings.NewReader(""), &out, &errs
	code := cli.Execute(w.t.Context(), args, io)
	return answer{out.String(), errs.String(), code}
}

func (w *world) io(signer string) cli.IO {
	return cli.IO{Dir: w.dir, Env: func(name string) (string, bool) {
		if name == "PLIMSOLL_CONFIG" && signer != "you" {
			return filepath.Join(w.dir, signer+".yaml"), true
		}
		v, ok := w.env[name]
		return v, ok
	}}
}

// must runs a command that has to succeed and returns what it printed.
func (w *world) must(args ...string) string {
	w.t.Helper()
	return w.mustAs("you", args...)
}

func (w *world) mustAs(signer string, args ...string) string {
	w.t.Helper()
	a := w.runAs(signer, args...)
	if a.code != 0 {
		w.t.Fatalf("plimsoll %s: exit %d\n%s%s", strings.Join(args, " "), a.code, a.out, a.err)
	}
	return a.out
}

// refused runs a command that has to fail with this code and to say these words.
func (w *world) refused(code int, says string, args ...string) {
	w.t.Helper()
	a := w.run(args...)
	if a.code != code || !strings.Contains(a.err, says) {
		w.t.Fatalf("plimsoll %s: exit %d, expected %d and %q\n%s%s", strings.Join(args, " "), a.code, code, says, a.out, a.err)
	}
}

// candidate pushes images as one candidate, and CI and the scanner find nothing against it.
func (w *world) candidate(tag string, images ...embedded.Image) digest.Digest {
	w.t.Helper()
	dg, err := embedded.Push(w.t.Context(), w.push, w.staging(), []string{tag}, images...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.attest(dg, images...)
	return dg
}

func (w *world) attest(dg digest.Digest, images ...embedded.Image) {
	w.t.Helper()
	reference := w.staging().At(dg)
	w.mustAs("ci", "attest", "e2e", reference, "--suite", "smoke", "--result", w.write("junit.xml", []byte(junit)))
	for _, img := range images {
		w.mustAs("scanner", "attest", "scan", reference, "--result", w.write("trivy.json", trivy(w.t, img)))
	}
}

func (w *world) staging() registry.Repository {
	return registry.Repository{Host: w.Staging, Path: w.Repository}
}

func (w *world) prod() registry.Repository {
	return registry.Repository{Host: w.Prod, Path: w.Repository}
}

const junit = `<testsuites><testsuite name="smoke" tests="2"><testcase classname="chat" name="answers"/><testcase classname="chat" name="streams"/></testsuite></testsuites>`

// trivy is a report without findings about one platform.
func trivy(t *testing.T, img embedded.Image) []byte {
	t.Helper()
	architecture := img.Config.Architecture
	if architecture == "" {
		architecture = "amd64"
	}
	raw, err := json.Marshal(map[string]any{
		"SchemaVersion": 2, "ArtifactName": "chat", "ArtifactType": "container_image", "CreatedAt": time.Now().UTC(),
		"Metadata": map[string]any{"ImageConfig": map[string]any{"architecture": architecture, "os": "linux"}},
		"Results":  []any{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// inProd is what the channel points at, as list prints it; "" for nothing.
func (w *world) inProd() digest.Digest {
	w.t.Helper()
	var got struct {
		Services []struct {
			Prod struct{ Digest *digest.Digest }
		}
	}
	if err := json.Unmarshal([]byte(w.must("list", "chat", "-o", "json")), &got); err != nil {
		w.t.Fatal(err)
	}
	if d := got.Services[0].Prod.Digest; d != nil {
		return *d
	}
	return ""
}

// image is a small image; version changes its application layer only.
func image(version, architecture string, compression embedded.Compression) embedded.Image {
	created := time.Now().UTC().Truncate(time.Second)
	return embedded.Image{
		Layers: []embedded.Layer{
			{CreatedBy: "ADD rootfs", Compression: compression, Files: []embedded.File{{Path: "usr/lib/base", Random: 200 << 10, Seed: uint64(len(architecture))}}},
			{CreatedBy: "COPY chat", Compression: compression, Files: []embedded.File{{Path: "usr/bin/chat", Content: []byte("chat " + version + architecture)}}},
		},
		Config: ocispec.Image{
			Created: &created, Platform: ocispec.Platform{OS: "linux", Architecture: architecture},
			Config: ocispec.ImageConfig{Entrypoint: []string{"/usr/bin/chat"}, Labels: map[string]string{ocispec.AnnotationVersion: version}},
		},
	}
}

// console runs the whole program in a terminal; the channel gives its exit code.
func (w *world) console(columns, rows int, args ...string) (*terminaltest.Terminal, <-chan int) {
	w.t.Helper()
	return program(w.t, w.io("you"), columns, rows, args...)
}

// execute runs plimsoll once.
func execute(t *testing.T, std cli.IO, args ...string) int {
	t.Helper()
	return cli.Execute(t.Context(), args, std)
}

// read is a file of the person's machine.
func (w *world) read(name string) string {
	w.t.Helper()
	raw, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(raw)
}
