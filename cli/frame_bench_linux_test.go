package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"plimsoll/registry"
	"plimsoll/registry/embedded"
	"plimsoll/registry/registrytest"
)

// BenchmarkFirstFrame starts the console as a whole process on a terminal of
// 120×40, with a filled store and registries that are gone, and waits for the
// row of the newest candidate:
//
//	go test ./cli -run '^$' -bench '^BenchmarkFirstFrame$' -benchtime 20x
//
// It reports the medians from the start to the first bytes and to the row, and
// that of --version beside them, in milliseconds, and fails over the budget.
func BenchmarkFirstFrame(b *testing.B) {
	for n, budget := range frameBudgets {
		b.Run(fmt.Sprintf("candidates=%d", n), func(b *testing.B) { firstFrame(b, n, budget) })
	}
}

// frameBudgets is how many times --version the first row may take, by
// candidates in the store, as the ratio of medians in one run.
var frameBudgets = map[int]float64{50: 8, 1000: 16}

func firstFrame(b *testing.B, n int, budget float64) {
	l := filledLaptop(b, n)
	newest := fmt.Appendf(nil, "v1.%04d", n-1)
	var bare, first, row []float64
	for b.Loop() {
		took, _ := l.run(l.program, "--version")
		bytesAt, rowAt := l.console(newest)
		bare = append(bare, took.Seconds()*1000)
		first = append(first, bytesAt.Seconds()*1000)
		row = append(row, rowAt.Seconds()*1000)
	}
	b.ReportMetric(middle(bare), "version-ms")
	b.ReportMetric(middle(first), "first-bytes-ms")
	b.ReportMetric(middle(row), "first-row-ms")
	b.ReportMetric(middle(row)/middle(bare), "ratio")
	if b.N >= 10 && middle(row) > budget*middle(bare) {
		b.Fatalf("the first row takes %.0f ms, over %.0f times --version's %.0f ms", middle(row), budget, middle(bare))
	}
}

// filledLaptop has listed n candidates from registries that are gone now.
func filledLaptop(b *testing.B, n int) *laptop {
	start := func() *embedded.Registry {
		r, err := embedded.Start(embedded.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = r.Close() })
		return r
	}
	staging, prod := start(), start()
	client := registrytest.Client(b)
	for i := range n {
		at := time.Now().Add(time.Duration(i-n) * time.Minute)
		_, err := embedded.Push(b.Context(), client, registry.Repository{Host: staging.Host(), Path: "acme/chat"}, []string{fmt.Sprintf("v1.%04d", i)}, embedded.Image{
			Layers: []embedded.Layer{{Files: []embedded.File{{Path: "app", Content: fmt.Append(nil, i)}}}},
			Config: ocispec.Image{Created: &at, Platform: ocispec.Platform{OS: "linux", Architecture: "amd64"}},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	l := newLaptop(b, staging.Host(), prod.Host(), n)
	l.run(l.program, "list", "chat")
	if err := errors.Join(staging.Close(), prod.Close()); err != nil {
		b.Fatal(err)
	}
	return l
}

// console runs the console until text is drawn, and ends it.
func (l *laptop) console(text []byte) (first, seen time.Duration) {
	terminal, line := openTerminal(l.b)
	defer func() { _ = terminal.Close() }()
	ctx, cancel := context.WithTimeout(l.b.Context(), time.Minute)
	defer cancel()
	cmd := l.command(ctx, l.program)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = line, line, line
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		l.b.Fatal(err)
	}
	_ = line.Close()
	var drawn []byte
	buf := make([]byte, 64<<10)
	for seen == 0 {
		n, err := terminal.Read(buf)
		if err != nil {
			l.b.Fatalf("the console ended without %s: %v\n%q", text, err, drawn)
		}
		if first == 0 {
			first = time.Since(start)
		}
		if drawn = append(drawn, buf[:n]...); bytes.Contains(drawn, text) {
			seen = time.Since(start)
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return first, seen
}

// openTerminal opens a pseudo-terminal (pty(7)) of 120×40: our end and the program's.
func openTerminal(b *testing.B) (terminal, line *os.File) {
	b.Helper()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		b.Fatal(err)
	}
	fd := int(terminal.Fd())
	number, a := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	unlocked := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	sized := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 120})
	line, opened := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err := errors.Join(a, unlocked, sized, opened); err != nil {
		b.Fatal(err)
	}
	return terminal, line
}
