package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/release/trust"
	"plimsoll/store"
)

func newTrust(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "trust [FILE]",
		GroupID: "setup",
		Short:   "Accept a configuration that was found, not named; shows what changed",
		Long: `A plimsoll.yaml that was found here or in a parent directory could come from
anybody: it runs no command and sends no credential until you accepted it. Trust
shows it, or what changed since you accepted it last, and remembers its hash. The
hash covers the public keys, certificate authorities, roots of trust and scripts
beside it that the file names: if one of them changes, trust is asked for again.

It also asks again for what the file trusts by reference: public keys of key
services (azurekms://, awskms://), which are remembered from their first use on,
and the trusted root of keyless signers. A key that changed is shown, and counts
only once you agree.`,
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
		return s.trusted(ctx, cfg, st, accepted, "is trusted already")
	}
	if !s.json {
		fmt.Fprint(s.io.Err, escapeControls(trustText(cfg.Path, string(st.AcceptedContent(cfg.Path)), string(cfg.Text))))
		fmt.Fprint(s.io.Err, powers(cfg))
	}
	if err := s.confirm(ctx, "Trust "+cfg.Path+"?"); err != nil {
		return err
	}
	if err := st.Accept(cfg.Path, cfg.Hash, cfg.Text); err != nil {
		return err
	}
	if _, err := st.Audit("trust", "", actor(), accepted); err != nil {
		return err
	}
	return s.trusted(ctx, cfg, st, accepted, "is trusted")
}

// trusted is the end of trust: what the file names and does not hold is asked for again.
func (s *session) trusted(ctx context.Context, cfg *config.Config, st *store.Store, accepted map[string]any, words string) error {
	more, failed := s.trustAgain(ctx, cfg, st, accepted)
	if failed != nil {
		return failed
	}
	return s.answer(accepted, func(w io.Writer) { fmt.Fprintf(w, "%s %s\n%s", cfg.Path, words, more) })
}

// trustText is everything the first time, later what changed: in the file, or in
// a file that it names, of which the text holds the hash.
func trustText(path, before, now string) string {
	if before == "" {
		return now + "\n"
	}
	return udiff.Unified(path+" (accepted)", path, before, now)
}

// powers says what the configuration can do once it is trusted: where it sends
// credentials, and what it runs.
func powers(cfg *config.Config) string {
	var b strings.Builder
	fmt.Fprintf(&b, "It can send credentials to: %s\n", hosts(cfg))
	for _, ref := range trust.References(cfg) {
		fmt.Fprintf(&b, "It asks for a public key, with your login: %s\n", ref)
	}
	for _, service := range cfg.Services {
		if len(service.Deliver.Command) > 0 {
			fmt.Fprintf(&b, "It runs for %s: %q\n", service.Name, service.Deliver.Command)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Sources)) {
		source := cfg.Sources[name]
		switch {
		case len(source.Command) > 0:
			fmt.Fprintf(&b, "It runs for the source %s: %q\n", name, source.Command)
		case source.HTTP != nil && source.HTTP.TokenEnv != "":
			fmt.Fprintf(&b, "It sends $%s to: %q\n", source.HTTP.TokenEnv, source.HTTP.URL)
		case source.GitHub != nil && (source.GitHub.TokenEnv != "" || source.GitHub.CLI):
			fmt.Fprintf(&b, "It sends %s to: %s\n", tokenWords(source.GitHub.TokenEnv, "gh"), source.GitHub.API)
		case source.Pipelines != nil && (source.Pipelines.TokenEnv != "" || source.Pipelines.CLI):
			fmt.Fprintf(&b, "It sends %s to: %s\n", tokenWords(source.Pipelines.TokenEnv, "az"), source.Pipelines.URL)
		}
	}
	return escapeControls(b.String())
}

func tokenWords(env, program string) string {
	if env != "" {
		return "$" + env
	}
	return "the token of " + program
}

// hosts are the registries that a credential of the configuration is for.
func hosts(cfg *config.Config) string {
	text := ""
	for _, host := range slices.Sorted(maps.Keys(cfg.Registries)) {
		if r := cfg.Registries[host]; r.Read != nil || r.Promote != nil || r.Evidence != nil || r.Client != nil {
			text += " " + clean.Text(host)
		}
	}
	if text == "" {
		return " none but docker's own, for hosts that are not listed"
	}
	return text
}
