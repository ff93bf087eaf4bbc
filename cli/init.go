package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/registry"
)

// answers are what init asks for.
type answers struct {
	Staging, Prod, Service, Channel string
	CIKey, ScannerKey               string // files, "" for none yet
	Reviewer, ReviewerKey           string
	Owner, OwnerKey                 string
	StagingHost, ProdHost           string
}

func newInit(s *session) *cobra.Command {
	var a answers
	cmd := &cobra.Command{
		Use:     "init",
		GroupID: "setup",
		Short:   "Ask a few questions, write plimsoll.yaml",
		Long: `Init writes plimsoll.yaml into this directory and never overwrites one. What a flag
says is not asked; with --yes nothing is asked.`,
		Example: "  plimsoll init\n  plimsoll init --yes --staging staging.example.com/chat-api --prod prod.example.com/chat-api",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.initialize(cmd.Context(), a) },
	}
	f := cmd.Flags()
	f.StringVar(&a.Staging, "staging", "", "staging `repository`, host/path")
	f.StringVar(&a.Prod, "prod", "", "prod `repository`, host/path")
	f.StringVar(&a.Service, "service", "", "`name` of the service (default: the last part of the prod repository)")
	f.StringVar(&a.Channel, "channel", "", "the moving `tag` that prod follows (default: live)")
	f.StringVar(&a.CIKey, "ci-key", "", "public key `file` that signs test results and provenance")
	f.StringVar(&a.ScannerKey, "scanner-key", "", "public key `file` that signs scans")
	f.StringVar(&a.Reviewer, "reviewer", "", "`id` of a person who signs off")
	f.StringVar(&a.ReviewerKey, "reviewer-key", "", "that person's public key `file`")
	f.StringVar(&a.Owner, "owner", "", "`id` of a person who promotes")
	f.StringVar(&a.OwnerKey, "owner-key", "", "that person's public key `file`")
	return cmd
}

func (s *session) initialize(ctx context.Context, a answers) error {
	name := filepath.Join(s.io.Dir, "plimsoll.yaml")
	if s.flags.config != "" {
		name = s.flags.config
	}
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.Usage, "edit it, or name another with --config", err, "%s is there already and is never overwritten", name)
	}
	if err := s.mustAsk(); err != nil {
		return err
	}
	if err := s.questions(ctx, &a); err != nil {
		return err
	}
	var text strings.Builder
	if err := initial.Execute(&text, a); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	if err := writeNew(name, []byte(text.String()), 0o644); err != nil {
		return err
	}
	if _, err := config.Load(name, false, ""); err != nil {
		return fault.New(fault.Usage, "correct the file", err, "%s was written, but does not load", name)
	}
	return s.answer(map[string]string{"path": name}, func(w io.Writer) {
		fmt.Fprintf(w, "wrote %s\nnext: plimsoll trust, then plimsoll list\n", name)
	})
}

// questions asks for what no flag said.
func (s *session) questions(ctx context.Context, a *answers) error {
	ask := func(into *string, question, fallback string) error {
		if *into != "" || s.flags.yes {
			if *into == "" {
				*into = fallback
			}
			return nil
		}
		if fallback != "" {
			question += " [" + fallback + "]"
		}
		text, err := s.line(ctx, question+": ")
		if err != nil {
			return err
		}
		if *into = text; text == "" {
			*into = fallback
		}
		return nil
	}
	for _, q := range []struct {
		into *string
		host *string
		text string
	}{
		{&a.Staging, &a.StagingHost, "Staging repository, where CI pushes (host/path)"},
		{&a.Prod, &a.ProdHost, "Prod repository, where production pulls from (host/path)"},
	} {
		if err := ask(q.into, q.text, ""); err != nil {
			return err
		}
		repo, err := registry.ParseRepository(*q.into)
		if err != nil {
			return err
		}
		*q.host = repo.Host
	}
	return errors.Join(
		ask(&a.Service, "Name of the service", path.Base(a.Prod)),
		ask(&a.Channel, "Channel, the moving tag that prod follows", "live"),
		ask(&a.CIKey, "Public key file of CI, for test results (empty: later)", ""),
		ask(&a.ScannerKey, "Public key file of the scanner (empty: later)", ""),
		ask(&a.Reviewer, "Who signs off, an id such as an e-mail address (empty: later)", ""),
		s.keyOf(ask, a.Reviewer, &a.ReviewerKey),
		ask(&a.Owner, "Who promotes, an id (empty: later)", ""),
		s.keyOf(ask, a.Owner, &a.OwnerKey),
	)
}

// keyOf asks for the key of a person who was named.
func (s *session) keyOf(ask func(*string, string, string) error, id string, key *string) error {
	if id == "" {
		return nil
	}
	return ask(key, "Public key file of "+id, "")
}

// loopback tells whether a host is this machine, where registries for trying things out speak plain HTTP.
func loopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

// initial is the first plimsoll.yaml of a team; docs/configuration.md explains every key.
var initial = template.Must(template.New("plimsoll.yaml").Funcs(template.FuncMap{"loopback": loopback}).Parse(`# plimsoll.yaml: what is released, from where to where, and what must hold. It holds no secret and belongs into git.
# Every key: docs/configuration.md
registries:
  {{.StagingHost}}: { {{- if loopback .StagingHost}}plain-http: true, {{end}}read: {docker: true}}     # docker: the login of docker, podman or a credential helper
{{- if ne .StagingHost .ProdHost}}
  {{.ProdHost}}:
{{- if loopback .ProdHost}}
    plain-http: true
{{- end}}
    read: {docker: true}
    # The promotion identity does nothing else. Its password is read from the environment at the confirmation.
    # promote: {username: promoter, password-env: PROMOTE_PASSWORD}
{{- end}}
{{if or .CIKey .ScannerKey (and .Reviewer .ReviewerKey) (and .Owner .OwnerKey)}}trust: # who may say what
{{- if .CIKey}}
  ci: {keys: [{{printf "%q" .CIKey}}]}
{{- end}}{{if .ScannerKey}}
  scanner: {keys: [{{printf "%q" .ScannerKey}}]}
{{- end}}{{if and .Reviewer .ReviewerKey}}
  reviewers: {people: { {{printf "%q" .Reviewer}}: {{printf "%q" .ReviewerKey}} }}
{{- end}}{{if and .Owner .OwnerKey}}
  release-owners: {people: { {{printf "%q" .Owner}}: {{printf "%q" .OwnerKey}} }}
{{- end}}
{{end}}
{{if or .CIKey .ScannerKey (and .Reviewer .ReviewerKey)}}gates: # what a candidate must show; docs/gates.md
{{- if .CIKey}}
  e2e: {signers: [ci], max-age: 72h}
{{- end}}{{if .ScannerKey}}
  scan: {signers: [scanner], max-severity: medium, max-age: 24h}
{{- end}}{{if and .Reviewer .ReviewerKey}}
  sign-off: {signers: [reviewers], quorum: 1, when: always}
{{- end}}
{{end}}
{{if and .Owner .OwnerKey}}records: {signers: [release-owners]}
{{end}}
services:
  - name: {{printf "%q" .Service}}
    staging: {{.Staging}}
    prod: {{.Prod}}
    channel: {{printf "%q" .Channel}}
`))
