package cli_test

import (
	"encoding/json"
	"strings"

	"github.com/opencontainers/go-digest"
)

// checks is the verdict about a candidate, and its checks by name.
func (w *world) checks(dg digest.Digest) (verdict string, checks map[string]checkOut) {
	w.t.Helper()
	a := w.run("gates", "chat", string(dg), "-o", "json")
	var got struct {
		Verdict string
		Checks  []checkOut
	}
	if err := json.Unmarshal([]byte(a.out), &got); err != nil {
		w.t.Fatalf("gates: exit %d, %v\n%s%s", a.code, err, a.out, a.err)
	}
	checks = map[string]checkOut{}
	for _, c := range got.Checks {
		checks[c.Gate] = c
	}
	return got.Verdict, checks
}

// checkOut is one check as the gates command prints it.
type checkOut struct {
	Gate, Status, Summary string
	Reasons               []string
}

// expect checks one gate.
func (w *world) expect(dg digest.Digest, gate, status string, words ...string) {
	w.t.Helper()
	_, checks := w.checks(dg)
	c := checks[gate]
	if c.Status != status {
		w.t.Errorf("%s is %s (%s), want %s\n%s", gate, c.Status, c.Summary, status, strings.Join(c.Reasons, "\n"))
	}
	for _, word := range words {
		if text := c.Summary + "\n" + strings.Join(c.Reasons, "\n"); !strings.Contains(text, word) {
			w.t.Errorf("%s does not say %q:\n%s", gate, word, text)
		}
	}
}
