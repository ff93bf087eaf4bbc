package cli

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
)

func newTrust(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "trust [FILE]",
		GroupID: "setup",
		Short:   "Accept a configuration that was found, not named; shows what changed",
		Long: `A plimsoll.yaml that was found here or in a parent directory could come from
anybody: it runs no command and sends no credential until you accepted it. Trust
shows it, or what changed since you accepted it last, and remembers its hash.`,
		Example: "  plimsoll trust",
		Args:    cobra.MaximumNArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return s.trust(cmd.Context(), args) },
	}
}

func (s *session) trust(ctx context.Context, args []string) error {
	if len(args) == 1 {
		s.flags.config = args[0]
	}
	if err := s.mustAsk(); err != nil {
		return err
	}
	cfg, err := s.loadConfig()
	if err != nil {
		return err
	}
	st, err := s.openStore()
	if err != nil {
		return err
	}
	accepted := map[string]any{"path": cfg.Path, "hash": "sha256:" + cfg.Hash}
	if st.Accepted(cfg.Path, cfg.Hash) {
		accepted["unchanged"] = true
		return s.answer(accepted, func(w io.Writer) { fmt.Fprintf(w, "%s is trusted already\n", cfg.Path) })
	}
	raw, err := os.ReadFile(cfg.Path)
	if err != nil {
		return fault.New(fault.Usage, "", err, "read %s again", cfg.Path)
	}
	if fmt.Sprintf("%x", sha256.Sum256(raw)) != cfg.Hash {
		return fault.New(fault.Failed, "run plimsoll trust again", nil, "%s changed while it was shown", cfg.Path)
	}
	if !s.json {
		fmt.Fprint(s.io.Err, escapeControls(trustText(cfg.Path, string(st.AcceptedContent(cfg.Path)), string(raw))))
		fmt.Fprintf(s.io.Err, "It can send credentials to: %s\n", hosts(cfg))
		for _, service := range cfg.Services {
			if len(service.Deliver.Command) > 0 {
				fmt.Fprintf(s.io.Err, "It runs for %s: %q\n", service.Name, service.Deliver.Command)
			}
		}
	}
	if err := s.confirm(ctx, "Trust "+cfg.Path+"?"); err != nil {
		return err
	}
	if err := st.Accept(cfg.Path, cfg.Hash); err != nil {
		return err
	}
	if _, err := st.Audit("trust", "", actor(), accepted); err != nil {
		return err
	}
	return s.answer(accepted, func(w io.Writer) { fmt.Fprintf(w, "%s is trusted\n", cfg.Path) })
}

// trustText is the whole file the first time, later what changed.
func trustText(path, before, now string) string {
	if before == "" {
		return now + "\n"
	}
	return udiff.Unified(path+" (accepted)", path, before, now)
}

func hosts(cfg *config.Config) string {
	text := ""
	for host, r := range cfg.Registries {
		if r.Read != nil || r.Promote != nil || r.Evidence != nil {
			text += " " + clean.Text(host)
		}
	}
	if text == "" {
		return " none but docker's own, for hosts that are not listed"
	}
	return text
}
