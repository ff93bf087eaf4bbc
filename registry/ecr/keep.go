package ecr

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"plimsoll/config/clean"
	"plimsoll/registry"
)

// releaseTags is how release tags begin.
const releaseTags = "release-"

// Retention reads the lifecycle policy of a repository.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetLifecyclePolicy.html
func (p *provider) Retention(ctx context.Context, repo registry.Repository) (registry.Retention, error) {
	ctx, cancel := limited(ctx)
	defer cancel()
	api, err := p.api(ctx)
	if isUnsupported(err) {
		return registry.Retention{Detail: "the lifecycle policy can be read with an aws identity only"}, nil
	}
	if err != nil {
		return registry.Retention{}, err
	}
	out, err := api.GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{RegistryId: p.at.registry(), RepositoryName: aws.String(repo.Path)})
	if codeOf(err) == "LifecyclePolicyNotFoundException" {
		return registry.Retention{Known: true, Detail: "there is no lifecycle policy: nothing is deleted by itself"}, nil
	}
	if err != nil {
		err = unsupported(p.session(*p.identity()).trouble(ctx, err, "read the lifecycle policy of "+repo.String()), "lifecycle policy")
		if isUnsupported(err) {
			return registry.Retention{Detail: "this identity may not read the lifecycle policy (ecr:GetLifecyclePolicy)"}, nil
		}
		return registry.Retention{}, err
	}
	r, err := readLifecycle([]byte(aws.ToString(out.LifecyclePolicyText)))
	if err != nil {
		return registry.Retention{}, fmt.Errorf("the lifecycle policy of %s: %w", repo, err)
	}
	return r, nil
}

// rule is one rule of a lifecycle policy.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
type rule struct {
	Priority  int `json:"rulePriority"`
	Selection struct {
		Status   string   `json:"tagStatus"`
		Patterns []string `json:"tagPatternList"`
		Prefixes []string `json:"tagPrefixList"`
		Storage  string   `json:"storageClass"`
		Type     string   `json:"countType"`
		Unit     string   `json:"countUnit"`
		Number   int64    `json:"countNumber"`
	} `json:"selection"`
	Action struct {
		Type string `json:"type"`
	} `json:"action"`
}

const maxDays = 36500

// readLifecycle reads what a policy does to what no tag names, and to what a
// release tag names. An image falls under the first rule that selects it, and
// under no later one. A rule that moves images to the archive counts as one that
// deletes them: an archived image cannot be pulled.
func readLifecycle(raw []byte) (registry.Retention, error) {
	var policy struct {
		Rules []rule `json:"rules"`
	}
	if err := json.Unmarshal(raw, &policy); err != nil {
		return registry.Retention{}, fmt.Errorf("it is no JSON of the documented form: %s", clean.Text(err.Error()))
	}
	slices.SortStableFunc(policy.Rules, func(a, b rule) int { return cmp.Compare(a.Priority, b.Priority) })
	out := registry.Retention{Known: true}
	var said []string
	untagged, released := false, false // a rule selects all of them
	for _, r := range policy.Rules {
		days, count, err := r.limit()
		if err != nil {
			return registry.Retention{}, err
		}
		some, all := r.releases()
		switch {
		case !untagged && (r.Selection.Status == "untagged" || r.Selection.Status == "any"):
			out.Untagged, out.UntaggedKept, untagged = days, count, true
			said = append(said, fmt.Sprintf("rule %d takes what no tag names %s", r.Priority, when(days, count)))
		}
		if some && !released {
			out.Released, out.ReleasedKept = shorter(out.Released, days), shorter(out.ReleasedKept, count)
			released = all
			said = append(said, fmt.Sprintf("rule %d takes what a release tag names %s", r.Priority, when(days, count)))
		}
	}
	if out.Detail = "the lifecycle policy: " + strings.Join(said, "; "); len(said) == 0 {
		out.Detail = "no rule of the lifecycle policy takes what no tag or a release tag names"
	}
	return out, nil
}

// limit is after how long, or beyond how many, the rule takes an image.
func (r rule) limit() (time.Duration, int, error) {
	switch s := r.Selection; s.Type {
	case "imageCountMoreThan":
		return 0, int(min(max(s.Number, 1), 1<<30)), nil
	case "sinceImagePushed", "sinceImagePulled", "sinceImageTransitioned":
		if s.Unit != "" && s.Unit != "days" || s.Number <= 0 {
			return 0, 0, fmt.Errorf("rule %d counts %d %s", r.Priority, s.Number, clean.Text(s.Unit))
		}
		return time.Duration(min(s.Number, maxDays)) * 24 * time.Hour, 0, nil
	}
	return 0, 0, fmt.Errorf("rule %d has a countType that is not known: %s", r.Priority, clean.Text(r.Selection.Type))
}

// releases tells whether the rule can select something that a release tag names,
// and whether it selects all of it. An image is selected if it has a tag for
// every pattern; the other tags of a release are not known, so one pattern that
// fits is enough for some.
func (r rule) releases() (some, all bool) {
	switch s := r.Selection; s.Status {
	case "any":
		return true, true
	case "tagged":
		all = true
		for _, pattern := range s.Patterns {
			some = some || overlaps(pattern, releaseTags)
			all = all && matches(pattern, releaseTags) && strings.HasSuffix(pattern, "*")
		}
		for _, prefix := range s.Prefixes {
			some = some || strings.HasPrefix(prefix, releaseTags) || strings.HasPrefix(releaseTags, prefix)
			all = all && strings.HasPrefix(releaseTags, prefix)
		}
		return some, some && all
	}
	return false, false
}

// overlaps tells whether a pattern can stand for a text that begins with prefix.
func overlaps(pattern, prefix string) bool {
	fixed, _, any := strings.Cut(pattern, "*")
	if !any {
		return strings.HasPrefix(pattern, prefix)
	}
	return strings.HasPrefix(fixed, prefix) || strings.HasPrefix(prefix, fixed)
}

// shorter is the smaller of two limits, of which zero is none.
func shorter[T int | time.Duration](a, b T) T {
	switch {
	case a == 0:
		return b
	case b == 0:
		return a
	}
	return min(a, b)
}

// when says when a rule takes an image.
func when(days time.Duration, count int) string {
	if count > 0 {
		return fmt.Sprintf("beyond the newest %d", count)
	}
	return fmt.Sprintf("%d days after it was pushed", days/(24*time.Hour))
}
