package cli

import (
	"context"
	"fmt"
	"time"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/release/trust"
	"plimsoll/store"
)

// How long a renewal of the trusted root may take, and how long the end of a command waits for it.
const (
	renewal     = 10 * time.Second
	lastMoments = time.Second
)

// complete adds to the configuration what is not in files: public keys of key
// services and the trusted root of keyless signers. It asks the network only for
// what this machine has never seen; a root that is a day old is renewed beside the
// command, for the next one.
func (s *session) complete(cfg *config.Config, st *store.Store, trusted bool) *config.Config {
	ctx := s.ctx
	if ctx == nil { // the completion of a word in a shell
		nobody, cancel := context.WithCancel(context.Background())
		cancel()
		ctx = nobody
	}
	o := trust.Options{Dir: s.stateDir(), Trusted: trusted, Note: s.note}
	s.config = trust.Complete(ctx, cfg, st, o)
	if ctx.Err() == nil && trust.Due(cfg, o) {
		s.renewBeside(ctx, cfg, o)
	}
	return s.config
}

// renewBeside renews the trusted root in the background. That it failed is told
// when the kept one is about to expire, not every time.
func (s *session) renewBeside(ctx context.Context, cfg *config.Config, o trust.Options) {
	ctx, cancel := context.WithTimeout(ctx, renewal)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = trust.Renew(ctx, cfg, o)
	}()
	s.renew = func() {
		defer cancel()
		select {
		case <-done:
		case <-time.After(lastMoments):
			cancel()
			<-done
		}
	}
}

// trustAgain asks the key services and TUF again for everything that the
// configuration trusts by reference. A key that is another one than before
// counts only after a person agreed.
func (s *session) trustAgain(ctx context.Context, cfg *config.Config, st *store.Store, answer map[string]any) (text string, err error) {
	o := trust.Options{Dir: s.stateDir(), Trusted: true, Note: s.note}
	pins, failed := trust.Ask(ctx, cfg, st)
	for _, p := range pins {
		if p.Changed() {
			if !s.json {
				fmt.Fprintf(s.io.Err, "The key of %s is another one:\n  before %s\n  now    %s\n", clean.Text(p.Reference), p.Before, p.Now)
			}
			if err := s.confirm(ctx, "Trust the new key?"); err != nil {
				return "", err
			}
		}
		if err := p.Accept(st); err != nil {
			return "", err
		}
		text += fmt.Sprintf("the key of %s is %s\n", p.Reference, p.Now)
	}
	if len(pins) > 0 {
		answer["keys"] = pins
	}
	until, err := trust.Renew(ctx, cfg, o)
	if !until.IsZero() && err == nil {
		answer["trustedRoot"] = map[string]any{"expires": until.UTC()}
		text += fmt.Sprintf("the trusted root for keyless signatures counts until %s, and is renewed before\n", until.UTC().Format(time.RFC3339))
	}
	return text, fault.Join(failed, err)
}
