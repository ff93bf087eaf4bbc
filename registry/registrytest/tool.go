package registrytest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// distributionPackage is the pinned registry program.
const distributionPackage = "github.com/distribution/distribution/v3/cmd/registry@v3.1.2"

// Tool returns the path of a pinned Go program, such as
// github.com/google/go-containerregistry/cmd/crane@v0.22.1, in .bin of the
// module. The first test that needs it installs it; a lock keeps the test
// processes of other packages waiting meanwhile. The name carries no version:
// delete .bin after changing a pin.
func Tool(t testing.TB, pkg string) string {
	t.Helper()
	path, _, _ := strings.Cut(pkg, "@")
	bin := filepath.Join(moduleRoot(t), ".bin")
	program := filepath.Join(bin, filepath.Base(path)+exe())
	if runnable(program) {
		return program
	}
	if err := os.MkdirAll(bin, 0o755); err != nil { //nolint:gosec // programs for everybody who builds here
		t.Fatal(err)
	}
	// bbolt is here for its file lock alone, which works on every system.
	lock, err := bbolt.Open(program+".lock", 0o600, nil)
	if err != nil {
		t.Fatalf("wait for whoever installs %s: %v", pkg, err)
	}
	defer func() { _ = lock.Close() }()
	if !runnable(program) {
		install(t, pkg, bin)
	}
	return program
}

func install(t testing.TB, pkg, bin string) {
	t.Helper()
	t.Logf("installing %s into %s, once", pkg, bin)
	cmd := exec.CommandContext(t.Context(), "go", "install", pkg) //nolint:gosec // a constant of the tests
	cmd.Env = append(os.Environ(), "GOBIN="+bin, "GOFLAGS=")
	cmd.Dir = os.TempDir() // away from go.mod, which has nothing to say about a pinned program
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go install %s: %v\n%s", pkg, err, out)
	}
}

func runnable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// moduleRoot is the directory of go.mod: tests run in their package's directory.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if runnable(filepath.Join(dir, "go.mod")) {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test's directory")
		}
		dir = parent
	}
}
