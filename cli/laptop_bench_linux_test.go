package cli_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
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
	l.run(l.program, "key", "generate", "--out", filepath.Join(l.dir, "locked"))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	private, a := x509.MarshalPKCS8PrivateKey(key)
	public, c := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err := errors.Join(a, c); err != nil {
		b.Fatal(err)
	}
	l.write("plain.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	l.write("plain.pub", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})))
	l.write("plimsoll.yaml", fmt.Sprintf(`registries:
  %[1]s: {plain-http: true, read: {anonymous: true}}
  %[2]s: {plain-http: true, read: {anonymous: true}, promote: {anonymous: true}}
signing: {key: plain.key}
trust:
  release-owners: {people: {you@example.com: plain.pub}}
records: {signers: [release-owners]}
services:
  - {name: chat, staging: %[1]s/acme/chat, prod: %[2]s/acme/chat, candidates: {tags: '^v', limit: %[3]d}}
`, staging, prod, limit))
	return l
}

func (l *laptop) write(name, text string) {
	if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o600); err != nil {
		l.b.Fatal(err)
	}
}

// lock makes the person sign with a key that a password protects, as cosign makes them.
func (l *laptop) lock() {
	text, err := os.ReadFile(filepath.Join(l.dir, "plimsoll.yaml"))
	if err != nil {
		l.b.Fatal(err)
	}
	l.write("plimsoll.yaml", strings.NewReplacer("plain.", "locked.").Replace(string(text)))
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
