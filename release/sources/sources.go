package sources

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/semaphore"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/registry"
	"plimsoll/release/forge"
)

// The kinds of sources, as answers name them.
const (
	GitHub    = "github"
	Pipelines = "azure-pipelines"
	HTTP      = "http"
	Registry  = "registry"
	Command   = "command"
)

const (
	defaultTimeout = 10 * time.Second
	patience       = 30 * time.Second // after which a list asks a source again that could not answer
	atOnce         = 4                // questions to one source at a time; GitHub asks for few
)

// Question is what a source is asked about.
type Question struct {
	Service  string
	Staging  string // host/path
	Digest   digest.Digest
	Revision string // the commit that the image was built from, in full; "" if nothing says
	// Images are the platforms of the candidate that have to be looked at, itself
	// if it is of one platform only.
	Images []gates.Platform
	// RevisionErr says why the revision is not known, for the source that needs it.
	RevisionErr error
}

// Options is what sources work with. Config is required.
type Options struct {
	Config *config.Config
	// Trusted tells whether the configuration may run commands and send
	// credentials: it was named, or a person accepted it. Nil: it may not.
	Trusted func() bool
	Kept    Shelf            // where answers are kept between runs; nil: in memory only
	Now     func() time.Time // nil: time.Now
	Environ []string         // nil: os.Environ(); tokens are read from it, programs get it without our secrets
	Roots   *x509.CertPool   // who may sign for servers; nil: whom the system trusts
	Version string           // of this program, for the servers' logs
	// Scan asks a registry for its own scan of an image; nil: no registry can be asked.
	Scan func(ctx context.Context, repo registry.Repository, dg digest.Digest) (registry.Scan, error)
}

// Sources asks the sources of one configuration. Safe for concurrent use.
type Sources struct {
	Options
	kept    *kept
	trouble *trouble
	tokens  *forge.Tokens
	web     *web
	wait    func(ctx context.Context, d time.Duration) error

	mu    sync.Mutex
	turns map[string]*semaphore.Weighted // by source
}

// New makes Sources. It asks nothing.
func New(o Options) *Sources {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	if o.Trusted == nil {
		o.Trusted = func() bool { return false }
	}
	s := &Sources{
		Options: o, kept: newKept(o.Kept), trouble: newTrouble(), web: newWeb(o.Roots),
		wait: pause, turns: map[string]*semaphore.Weighted{},
	}
	s.tokens = &forge.Tokens{Now: o.Now, Environ: o.Environ, Dir: o.Config.Dir, Secrets: s.secrets}
	return s
}

// Close drops idle connections and forgets tokens.
func (s *Sources) Close() {
	s.web.close()
	s.tokens.Forget()
}

// Ask asks the named sources about one candidate, all at the same time, each
// within its own time limit. Every source gives one answer or more; one that
// cannot answer gives one with Err. With fresh every source is asked; without,
// an answer that is younger than the source's keep is given again, with its
// time in Asked.
func (s *Sources) Ask(ctx context.Context, names []string, q Question, fresh bool) []gates.Answer {
	return s.each(ctx, names, q, func(c config.Source) ages {
		if fresh {
			return ages{}
		}
		return ages{answer: c.Keep, trouble: max(c.Keep, patience)}
	})
}

// Within is Ask that takes an answer again if it is at most that old, and no
// older than the source's keep.
func (s *Sources) Within(ctx context.Context, names []string, q Question, age time.Duration) []gates.Answer {
	return s.each(ctx, names, q, func(c config.Source) ages { return ages{answer: min(age, c.Keep)} })
}

// ages is how old what is given again may be: an answer, and that there was none.
type ages struct{ answer, trouble time.Duration }

// each asks the sources side by side; the answers stand in the order of the names.
func (s *Sources) each(ctx context.Context, names []string, q Question, old func(config.Source) ages) []gates.Answer {
	all := make([][]gates.Answer, len(names))
	var group sync.WaitGroup
	for i, name := range names {
		c, ok := s.Config.Sources[name]
		if !ok {
			err := fault.New(fault.Usage, "name it under sources", nil, "there is no source %q", name)
			all[i] = []gates.Answer{{Source: name, Asked: s.Now(), Err: err}}
			continue
		}
		c.Name = name
		group.Go(func() { all[i] = s.one(ctx, c, q, old(c)) })
	}
	group.Wait()
	var out []gates.Answer
	for _, answers := range all {
		out = append(out, answers...)
	}
	return out
}

// one gives the answers of one source, kept ones if they are not too old.
func (s *Sources) one(ctx context.Context, c config.Source, q Question, old ages) []gates.Answer {
	key := keyOf(s.Config.Dir, c, q)
	if known, ok := s.kept.find(key, s.Now(), old.answer); ok {
		return known
	}
	turn := s.turn(c.Name)
	err := turn.Acquire(ctx, 1)
	if err != nil {
		return []gates.Answer{s.failed(c, q, fmt.Errorf("wait for a turn: %w", err))}
	}
	defer turn.Release(1)
	if err := s.trouble.known(c.Name, s.Now(), old.trouble); err != nil { // looked at after the wait: others were asked meanwhile
		return []gates.Answer{s.failed(c, q, err)}
	}
	answers, err := s.limited(ctx, c, q)
	if err != nil {
		s.trouble.note(c.Name, s.Now(), err)
		return []gates.Answer{s.failed(c, q, err)}
	}
	s.trouble.clear(c.Name)
	now := s.Now()
	for i := range answers {
		a := &answers[i]
		a.Source, a.Kind, a.Asked, a.About = c.Name, KindOf(c), now, cmp.Or(a.About, q.Digest.String())
	}
	s.kept.put(key, now, c.Keep, answers)
	return answers
}

// limited asks within the source's own time limit.
func (s *Sources) limited(ctx context.Context, c config.Source, q Question) ([]gates.Answer, error) {
	limit := cmp.Or(c.Timeout, defaultTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fault.New(fault.Failed, "give it more with timeout: in sources."+c.Name, errSlow,
		"it did not answer within %s", limit))
	defer cancel()
	answers, err := s.form(c).ask(ctx, q)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return answers, err
}

// asker is one form of a source.
type asker interface {
	ask(ctx context.Context, q Question) ([]gates.Answer, error)
}

func (s *Sources) form(c config.Source) asker {
	switch KindOf(c) {
	case GitHub:
		return github{s, *c.GitHub}
	case Pipelines:
		return pipelines{s, *c.Pipelines}
	case HTTP:
		return endpoint{s, *c.HTTP}
	case Registry:
		return ownScan{s}
	}
	return command{s, c}
}

// KindOf names the form of a source.
func KindOf(c config.Source) string {
	switch {
	case c.GitHub != nil:
		return GitHub
	case c.Pipelines != nil:
		return Pipelines
	case c.HTTP != nil:
		return HTTP
	case c.Registry:
		return Registry
	}
	return Command
}

// failed is the answer of a source that cannot answer. What it says may hold
// text from outside; every error here is one line, without our secrets.
func (s *Sources) failed(c config.Source, q Question, err error) gates.Answer {
	return gates.Answer{
		Source: c.Name, Kind: KindOf(c), Asked: s.Now(), About: q.Digest.String(),
		Err: harmless{"source " + c.Name + ": " + clean.Text(clean.Redact(err.Error())), err},
	}
}

// harmless is an error whose text was cleaned; the causes stay in its chain.
type harmless struct {
	text string
	err  error
}

func (h harmless) Error() string { return h.text }

// Unwrap keeps the cause, its exit code and its hint.
func (h harmless) Unwrap() error { return h.err }

// turn is the queue of a source.
func (s *Sources) turn(name string) *semaphore.Weighted {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turns[name] == nil {
		s.turns[name] = semaphore.NewWeighted(atOnce)
	}
	return s.turns[name]
}

// pause waits, or ends with ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
