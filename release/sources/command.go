package sources

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/release/program"
)

// maxSaid is how many answers a command may give.
const maxSaid = 1000

// command runs a program and reads the JSON that it prints.
type command struct {
	*Sources
	config.Source
}

// said is one answer of a command, as it prints it; docs/sources.md has the form.
type said struct {
	State    string          `json:"state"` // passed, failed, running, absent
	Key      string          `json:"key"`
	Passed   int             `json:"passed"`
	Failed   int             `json:"failed"`
	Total    int             `json:"total"`
	Failures []string        `json:"failures"`
	Finished any             `json:"finished"` // RFC 3339, or seconds since 1970
	Link     string          `json:"link"`
	Report   json.RawMessage `json:"report"` // of a scanner, in place of a state
}

func (c command) ask(ctx context.Context, q Question) ([]gates.Answer, error) {
	if !c.Trusted() {
		return nil, ofSource{fault.New(fault.Usage, fault.HintOf(errUntrusted), nil, "its command was not run: %s", errUntrusted.Error())}
	}
	argv, err := c.argv(q)
	if err != nil {
		return nil, err
	}
	ran, err := program.Run(ctx, program.Spec{
		What: "source command", Argv: argv, Dir: c.Config.Dir, Environ: c.Environ, Secrets: c.secrets(),
		Limit: cmp.Or(c.Timeout, defaultTimeout), Answer: maxReport,
	})
	if err != nil {
		return nil, ofSource{err}
	}
	return readSaid(ran.Answer, q.Digest)
}

// argv fills in the arguments. A program that is named by a path stands beside
// the configuration, wherever we were started.
func (c command) argv(q Question) ([]string, error) {
	argv := make([]string, 0, len(c.Command))
	for i, a := range c.Command {
		filled, err := fill(fmt.Sprintf("command[%d]", i), a, q, verbatim)
		if err != nil {
			return nil, err
		}
		argv = append(argv, filled)
	}
	if len(argv) > 0 && strings.ContainsRune(filepath.ToSlash(argv[0]), '/') && !filepath.IsAbs(argv[0]) {
		argv[0] = filepath.Join(c.Config.Dir, argv[0])
	}
	return argv, nil
}

// readSaid reads one answer or a list of them.
func readSaid(raw []byte, about digest.Digest) ([]gates.Answer, error) {
	var list []said
	if raw = bytes.TrimSpace(raw); len(raw) > 0 && raw[0] == '[' {
		if err := decode(raw, &list); err != nil {
			return nil, err
		}
	} else {
		list = make([]said, 1)
		if err := decode(raw, &list[0]); err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		return []gates.Answer{{State: gates.Absent}}, nil
	}
	if len(list) > maxSaid {
		return nil, fmt.Errorf("it gives %d answers, more than %d", len(list), maxSaid)
	}
	out := make([]gates.Answer, 0, len(list))
	for i, s := range list {
		a, err := s.answer(about)
		if err != nil {
			return nil, fmt.Errorf("its answer %d: %w", i+1, err)
		}
		out = append(out, a)
	}
	return out, nil
}

// answer checks one answer. Numbers that contradict its state are an error: a
// program that says passed and counts a failure is not understood.
func (s said) answer(about digest.Digest) (gates.Answer, error) {
	finished, err := moment(s.Finished)
	if err != nil {
		return gates.Answer{}, err
	}
	if len(s.Report) > 0 && string(s.Report) != "null" {
		a, err := scanned(s.Report, about)
		if a.Link = page(s.Link); s.Key != "" {
			a.Key = text(s.Key)
		}
		if !finished.IsZero() {
			a.Finished = finished
		}
		return a, err
	}
	a := gates.Answer{
		Key: text(s.Key), State: gates.AnswerState(s.State), Passed: s.Passed, Failed: s.Failed, Total: s.Total,
		Failures: names(s.Failures), Finished: finished, Link: page(s.Link),
	}
	switch a.State {
	case gates.Passed, gates.Failed, gates.Running, gates.Absent:
	default:
		return a, fmt.Errorf("%q is no state: passed, failed, running or absent", text(s.State))
	}
	for _, n := range []int{s.Passed, s.Failed, s.Total} {
		if n < 0 || n > maxCount {
			return a, fmt.Errorf("%d is no number of tests", n)
		}
	}
	switch {
	case s.Total > 0 && s.Passed+s.Failed > s.Total:
		return a, fmt.Errorf("it counts %d passed and %d failed tests of %d", s.Passed, s.Failed, s.Total)
	case a.State == gates.Passed && (s.Failed > 0 || len(s.Failures) > 0):
		return a, fmt.Errorf("it says passed and names failures")
	}
	return a, nil
}
