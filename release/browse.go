package release

import (
	"context"
	"slices"

	"plimsoll/registry"
)

const (
	// fewTags are asked about one by one: a page of a list is a request, too.
	fewTags = 4
	// worthwhile is how many tags a page has to answer for, after the first two.
	worthwhile = 5
)

// listed finds, in the list that some registries give of their manifests, the
// tags that point at what is remembered: a request for each page, newest first, in place
// of one for each tag. It is a short cut: what is not found there, or has moved, is left
// to be asked by name, and where there is no such list nothing is found.
func (d *Desk) listed(ctx context.Context, repo registry.Repository, m *memory, tags []string) map[string]named {
	found := map[string]named{}
	if len(tags) < fewTags {
		return found
	}
	wanted := make(map[string]bool, len(tags))
	for _, t := range tags {
		wanted[t] = true
	}
	pages := 0
	// An error is one of a short cut: HEAD meets it again, and says it.
	_, _ = d.read().Browse(ctx, repo, func(page []registry.Item) bool {
		pages++
		answered := 0
		for _, item := range page {
			for _, t := range item.Tags {
				if !wanted[t] {
					continue
				}
				delete(wanted, t)
				answered++
				if n := m.Tags[t]; n.Digest == item.Digest {
					found[t] = n
				}
			}
		}
		return len(wanted) > 0 && (pages < 2 || answered >= worthwhile)
	})
	return found
}

// without are the tags that were not found.
func without(tags []string, found map[string]named) []string {
	return slices.DeleteFunc(slices.Clone(tags), func(t string) bool { _, ok := found[t]; return ok })
}
