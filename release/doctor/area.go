package doctor

import (
	"slices"
	"strings"
)

// areas group facts for people, in the order in which they are shown, by how their ids begin.
var areas = []struct {
	name     string
	prefixes []string
}{
	{"identities", []string{"everyday-", "evidence-", "anonymous-", "promotion-", "ci-"}},
	{"registries", []string{"referrers", "clock", "tls", "tag-"}},
	{"what prod keeps", []string{"retention", "promoted-"}},
	{"trust and policy", []string{"trust-", "gate", "signing-", "policy"}},
	{"releases", nil}, // everything else
}

// Areas are the names of the groups in which facts are shown.
func Areas() []string {
	names := make([]string, 0, len(areas))
	for _, a := range areas {
		names = append(names, a.name)
	}
	return names
}

// AreaOf is the group of the facts with an id.
func AreaOf(id string) string {
	for _, a := range areas {
		if a.prefixes == nil || slices.ContainsFunc(a.prefixes, func(p string) bool { return strings.HasPrefix(id, p) }) {
			return a.name
		}
	}
	return ""
}
