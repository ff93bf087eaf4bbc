package doctor

import (
	"context"

	"plimsoll/registry"
)

// ci tries CI's credential, if it was given: it writes staging, and nothing in prod.
func (e *examination) ci(ctx context.Context) []Fact {
	if e.CI == nil {
		return nil
	}
	staging := e.try(ctx, e.CI, e.Staging)
	facts := []Fact{question{"ci-staging", e.Staging.String()}.must(staging, "CI", "check the credential: one that staging does not take proves nothing about prod")}
	for _, repo := range []registry.Repository{e.Prod, e.Ledger} {
		facts = append(facts, e.ciIn(ctx, repo, staging.granted))
	}
	return facts
}

// ciIn tries it in one repository of prod.
func (e *examination) ciIn(ctx context.Context, repo registry.Repository, accepted bool) Fact {
	q := question{"ci-write", repo.String()}
	f := q.mustNot(e.try(ctx, e.CI, repo), "CI", accepted, "take CI's right to push away, in "+repo.Host+": then nothing reaches prod past the gates")
	if f.Status == OK && e.Token && repo.Host != e.Staging.Host {
		return q.unknown("%s does not take this token, but a token of another registry never is", repo.Host).because("%s", f.Detail).
			todo("give CI's user:password, or run plimsoll doctor in the pipeline, where CI is the everyday identity")
	}
	return f
}
