package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"
)

// startBudget is how much more CPU time `plimsoll --version` may take than
// `crane version`, as the ratio of medians of whole processes in one run, and
// initBudget how many bytes all packages together may allocate before main,
// which is the same at every start and on every machine.
// docs/benchmarks.md has the figures that they were set from, and what they are made of.
const (
	startBudget = 4.5
	initBudget  = 4_500_000
)

// BenchmarkStart compares the start of the whole process with crane's and
// fails over the budget. CPU time is compared, because the wall's tells more of
// what else the machine does.
func BenchmarkStart(b *testing.B) {
	ours := buildProgram(b, "plimsoll", ".")
	crane := buildProgram(b, "github.com/google/go-containerregistry/cmd/crane", "v0.22.1")
	var mine, theirs starts
	mine.start(b, ours, "--version")
	theirs.start(b, crane, "version")
	mine, theirs = starts{}, starts{} // the first ones read the programs from the disk
	for b.Loop() {
		mine.start(b, ours, "--version")
		theirs.start(b, crane, "version")
	}
	m, t := middleOf(mine.cpu), middleOf(theirs.cpu)
	b.ReportMetric(m.Seconds()*1000, "plimsoll-cpu-ms")
	b.ReportMetric(t.Seconds()*1000, "crane-cpu-ms")
	b.ReportMetric(middleOf(mine.wall).Seconds()*1000, "plimsoll-ms")
	b.ReportMetric(middleOf(theirs.wall).Seconds()*1000, "crane-ms")
	b.ReportMetric(float64(m)/float64(t), "cpu-ratio")
	allocated := initialization(b, ours)
	b.ReportMetric(float64(allocated), "init-bytes")
	if allocated > initBudget {
		b.Fatalf("the packages allocate %d bytes before main, more than %d: GODEBUG=inittrace=1 tells which", allocated, initBudget)
	}
	if b.N >= 10 && float64(m) > startBudget*float64(t) {
		b.Fatalf("start takes %v of a processor, over %.1f times crane's %v", m, startBudget, t)
	}
}

// starts are what the starts of one program took.
type starts struct{ wall, cpu []time.Duration }

func (s *starts) start(b *testing.B, name, arg string) {
	b.Helper()
	cmd := exec.Command(name, arg)
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatal(err)
	}
	s.wall = append(s.wall, time.Since(begin))
	s.cpu = append(s.cpu, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
}

// initialization is how many bytes the packages of a program allocate before main.
func initialization(b *testing.B, name string) int {
	b.Helper()
	cmd := exec.Command(name, "--version")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatal(err)
	}
	total := 0
	for _, m := range allocations.FindAllSubmatch(out, -1) {
		n, err := strconv.Atoi(string(m[1]))
		if err != nil {
			b.Fatal(err)
		}
		total += n
	}
	if total == 0 {
		b.Fatalf("no package is traced:\n%s", out)
	}
	return total
}

// allocations is a line of Go's trace of initialization: init PACKAGE @0.1 ms, 0.2 ms clock, 456 bytes, 7 allocs.
var allocations = regexp.MustCompile(`(?m)^init .* clock, (\d+) bytes, `)

func middleOf(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[len(took)/2]
}

// buildProgram builds this program, or a pinned module's, the way it is shipped.
func buildProgram(b *testing.B, pkg, version string) string {
	b.Helper()
	dir := b.TempDir()
	cmd := exec.Command("go", "install", "-ldflags", "-s -w", pkg+"@"+version)
	if pkg == "plimsoll" {
		cmd = exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", dir, pkg)
	}
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return filepath.Join(dir, filepath.Base(pkg))
}
