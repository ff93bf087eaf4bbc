package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// startBudget is how much longer `plimsoll --version` may take than
// `crane version`, as the ratio of medians of whole processes in one run.
// docs/benchmarks.md has the figures that it was set from.
const startBudget = 2.0

// BenchmarkStart compares the start of the whole process with crane's and
// fails over the budget.
func BenchmarkStart(b *testing.B) {
	ours := buildProgram(b, "plimsoll", ".")
	crane := buildProgram(b, "github.com/google/go-containerregistry/cmd/crane", "v0.22.1")
	var mine, theirs []time.Duration
	run := func(name, arg string) time.Duration {
		cmd := exec.Command(name, arg)
		start := time.Now()
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
	run(ours, "--version")
	run(crane, "version")
	for b.Loop() {
		mine, theirs = append(mine, run(ours, "--version")), append(theirs, run(crane, "version"))
	}
	slices.Sort(mine)
	slices.Sort(theirs)
	m, t := mine[len(mine)/2], theirs[len(theirs)/2]
	b.ReportMetric(m.Seconds()*1000, "plimsoll-ms")
	b.ReportMetric(t.Seconds()*1000, "crane-ms")
	b.ReportMetric(float64(m)/float64(t), "ratio")
	if b.N >= 10 && float64(m) > startBudget*float64(t) {
		b.Fatalf("start takes %v, over %.1f times crane's %v", m, startBudget, t)
	}
}

// buildProgram builds this program, or a pinned module's, the way it is shipped.
func buildProgram(b *testing.B, pkg, version string) string {
	b.Helper()
	dir := b.TempDir()
	cmd := exec.Command("go", "install", "-ldflags", "-s -w", pkg+"@"+version)
	if pkg == "plimsoll" {
		cmd = exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", dir, pkg)
	}
	cmd.Env = append(os.Environ(), "GOBIN="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return filepath.Join(dir, filepath.Base(pkg))
}
