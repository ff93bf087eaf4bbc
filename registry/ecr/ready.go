package ecr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"plimsoll/config/fault"
	"plimsoll/registry"
)

// Ready looks whether the repository is there, and whether its tag mutability
// lets the channel move and evidence be listed.
func (p *provider) Ready(ctx context.Context, repo registry.Repository, needs registry.Needs) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	r, err := p.describe(ctx, repo)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return fault.New(fault.Failed, p.creation(repo, needs), err, "%s does not exist, and ECR makes no repository by a push", repo)
	case err != nil:
		return err
	}
	rules := mutabilityOf(r)
	for _, tag := range needs.Moves {
		if rules.immutable(tag) {
			return fault.New(fault.Failed, p.remedy(repo, rules, needs), registry.ErrImmutable,
				"the channel %s of %s could never move (%s)", tag, repo, rules)
		}
	}
	for _, tag := range needs.Lists {
		if rules.immutable(tag) {
			return fault.New(fault.Failed, p.remedy(repo, rules, needs), registry.ErrImmutable,
				"%s keeps the evidence of an image under the tag %s, and could list only the first (%s)", repo, tag, rules)
		}
	}
	return nil
}

// describe reads the settings of a repository.
func (p *provider) describe(ctx context.Context, repo registry.Repository) (types.Repository, error) {
	id := p.identity()
	api, err := p.api(ctx)
	if err != nil {
		return types.Repository{}, err
	}
	out, err := api.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RegistryId: p.at.registry(), RepositoryNames: []string{repo.Path}})
	if err != nil {
		return types.Repository{}, unsupported(p.session(*id).trouble(ctx, err, "look at "+repo.String()), "describe repositories")
	}
	if len(out.Repositories) != 1 {
		return types.Repository{}, fmt.Errorf("look at %s: ECR describes %d repositories in its place", repo, len(out.Repositories))
	}
	return out.Repositories[0], nil
}

// mutability is whether tags can be written again.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html
type mutability struct {
	kind     types.ImageTagMutability
	excluded []string // patterns, * stands for any characters
}

func mutabilityOf(r types.Repository) mutability {
	m := mutability{kind: r.ImageTagMutability}
	for _, f := range r.ImageTagMutabilityExclusionFilters {
		if f.FilterType == types.ImageTagMutabilityExclusionFilterTypeWildcard {
			m.excluded = append(m.excluded, aws.ToString(f.Filter))
		}
	}
	return m
}

// immutable tells whether a tag that exists cannot be written again. A kind that
// is not known is taken for one that allows it: the registry decides anyway.
func (m mutability) immutable(tag string) bool {
	excluded := slices.ContainsFunc(m.excluded, func(pattern string) bool { return matches(pattern, tag) })
	switch m.kind {
	case types.ImageTagMutabilityImmutable:
		return true
	case types.ImageTagMutabilityImmutableWithExclusion:
		return !excluded
	case types.ImageTagMutabilityMutableWithExclusion:
		return excluded
	case types.ImageTagMutabilityMutable:
	}
	return false
}

// String is the setting in the words of AWS.
func (m mutability) String() string {
	if len(m.excluded) == 0 {
		return string(m.kind)
	}
	return fmt.Sprintf("%s: %s", m.kind, strings.Join(m.excluded, ", "))
}

// matches tells whether a pattern stands for a text; * stands for any characters, none included.
func matches(pattern, text string) bool {
	first, rest, any := strings.Cut(pattern, "*")
	if !any {
		return pattern == text
	}
	if !strings.HasPrefix(text, first) {
		return false
	}
	text = text[len(first):]
	for {
		part, next, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(text, part)
		}
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text, rest = text[i+len(part):], next
	}
}

// remedy is the command that excludes the tags which have to move.
func (p *provider) remedy(repo registry.Repository, m mutability, needs registry.Needs) string {
	command := "aws ecr put-image-tag-mutability" + p.flags(repo)
	if m.kind == types.ImageTagMutabilityMutableWithExclusion {
		kept := slices.DeleteFunc(slices.Clone(m.excluded), func(pattern string) bool {
			return slices.ContainsFunc(append(slices.Clone(needs.Moves), needs.Lists...), func(tag string) bool { return matches(pattern, tag) })
		})
		if len(kept) == 0 {
			return command + " --image-tag-mutability MUTABLE"
		}
		return command + " --image-tag-mutability MUTABLE_WITH_EXCLUSION --image-tag-mutability-exclusion-filters" + filters(kept)
	}
	return command + " --image-tag-mutability IMMUTABLE_WITH_EXCLUSION --image-tag-mutability-exclusion-filters" +
		filters(append(slices.Clone(m.excluded), movable(needs)...))
}

// creation is the command that makes the repository.
func (p *provider) creation(repo registry.Repository, needs registry.Needs) string {
	command := "make it with: aws ecr create-repository" + p.flags(repo)
	if list := movable(needs); len(list) > 0 {
		return command + " --image-tag-mutability IMMUTABLE_WITH_EXCLUSION --image-tag-mutability-exclusion-filters" + filters(list)
	}
	return command + " --image-tag-mutability IMMUTABLE"
}

// movable are the patterns of what has to be written again.
func movable(needs registry.Needs) []string {
	list := slices.Clone(needs.Moves)
	if len(needs.Moves) > 0 {
		list = append(list, "sha256-*")
	}
	return list
}

func (p *provider) flags(repo registry.Repository) string {
	f := " --repository-name " + repo.Path
	if p.at.account != "" {
		f += " --registry-id " + p.at.account
	}
	if p.at.region != "" {
		f += " --region " + p.at.region
	}
	return f
}

func filters(patterns []string) string {
	var b strings.Builder
	slices.Sort(patterns)
	for _, pattern := range slices.Compact(patterns) {
		fmt.Fprintf(&b, " 'filterType=WILDCARD,filter=%s'", pattern)
	}
	return b.String()
}
