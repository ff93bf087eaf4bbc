package registrytest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// Option changes the registry that Distribution starts.
type Option func(testing.TB, *settings)

// settings is what becomes the registry's configuration file.
type settings struct {
	dir     string
	storage string      // in dir if it is not named
	logins  [][2]string // user and password
	ca      *CA
}

// WithLogin lets only this user in, and others that it is given again for
// (HTTP Basic, htpasswd with bcrypt). All of them may read and write.
func WithLogin(user, password string) Option {
	return func(_ testing.TB, s *settings) { s.logins = append(s.logins, [2]string{user, password}) }
}

// WithTLS serves HTTPS with a certificate of ca.
func WithTLS(ca *CA) Option {
	return func(_ testing.TB, s *settings) { s.ca = ca }
}

// WithStorage keeps what is pushed in dir, which the caller may empty between two uses.
func WithStorage(dir string) Option {
	return func(_ testing.TB, s *settings) { s.storage = dir }
}

// Distribution starts the CNCF distribution registry v3.1.2 as a process that
// ends with the test, and returns its host. The program is
// $PLIMSOLL_TEST_REGISTRY, else .bin/registry, which is installed if missing.
func Distribution(t testing.TB, options ...Option) string {
	t.Helper()
	s := settings{dir: t.TempDir()}
	s.storage = filepath.Join(s.dir, "storage")
	for _, o := range options {
		o(t, &s)
	}
	program := os.Getenv("PLIMSOLL_TEST_REGISTRY")
	if program == "" {
		program = Tool(t, distributionPackage)
	}
	return serve(t, program, s.file(t))
}

// file writes the configuration file and what it names. Port 0: the kernel
// gives a free port and the registry logs which, so no two tests race for one.
// https://distribution.github.io/distribution/about/configuration/
func (s settings) file(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, `version: 0.1
log: {level: info, formatter: json, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: %q}
  delete: {enabled: true}
  maintenance: {uploadpurging: {enabled: false}}
validation: {manifests: {urls: {allow: ['^https://']}}}
`, s.storage)
	if len(s.logins) > 0 {
		fmt.Fprintf(&b, "auth: {htpasswd: {realm: test, path: %q}}\n", s.write(t, "htpasswd", s.htpasswd(t)))
	}
	fmt.Fprint(&b, "http:\n  addr: 127.0.0.1:0\n  secret: test\n")
	if s.ca != nil {
		certificate, key := s.ca.Server(t)
		fmt.Fprintf(&b, "  tls: {certificate: %q, key: %q}\n", s.write(t, "cert.pem", certificate), s.write(t, "key.pem", key))
	}
	return s.write(t, "config.yml", []byte(b.String()))
}

// htpasswd uses bcrypt at its least cost: each request of a test pays for it.
func (s settings) htpasswd(t testing.TB) []byte {
	t.Helper()
	var file []byte
	for _, login := range s.logins {
		hash, err := bcrypt.GenerateFromPassword([]byte(login[1]), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		file = fmt.Appendf(file, "%s:%s\n", login[0], hash)
	}
	return file
}

func (s settings) write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func exe() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}
