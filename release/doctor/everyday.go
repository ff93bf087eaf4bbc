package doctor

import (
	"context"
	"errors"
	"reflect"

	"plimsoll/config"
	"plimsoll/registry"
)

// readStaging asks for staging's tags with the everyday identity.
func (e *examination) readStaging(ctx context.Context) []Fact {
	ctx, done := e.within(ctx)
	defer done()
	q := question{"everyday-read", e.Staging.String()}
	_, e.stagingRead = e.Reader.Tags(ctx, e.Staging)
	return []Fact{e.reads(q, e.stagingRead, "staging")}
}

// readProd asks what the channel points at. A repository without the channel
// is asked for its tags: it has to be there.
func (e *examination) readProd(ctx context.Context) []Fact {
	ctx, done := e.within(ctx)
	defer done()
	d, err := e.Reader.Head(ctx, e.Prod, e.Service.Channel)
	if errors.Is(err, registry.ErrNotFound) {
		_, err = e.Reader.Tags(ctx, e.Prod)
	}
	e.channel, e.channelErr, e.prodRead = d.Digest, err, err
	return []Fact{e.reads(question{"everyday-read", e.Prod.String()}, err, "prod")}
}

func (e *examination) reads(q question, err error, what string) Fact {
	who := "the everyday identity (" + describe(e.entry(q.subject).Read) + ")"
	switch {
	case err == nil:
		return q.ok("%s reads %s", who, what)
	case errors.Is(err, registry.ErrNotFound):
		return q.warning("%s has no such repository yet, or hides it from %s", what, who).because("%s", plainly(err)).
			todo("push the first image, or make the repository; if it is there, let the identity read it")
	case isRefused(err):
		return q.broken("%s cannot read %s", who, what).because("%s", plainly(err)).
			todo("give the identity the right to pull, or correct registries → %s → read", e.hostOf(q.subject))
	}
	return q.untold(err, "%s could not be read", what)
}

// everyday proves that the identities of every day cannot write prod.
func (e *examination) everyday(ctx context.Context) []Fact {
	entry := e.Config.Registry(e.Prod.Host)
	who := "the everyday identity (" + describe(entry.Read) + ")"
	facts := e.cannotWrite(ctx, "everyday-write", who, e.Reader, nobody(entry.Read) || e.accepted())
	facts = append(facts, e.around(ctx, "everyday-import", who, e.Reader, e.Prod)...)
	if entry.Evidence == nil || reflect.DeepEqual(entry.Evidence, entry.Read) {
		return facts
	}
	who = "the evidence identity (" + describe(entry.Evidence) + ")"
	facts = append(facts, e.cannotWrite(ctx, "evidence-write", who, e.Evidence(), nobody(entry.Evidence) || e.recognised(ctx, e.Evidence()))...)
	return append(facts, e.around(ctx, "evidence-import", who, e.Evidence(), e.Prod)...)
}

// accepted tells whether prod's registry took the everyday identity: it asked for it, and
// refused nothing after that. Where staging is in the same registry, a
// refusal there may have been the question.
func (e *examination) accepted() bool {
	ok := e.prodRead == nil && !isRefused(e.chainErr)
	if e.Staging.Host == e.Prod.Host {
		ok = ok && (e.stagingRead == nil || isNotFound(e.stagingRead))
	}
	return ok && e.Reader.Challenged(e.Prod.Host)
}

// recognised tells whether prod's registry takes the identity of c, by what it lets it read.
func (e *examination) recognised(ctx context.Context, c *registry.Client) bool {
	ctx, done := e.within(ctx)
	defer done()
	_, err := c.Tags(ctx, e.Prod)
	return err == nil && c.Challenged(e.Prod.Host)
}

// cannotWrite proves it of the prod repository and of the ledger.
func (e *examination) cannotWrite(ctx context.Context, id, who string, c *registry.Client, known bool) []Fact {
	remedy := "take its right to push away, in " + e.Prod.Host + "; only the promotion identity may write there"
	return each([]registry.Repository{e.Prod, e.Ledger}, func(repo registry.Repository) Fact {
		return question{id, repo.String()}.mustNot(e.try(ctx, c, repo), who, known, remedy)
	})
}

// anonymous proves that somebody who says nothing of themselves cannot write prod.
func (e *examination) anonymous(ctx context.Context) []Fact {
	c := e.Reader.Beside(func(o *registry.Options) {
		was := o.Registries
		o.Registries = func(host string) config.Registry {
			r := was(host)
			r.Read, r.Evidence, r.Promote = nil, nil, nil
			return r
		}
	})
	defer c.Close()
	return each([]registry.Repository{e.Prod}, func(repo registry.Repository) Fact {
		return question{"anonymous-write", repo.String()}.mustNot(e.try(ctx, c, repo), "anybody, without a credential,", true,
			"switch authentication on in "+repo.Host+": whoever reaches it can put anything into prod")
	})
}

// entry is the configuration of a repository's registry.
func (e *examination) entry(repo string) config.Registry { return e.Config.Registry(e.hostOf(repo)) }

func (e *examination) hostOf(repo string) string {
	if repo == e.Staging.String() {
		return e.Staging.Host
	}
	return e.Prod.Host
}
