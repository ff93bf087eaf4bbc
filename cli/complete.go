package cli

import (
	"github.com/spf13/cobra"
)

// completeService completes the first argument from the configuration and the
// second from the candidates that were listed last: no network at the prompt.
func (s *session) completeService(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	cfg, err := s.loadConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, service := range cfg.Services {
		names = append(names, service.Name+"\t"+service.Prod)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (s *session) completeCandidate(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return s.completeService(cmd, args, typed)
	}
	desk, err := s.open()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	view, ok := desk.Snapshot(args[0])
	if !ok {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, c := range view.Candidates {
		names = append(names, c.Digest.String()+"\t"+string(c.Verdict))
		for _, tag := range c.Tags {
			names = append(names, tag+"\t"+short(c.Digest)+" "+string(c.Verdict))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (s *session) completeTarget(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return s.completeService(cmd, args, typed)
	}
	desk, err := s.open()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	targets, _ := desk.SnapshotTargets(args[0])
	var names []string
	for _, t := range targets {
		names = append(names, t.Digest.String()+"\t"+moment(t.At))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
