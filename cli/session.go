package cli

import (
	"bufio"
	"context"
	"crypto"
	"fmt"
	"os/user"
	"path/filepath"
	"sync"
	"time"

	"github.com/adrg/xdg"
	"github.com/spf13/cobra"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
	"plimsoll/registry/acr"
	"plimsoll/registry/ecr"
	"plimsoll/registry/harbor"
	"plimsoll/release"
	"plimsoll/store"
)

// session is one run of the program: its flags, and what was made from them so far.
type session struct {
	io     IO
	flags  flags
	json   bool
	state  string          // directory of the store, "" for the person's own
	ctx    context.Context // of the command: what open has to ask for ends with it; nil: it asks nobody
	cancel context.CancelFunc
	renew  func() // waits a moment for the trusted root that is being renewed; nil: none is

	config  *config.Config
	store   *store.Store
	desk    *release.Desk
	clients []*registry.Client
	signer  evidence.Signer
	noted   []string                                                 // what note said
	lines   *bufio.Reader                                            // of answers at prompts
	ask     func(ctx context.Context, prompt string) ([]byte, error) // how a password is asked for; nil: it cannot
	shown   bool                                                     // the console has the terminal
}

// begin checks the common flags.
func (s *session) begin(cmd *cobra.Command) error {
	switch s.flags.output {
	case "text":
	case "json":
		s.json = true
	default:
		return fault.New(fault.Usage, "use -o text or -o json", nil, "unknown output format %q", s.flags.output)
	}
	if s.flags.timeout < 0 {
		return fault.New(fault.Usage, "write it as 30s or 5m", nil, "--timeout %s is negative", s.flags.timeout)
	}
	if s.flags.timeout > 0 {
		ctx, cancel := context.WithTimeoutCause(cmd.Context(), s.flags.timeout,
			fault.New(fault.Failed, "give it more with --timeout", nil, "gave up after --timeout %s", s.flags.timeout))
		s.cancel = cancel
		cmd.SetContext(ctx)
	}
	s.ctx = cmd.Context()
	if s.io.Terminal {
		s.ask = func(_ context.Context, prompt string) ([]byte, error) { return s.io.Password(prompt) }
	}
	return nil
}

// close drops connections and credentials.
func (s *session) close() {
	if s.renew != nil {
		s.renew()
	}
	if s.cancel != nil {
		s.cancel()
	}
	for _, c := range s.clients {
		c.Close()
	}
}

// stateDir is where this machine's store is.
func (s *session) stateDir() string {
	if s.state != "" {
		return s.state
	}
	if dir := s.io.env("PLIMSOLL_STATE"); dir != "" {
		return dir
	}
	return filepath.Join(xdg.StateHome, "plimsoll")
}

func (s *session) openStore() (*store.Store, error) {
	if s.store == nil {
		st, err := store.Open(s.stateDir())
		if err != nil {
			return nil, err
		}
		s.store = st
	}
	return s.store, nil
}

func (s *session) loadConfig() (*config.Config, error) {
	if s.config != nil {
		return s.config, nil
	}
	path, found, err := config.Find(s.flags.config, s.io.env("PLIMSOLL_CONFIG"), s.io.Dir)
	if err != nil {
		return nil, err
	}
	personal := config.PersonalFile()
	if s.state != "" {
		personal = "" // the demo is nobody's
	}
	s.config, err = config.Load(path, found, personal)
	return s.config, err
}

// open makes the desk: configuration, store, clients, signer. It asks no
// registry, and others only for keys and roots of trust that were never asked for.
func (s *session) open() (*release.Desk, error) {
	if s.desk != nil {
		return s.desk, nil
	}
	cfg, st, trusted, err := s.accepted()
	if err != nil {
		return nil, err
	}
	if !trusted {
		s.note("%s was found, not named, and is not trusted yet: registries are read anonymously, nothing is written. To accept it: plimsoll trust", cfg.Path)
	}
	cfg = s.complete(cfg, st, trusted)
	s.desk = release.New(release.Options{
		Config: cfg, Store: st, Client: s.clientsFor(cfg, trusted), Signer: s.openSigner, Public: func() crypto.PublicKey { return ownKey(cfg) },
		Now: time.Now, Actor: actor(), ReadOnly: s.flags.readOnly || !trusted, Version: version,
	})
	return s.desk, nil
}

// accepted is the configuration, whether it was named or accepted, and the
// store that knows.
func (s *session) accepted() (*config.Config, *store.Store, bool, error) {
	cfg, err := s.loadConfig()
	if err != nil {
		return nil, nil, false, err
	}
	st, err := s.openStore()
	if err != nil {
		return nil, nil, false, err
	}
	return cfg, st, !cfg.Found || st.Accepted(cfg.Path, cfg.Hash), nil
}

// writing is open for a command that writes: an untrusted file is an error, not a note.
func (s *session) writing() (*release.Desk, error) {
	if s.flags.readOnly {
		return nil, fault.New(fault.Usage, "leave --read-only out", nil, "this command writes, and --read-only refuses that")
	}
	cfg, _, trusted, err := s.accepted()
	if err != nil {
		return nil, err
	}
	if !trusted {
		return nil, fault.New(fault.Usage, "read it, then accept it with plimsoll trust, or name it with --config", nil,
			"%s was found, not named, and is not trusted yet: it may not send credentials or run commands", cfg.Path)
	}
	return s.open()
}

// clientsFor makes a client per purpose: one for reading and one for evidence
// kept for the whole run, a new one for each promotion, which its operation closes.
func (s *session) clientsFor(cfg *config.Config, trusted bool) func(registry.Purpose) *registry.Client {
	var mu sync.Mutex
	kept := map[registry.Purpose]*registry.Client{}
	providers := s.providers()
	return func(purpose registry.Purpose) *registry.Client {
		mu.Lock()
		defer mu.Unlock()
		if c, ok := kept[purpose]; ok {
			return c
		}
		c := registry.New(registry.Options{
			Registries: func(host string) config.Registry { return entry(cfg, host, trusted) },
			Purpose:    purpose,
			ReadOnly:   s.flags.readOnly || !trusted,
			UserAgent:  "plimsoll/" + version,
			Providers:  providers,
		})
		if purpose != registry.Promote {
			kept[purpose] = c
			s.clients = append(s.clients, c)
		}
		return c
	}
}

// providers are what the clouds add, for the hosts that are theirs.
func (s *session) providers() func(string, config.Registry, *registry.Wire) registry.Provider {
	all := []func(string, config.Registry, *registry.Wire) registry.Provider{
		harbor.Provider, acr.Providers(acr.Options{Tell: s.tell}), ecr.Providers(ecr.Options{}),
	}
	return func(host string, entry config.Registry, wire *registry.Wire) registry.Provider {
		for _, provider := range all {
			if p := provider(host, entry, wire); p != nil {
				return p
			}
		}
		return nil
	}
}

// tell shows a person where to sign in: in the console it is a dialog, in a
// command a line beside the answer.
func (s *session) tell(ctx context.Context, message string) error {
	if s.shown {
		_, err := s.ask(ctx, message)
		return err
	}
	if s.json {
		return fault.New(fault.Usage, "sign in without -o json, or use another method", nil, "device-code shows a person a code, and -o json shows nobody anything")
	}
	fmt.Fprintln(s.io.Err, clean.Redact(message))
	return nil
}

// entry is how a host is reached; an untrusted file gets no credential out of this machine.
func entry(cfg *config.Config, host string, trusted bool) config.Registry {
	r := cfg.Registry(host)
	if !trusted {
		r.Read, r.Evidence, r.Promote, r.Client = &config.Identity{Anonymous: true}, nil, nil, nil
	}
	return r
}

// actor names the person by the login, for what no signing key names.
func actor() string {
	u, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return u.Username
}

// note tells a person something beside the answer; scripts are not disturbed.
func (s *session) note(format string, args ...any) {
	said := fmt.Sprintf(format, args...)
	s.noted = append(s.noted, said)
	if !s.json {
		fmt.Fprintln(s.io.Err, "note:", said)
	}
}
