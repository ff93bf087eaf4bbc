package registrytest

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// startLimit is how long a registry may take until it listens; it takes a
// tenth of a second on an idle machine.
const startLimit = time.Minute

// process is a running registry and what it said.
type process struct {
	listening chan string // its address, once
	exited    chan error  // why it ended

	mu  sync.Mutex
	log strings.Builder
}

// serve runs the program until the test ends and returns the address that it listens on.
func serve(t testing.TB, program, config string) string {
	t.Helper()
	p := &process{listening: make(chan string, 1), exited: make(chan error, 1)}
	cmd := exec.Command(program, "serve", config) //nolint:gosec,noctx // a pinned program; the cleanup below ends it
	cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none", "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none")
	cmd.SysProcAttr = dieWithParent()
	started := make(chan error, 1)
	go p.run(cmd, started)
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		if err := <-p.exited; t.Failed() {
			t.Logf("the registry with %s ended (%v) after it said:\n%s", config, err, p.said())
		}
	})
	select {
	case host := <-p.listening:
		return host
	case err := <-p.exited:
		p.exited <- err // for the cleanup
		t.Fatalf("%s ended before it listened: %v\n%s", program, err, p.said())
	case <-time.After(startLimit):
		t.Fatalf("%s does not listen after %v:\n%s", program, startLimit, p.said())
	}
	return ""
}

// run keeps its thread for the whole life of the process: the kernel takes the
// end of that thread for the end of the parent (see dieWithParent).
func (p *process) run(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out, in, err := os.Pipe()
	if err != nil {
		started <- err
		return
	}
	cmd.Stdout, cmd.Stderr = in, in
	err = cmd.Start()
	_ = in.Close()
	started <- err
	if err != nil {
		_ = out.Close()
		return
	}
	p.follow(out)
	p.exited <- cmd.Wait()
}

// follow reads the log to its end and tells the address when it comes up.
func (p *process) follow(out io.ReadCloser) {
	defer func() { _ = out.Close() }()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		p.mu.Lock()
		p.log.Write(lines.Bytes())
		p.log.WriteByte('\n')
		p.mu.Unlock()
		var entry struct{ Msg string }
		_ = json.Unmarshal(lines.Bytes(), &entry) // a line that is no JSON says no address
		if address, ok := strings.CutPrefix(entry.Msg, "listening on "); ok {
			p.listening <- strings.TrimSuffix(address, ", tls")
		}
	}
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}
