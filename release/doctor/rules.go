package doctor

import (
	"context"
	"errors"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/fault"
	"plimsoll/registry"
	"plimsoll/release/operation"
)

// tagRules looks whether the rules of prod's registry let a promotion end: what
// each promotion looks at before it copies. Most registries have no such rules to show.
func (e *examination) tagRules(ctx context.Context) []Fact {
	subject := e.channel
	if subject == "" {
		subject = digest.FromString("")
	}
	needs := registry.Needs{
		Moves: []string{e.Service.Channel}, Adds: []string{operation.ReleaseTag(subject)}, Lists: []string{registry.Fallback(subject)},
	}
	facts := e.tagRulesOf(ctx, e.Prod, needs, "the channel "+e.Service.Channel+" can move there, and evidence can be listed")
	return append(facts, e.tagRulesOf(ctx, e.Ledger, registry.Needs{}, "it is there; nothing in it is written twice")...)
}

func (e *examination) tagRulesOf(ctx context.Context, repo registry.Repository, needs registry.Needs, well string) []Fact {
	ctx, done := e.within(ctx)
	defer done()
	q := question{"tag-rules", repo.String()}
	offered, err := e.Reader.Rules(ctx, repo, needs)
	switch {
	case !offered:
		return nil
	case err == nil:
		return []Fact{q.ok("%s", well)}
	case errors.Is(err, registry.ErrUnsupported):
		return []Fact{q.unknown("the everyday identity may not look at the rules for tags").because("%s", plainly(err)).
			todo("let it read the repository's settings, or look there: the channel must be able to move")}
	case errors.Is(err, registry.ErrImmutable), isNotFound(err):
		return []Fact{q.broken("a promotion would stop before it copies").because("%s", text(err.Error())).todo("%s", fault.HintOf(err))}
	}
	return []Fact{q.untold(err, "the rules for tags could not be read")}
}
