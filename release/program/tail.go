package program

import (
	"strings"
	"sync"

	"plimsoll/config/clean"
)

// tail is a writer that keeps the last limit bytes. Safe for concurrent use.
type tail struct {
	mu    sync.Mutex
	limit int
	kept  []byte
	cut   bool
}

// Write keeps the end of everything written so far. It never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	if n > t.limit {
		p, t.cut = p[n-t.limit:], true
	}
	if over := len(t.kept) + len(p) - t.limit; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
		t.cut = true
	}
	t.kept = append(t.kept, p...)
	return n, nil
}

// text is what was kept, line by line made harmless and without our secrets.
// A first line that was cut in two is dropped: it could hold half a secret.
func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := string(t.kept)
	if t.cut {
		_, s, _ = strings.Cut(s, "\n")
	}
	lines := strings.Split(strings.TrimRight(clean.Redact(s), "\r\n"), "\n")
	for i, line := range lines {
		lines[i] = clean.Text(strings.TrimRight(line, "\r"))
	}
	return strings.Join(lines, "\n")
}

// lastLines is the last n lines with something in them, on one line.
func lastLines(output string, n int) string {
	var lines []string
	for _, line := range strings.Split(output, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, " | ")
}
