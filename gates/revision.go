package gates

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrNoRevision is in the chain of an error about provenance that does not say
// which commit an image was built from.
var ErrNoRevision = errors.New("signed provenance does not say which commit it was built from")

// Revision is the commit that an image was built from, as the newest provenance
// says that the provenance gate's signers signed: of the gate's repository, if
// it names one. Without that gate nothing signed says it: "" and no error. With
// it, provenance that is missing, unreadable or silent is an error: who asks for
// provenance does not take the image's own word.
func Revision(p Policy, in Input) (string, error) {
	gate := p.Service.Gates.Provenance
	if gate == nil {
		return "", nil
	}
	builds, f, problem := newEvaluation(p, in).signedBuilds(gate.Signers)
	if problem != nil {
		return "", fmt.Errorf("%w: %s", ErrNoRevision, strings.Join(problem.Reasons, "; "))
	}
	if len(f.broken) > 0 {
		return "", fmt.Errorf("%w: %s", ErrNoRevision, strings.Join(f.broken, "; "))
	}
	var newest time.Time
	commits := make([]string, 0, len(builds))
	for _, b := range builds {
		commit := b.origin.commit(sourceRepository(gate.Source))
		switch {
		case commit == "":
			continue
		case len(commits) == 0 || b.at.After(newest):
			newest, commits = b.at, append(commits[:0], commit)
		case b.at.Equal(newest):
			commits = append(commits, commit)
		}
	}
	slices.Sort(commits)
	switch commits = slices.Compact(commits); len(commits) {
	case 0:
		return "", fmt.Errorf("%w: attach provenance that names it, signed by %s", ErrNoRevision, list(gate.Signers, "or"))
	case 1:
		return commits[0], nil
	}
	return "", fmt.Errorf("%w: the newest name several (%s)", ErrNoRevision, strings.Join(commits, ", "))
}

// commit is the one commit of a repository that provenance names, "" for none or
// several; repository "" is the one that it was built from.
func (o origin) commit(repository string) string {
	if repository == "" {
		claims, _ := o.claims()
		if len(claims) == 0 {
			return ""
		}
		repository = claims[0].repository
	}
	found := ""
	for _, c := range slices.Concat(o.sources, o.deps) {
		switch {
		case c.repository != repository || c.commit == "" || c.commit == found:
		case found != "":
			return ""
		default:
			found = c.commit
		}
	}
	return found
}
