package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates/evidence"
)

func newKey(s *session) *cobra.Command {
	var prefix string
	cmd := &cobra.Command{
		Use: "key", GroupID: "evidence", Short: "Signing keys", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usage(cmd, errors.New("key needs a command: generate"))
		},
	}
	generate := &cobra.Command{
		Use:     "generate",
		Short:   "Make a key pair in cosign's format",
		Long:    "Generate writes PREFIX.key, encrypted with a password, for yourself, and PREFIX.pub for the team's plimsoll.yaml. It never overwrites a file.",
		Example: "  plimsoll key generate --out ~/.config/plimsoll/owner",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.generateKey(cmd.Context(), prefix)
		},
	}
	generate.Flags().StringVar(&prefix, "out", "plimsoll", "`prefix` of the two files")
	cmd.AddCommand(generate)
	return cmd
}

func (s *session) generateKey(ctx context.Context, prefix string) error {
	for _, name := range []string{prefix + ".key", prefix + ".pub"} {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return fault.New(fault.Usage, "choose another --out", err, "%s is there already and is never overwritten", name)
		}
	}
	password, err := s.newPassword(ctx)
	if err != nil {
		return err
	}
	private, public, err := evidence.GenerateKey(password)
	if err != nil {
		return err
	}
	if err := writeNew(prefix+".key", private, 0o600); err != nil {
		return err
	}
	if err := writeNew(prefix+".pub", public, 0o644); err != nil {
		return err
	}
	answer := map[string]string{"private": prefix + ".key", "public": prefix + ".pub"}
	return s.answer(answer, func(w io.Writer) {
		fmt.Fprintf(w, "%s.key  keep it; name it in %s as signing: {key: …}\n%s.pub  give it to the team's plimsoll.yaml, under trust\n", prefix, personalPath(), prefix)
	})
}

// newPassword takes a password from the environment or asks for it twice.
func (s *session) newPassword(ctx context.Context) ([]byte, error) {
	first, err := s.keyPassword(ctx, "New password of the key: ")
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"PLIMSOLL_KEY_PASSWORD", "COSIGN_PASSWORD"} {
		if _, ok := s.io.Env(name); ok {
			return first, nil
		}
	}
	again, err := s.ask(ctx, "The same password again: ")
	if err != nil {
		return nil, err
	}
	clean.Secret(string(again))
	if !bytes.Equal(first, again) {
		return nil, fault.New(fault.Usage, "try again", nil, "the two passwords differ, no key was made")
	}
	return first, nil
}

// writeNew creates a file that must not be there yet.
func writeNew(name string, raw []byte, mode fs.FileMode) (err error) {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode) //nolint:gosec // the person named it
	if err != nil {
		return fault.New(fault.Failed, "choose another place", err, "write %s", name)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Write(raw); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
