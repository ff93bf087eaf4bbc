package diff

import (
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// Versions are the versions of the images, from the label
// org.opencontainers.image.version, else from the highest tag that is a
// semantic version; "" if neither says.
type Versions struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// version is what the image calls itself. The label and the tags are the builder's words.
func (i Image) version() string {
	if v := i.Label(LabelVersion); v != "" {
		return v
	}
	tags := slices.DeleteFunc(slices.Clone(i.Tags), func(t string) bool { return !semver.IsValid(canonical(t)) })
	if len(tags) == 0 {
		return ""
	}
	return slices.MaxFunc(tags, func(a, b string) int { return semver.Compare(canonical(a), canonical(b)) })
}

// canonical is a version as semver has it; whole versions only, since a tag "2026" is none.
func canonical(v string) string {
	v = "v" + strings.TrimPrefix(v, "v")
	if strings.Count(strings.SplitN(v, "-", 2)[0], ".") != 2 {
		return ""
	}
	return v
}

// major tells whether the major version is another one. Versions that are no
// semantic versions are not compared.
func (v Versions) major() bool {
	from, to := semver.Major(canonical(v.From)), semver.Major(canonical(v.To))
	return from != "" && to != "" && from != to
}
