package harbor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"plimsoll/config/fault"
	"plimsoll/registry"
)

// Ready looks whether the project is there, and whether its rules of
// immutability let the channel move and evidence be listed. Repositories are made by a push.
func (p *provider) Ready(ctx context.Context, repo registry.Repository, needs registry.Needs) error {
	at, err := placeOf(repo)
	if err != nil {
		return err
	}
	rules, err := p.rules(ctx, repo, at)
	switch {
	case missing(err):
		return fault.New(fault.Failed, "have the project made in Harbor, or correct the repository's name in the configuration", err, "%s has no project %s", p.host, at.project)
	case refused(err):
		return fmt.Errorf("read the rules of immutability: %w: %w", registry.ErrUnsupported, err)
	case err != nil:
		return err
	}
	for _, tag := range needs.Moves {
		if r, err := first(rules, at.name, tag); err != nil || r != nil {
			return refuse(at, r, err, tag, fmt.Sprintf("the channel %s of %s could never move", tag, repo))
		}
	}
	for _, tag := range needs.Lists {
		if r, err := first(rules, at.name, tag); err != nil || r != nil {
			return refuse(at, r, err, "sha256-**", fmt.Sprintf("%s keeps the evidence of an image under the tag %s, and could list only the first", repo, tag))
		}
	}
	return nil
}

// refuse says which rule keeps a tag where it is, and what to do.
func refuse(at place, r *rule, cause error, exempt, what string) error {
	if cause != nil {
		return fmt.Errorf("the rules of immutability of the project %s: %w", at.project, cause)
	}
	return fault.New(fault.Failed,
		fmt.Sprintf("in Harbor, project %s, Policy, Tag Immutability: have the rule exclude %s for %s, or switch it off", at.project, exempt, at.name), registry.ErrImmutable,
		"%s: a rule of immutability covers it (%s)", what, r)
}

// selector chooses repositories or tags.
type selector struct {
	Kind       string `json:"kind"`
	Decoration string `json:"decoration"`
	Pattern    string `json:"pattern"`
}

// rule is one rule of immutability.
type rule struct {
	ID       int64                 `json:"id"`
	Disabled bool                  `json:"disabled"`
	Tags     []selector            `json:"tag_selectors"`
	Scope    map[string][]selector `json:"scope_selectors"`
}

// String is the rule in the words of Harbor.
func (r *rule) String() string {
	return fmt.Sprintf("rule %d: repositories %s, tags %s", r.ID, words(r.Scope["repository"]), words(r.Tags))
}

func words(list []selector) string {
	parts := make([]string, 0, len(list))
	for _, s := range list {
		parts = append(parts, strings.TrimPrefix(said(s.Decoration), "repo")+" "+said(s.Pattern))
	}
	return strings.ToLower(strings.Join(parts, ", "))
}

// rules are those of the project.
func (p *provider) rules(ctx context.Context, repo registry.Repository, at place) ([]rule, error) {
	var all []rule
	const what = "the rules of immutability in Harbor"
	call := p.call(repo, api+"/projects/"+at.project+"/immutabletagrules?page=1&page_size=100", what, http.Header{"X-Is-Resource-Name": {"true"}})
	err := p.wire.Pages(ctx, call, func(raw []byte) (bool, error) {
		var page []rule
		if json.Unmarshal(raw, &page) != nil {
			return false, fmt.Errorf("%s are no JSON of the documented form", what)
		}
		all = append(all, page...)
		return true, nil
	})
	return all, err
}

// first is the first rule that covers a tag, nil if none does. As in Harbor the first selector of a
// rule decides, and one without covers nothing.
func first(rules []rule, name, tag string) (*rule, error) {
	for i := range rules {
		r := &rules[i]
		if r.Disabled || len(r.Tags) == 0 || len(r.Scope["repository"]) == 0 {
			continue
		}
		here, err := r.Scope["repository"][0].selects(name)
		if err != nil {
			return nil, err
		}
		covered, err := r.Tags[0].selects(tag)
		if err != nil {
			return nil, err
		}
		if here && covered {
			return r, nil
		}
	}
	return nil, nil
}

// selects tells whether a selector chooses a text.
func (s selector) selects(text string) (bool, error) {
	ok, err := matches(s.Pattern, text)
	switch {
	case err != nil:
		return false, err
	case s.Kind != "" && s.Kind != "doublestar":
	case s.Decoration == "matches", s.Decoration == "repoMatches":
		return ok, nil
	case s.Decoration == "excludes", s.Decoration == "repoExcludes":
		return !ok, nil
	}
	return false, fmt.Errorf("a rule selects in a way that is not known: %s %s", said(s.Kind), said(s.Decoration))
}
