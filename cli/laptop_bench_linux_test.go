package cli_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// laptop is somebody's machine in a benchmark: the program as it is shipped, a
// key, a configuration of one service without gates, and a store.
type laptop struct {
	b            *testing.B
	program, dir string
}

func newLaptop(b *testing.B, staging, prod string, limit int) *laptop {
	l := &laptop{b: b, program: buildProgram(b, "plimsoll", "."), dir: b.TempDir()}
	l.run(l.program, "key", "generate", "--out", filepath.Join(l.dir, "owner"))
	text := fmt.Sprintf(`registries:
  %[1]s: {plain-http: true, read: {anonymous: true}}
  %[2]s: {plain-http: true, read: {anonymous: true}, promote: {anonymous: true}}
signing: {key: owner.key}
trust:
  release-owners: {people: {you@example.com: owner.pub}}
records: {signers: [release-owners]}
services:
  - {name: chat, staging: %[1]s/acme/chat, prod: %[2]s/acme/chat, candidates: {tags: '^v', limit: %[3]d}}
`, staging, prod, limit)
	if err := os.WriteFile(filepath.Join(l.dir, "plimsoll.yaml"), []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return l
}

// forget empties the store.
func (l *laptop) forget() {
	if err := os.RemoveAll(filepath.Join(l.dir, "state")); err != nil {
		l.b.Fatal(err)
	}
}

func (l *laptop) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = l.dir
	cmd.Env = append(os.Environ(), "PLIMSOLL_CONFIG="+filepath.Join(l.dir, "plimsoll.yaml"), "PLIMSOLL_STATE="+filepath.Join(l.dir, "state"),
		"XDG_CONFIG_HOME="+filepath.Join(l.dir, "nobody"), "PLIMSOLL_KEY_PASSWORD=", "TERM=xterm-256color")
	return cmd
}

// run runs a program to its end and returns how long that took and the most
// memory that it had (VmHWM of proc_pid_status(5), in MiB). The rusage of a
// child would not do: it begins with the memory of the process that forked it.
func (l *laptop) run(name string, args ...string) (took time.Duration, peak float64) {
	l.b.Helper()
	var out strings.Builder
	cmd := l.command(l.b.Context(), name, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	if err := cmd.Start(); err != nil {
		l.b.Fatal(err)
	}
	ended, most := make(chan struct{}), make(chan float64)
	go func() { most <- watchMemory(cmd.Process.Pid, ended) }()
	err := cmd.Wait()
	took = time.Since(start)
	close(ended)
	peak = <-most
	if err != nil {
		l.b.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out.String())
	}
	return took, peak
}

// watchMemory reads the peak of a process until it ended.
func watchMemory(pid int, ended <-chan struct{}) (peak float64) {
	tick := time.NewTicker(200 * time.Microsecond)
	defer tick.Stop()
	for {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // gone when it has ended
		if _, rest, ok := strings.Cut(string(status), "VmHWM:"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			peak = float64(kib) / 1024
		}
		select {
		case <-ended:
			return peak
		case <-tick.C:
		}
	}
}
