package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/release"
)

// errDeclined is a person's no at a prompt.
var errDeclined = errors.New("not confirmed, nothing was done")

// mustAsk refuses a command that writes when nobody can be asked and --yes is not there.
func (s *session) mustAsk() error {
	if s.flags.yes || s.io.Terminal {
		return nil
	}
	return fault.New(fault.Usage, "add --yes and name the full digest, or run it on a terminal", nil,
		"this command asks before it writes, and there is no terminal to ask on")
}

// confirming opens the desk for a command that asks before it writes; expect
// is its --expect.
func (s *session) confirming(expect string) (*release.Desk, error) {
	if err := checkExpect(expect); err != nil {
		return nil, err
	}
	if err := s.mustAsk(); err != nil {
		return nil, err
	}
	return s.writing()
}

// looking opens the desk and resolves a candidate for a command that only reads.
func (s *session) looking(ctx context.Context, service, candidate string) (*release.Desk, digest.Digest, error) {
	desk, err := s.open()
	if err != nil {
		return nil, "", err
	}
	dg, err := desk.Resolve(ctx, service, candidate)
	return desk, dg, err
}

// choosing is confirming, with the candidate that the command is about.
func (s *session) choosing(ctx context.Context, expect, service, candidate string) (*release.Desk, digest.Digest, error) {
	desk, err := s.confirming(expect)
	if err != nil {
		return nil, "", err
	}
	dg, err := s.fullDigest(candidate, func() (digest.Digest, error) { return desk.Resolve(ctx, service, candidate) })
	return desk, dg, err
}

// line reads one answer; the end of input and a cancelled context are a no.
func (s *session) line(ctx context.Context, prompt string) (string, error) {
	fmt.Fprint(s.io.Err, clean.Redact(clean.Line(prompt)))
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	if s.lines == nil {
		s.lines = bufio.NewReader(s.io.In)
	}
	go func() { // a read of a terminal cannot be cancelled; the process ends soon after
		text, err := s.lines.ReadString('\n')
		got <- answer{text, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(s.io.Err)
		return "", fault.New(fault.Failed, "", context.Cause(ctx), "stopped at the prompt, nothing was done")
	case a := <-got:
		if a.err != nil && (!errors.Is(a.err, io.EOF) || a.text == "") {
			return "", fault.New(fault.Failed, "", errDeclined, "no answer")
		}
		return strings.TrimSpace(a.text), nil
	}
}

// confirmName lets a person type the service's name before prod is written.
func (s *session) confirmName(ctx context.Context, what, name string) error {
	if s.flags.yes {
		return nil
	}
	got, err := s.line(ctx, fmt.Sprintf("%s\nType %s to confirm: ", what, name))
	if err != nil {
		return err
	}
	if got != name {
		return fault.New(fault.Failed, "", errDeclined, "%q is not %q", clean.Text(got), name)
	}
	return nil
}

// confirm asks a question with no as the default.
func (s *session) confirm(ctx context.Context, question string) error {
	if s.flags.yes {
		return nil
	}
	got, err := s.line(ctx, question+" [y/N] ")
	if err != nil {
		return err
	}
	if got != "y" && got != "Y" && got != "yes" {
		return fault.New(fault.Failed, "", errDeclined, "answered %q", clean.Text(got))
	}
	return nil
}

// fullDigest is the rule of --yes: only a digest says what was meant.
func (s *session) fullDigest(given string, resolve func() (digest.Digest, error)) (digest.Digest, error) {
	if d, err := digest.Parse(given); err == nil {
		return d, nil
	}
	if !s.flags.yes {
		return resolve()
	}
	hint := "name the full digest"
	if d, err := resolve(); err == nil {
		hint = fmt.Sprintf("%s is %s now; say that", clean.Text(given), d)
	}
	return "", fault.New(fault.Usage, hint, nil, "with --yes a full digest is needed, not %q", clean.Text(given))
}
