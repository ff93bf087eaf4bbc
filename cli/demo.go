package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"plimsoll/cli/demo"
)

func newDemo(s *session) *cobra.Command {
	var headless bool
	cmd := &cobra.Command{
		Use:     "demo",
		GroupID: "setup",
		Short:   "Two registries in process with sample services, and the console over them",
		Long: `Demo starts a staging and a prod registry on free loopback ports, with three
services, their signed evidence and their history, and opens the console over
them. Promotion and rollback work in it. It leaves nothing behind.

With --headless it prints the configuration file and the addresses as JSON and
waits until it is interrupted, so that scripts can use the same registries.`,
		Example: `  plimsoll demo
  plimsoll demo --headless
  PLIMSOLL_STATE=… plimsoll --config … list          as --headless printed them`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.demo(cmd.Context(), headless) },
	}
	cmd.Flags().BoolVar(&headless, "headless", false, "print the addresses as JSON and wait for ctrl+c")
	return cmd
}

func (s *session) demo(ctx context.Context, headless bool) (err error) {
	if !headless && !s.io.Screen {
		return errNoScreen
	}
	progress := func(step string) {
		if !headless {
			fmt.Fprintln(s.io.Err, "demo:", step)
		}
	}
	d, err := demo.Start(ctx, progress)
	if err != nil {
		return err
	}
	defer func() {
		s.close()
		err = errors.Join(err, d.Close())
	}()
	if headless {
		s.json = true
		err := s.answer(map[string]string{
			"config": d.Config, "state": d.State, "staging": d.Staging, "prod": d.Prod, "pid": fmt.Sprint(os.Getpid()),
		}, nil)
		if err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}
	s.flags.config, s.state = d.Config, d.State
	return console(ctx, s, "")
}
