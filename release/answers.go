package release

import (
	"context"
	"fmt"
	"slices"
	"time"

	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/release/diff"
	"plimsoll/release/sources"
)

// patience says how old an answer of a source may be.
type patience int

const (
	afresh patience = iota // gates, promote: every source is asked
	lately                 // the last look before the channel moves
	asKept                 // list: as long as the source's keep
)

// moments is how old an answer may be at the last look before the channel
// moves. The sources were asked for the verdict; asking slow ones once more
// lengthens the time in which prod may move, and a copy takes seconds. After a
// longer one they are asked again: a failure since then is an objection.
const moments = time.Minute

// answers asks the sources that the service's gates name about one candidate.
func (d *Desk) answers(ctx context.Context, w world, image diff.Image, o outline, items []evidence.Item) []gates.Answer {
	names := sourcesOf(w.place)
	if len(names) == 0 {
		return nil
	}
	q := sources.Question{Service: w.Name, Staging: w.Staging, Digest: image.Digest}
	q.Images = gates.Wanted(w.policy, gates.Input{Candidate: image.Digest, Platforms: o.Children})
	q.Revision, q.RevisionErr = d.revision(w, image, o, items)
	if w.patience == lately {
		return d.sources.Within(ctx, names, q, moments)
	}
	return d.sources.Ask(ctx, names, q, w.patience == afresh)
}

// sourcesOf is the sources that the gates of a service name, each once.
func sourcesOf(p place) []string {
	var names []string
	if g := p.Gates.E2E; g != nil {
		names = append(names, g.Sources...)
	}
	if g := p.Gates.Scan; g != nil {
		names = append(names, g.Sources...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// revision is the commit that the image was built from. Signed provenance that
// the policy believes says so; without it the label of the image does, which is
// what the build says of itself. Platforms that name several commits name none.
func (d *Desk) revision(w world, image diff.Image, o outline, items []evidence.Item) (string, error) {
	in := gates.Input{Now: w.now, Service: w.Name, Candidate: image.Digest, Platforms: o.Children, Evidence: items}
	commit, err := gates.Revision(w.policy, in)
	if err != nil || commit != "" {
		return commit, err
	}
	for _, p := range image.Platforms {
		switch label := p.Config.Labels[diff.LabelRevision].Text; {
		case label == "" || label == commit:
		case commit == "":
			commit = label
		default:
			return "", fault.New(fault.Failed, "build all platforms from one commit", nil,
				"its platforms are built from several commits, by their labels: %s", fmt.Sprintf("%.40q and %.40q", commit, label))
		}
	}
	return commit, nil
}
