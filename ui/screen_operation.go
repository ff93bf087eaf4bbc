package ui

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"charm.land/bubbles/v2/progress"
	"charm.land/lipgloss/v2"

	"plimsoll/registry"
)

// operationScreen shows the promotion or rollback that runs, or the latest one.
type operationScreen struct {
	of    string // whose prod digest is pinned
	pager pager
}

func (s operationScreen) place() place    { return onOperation }
func (s operationScreen) service() string { return s.of }
func (s operationScreen) wants(*data) []query {
	return []query{{kind: askList, service: s.of}}
}

func (s operationScreen) heading(d *data) string {
	if d.op == nil {
		return "operation"
	}
	return d.op.noun() + " of " + d.op.service
}

func (s operationScreen) subject(d *data) subject {
	if d.op == nil {
		return subject{service: s.of}
	}
	return subject{service: d.op.service, digest: d.op.digest}
}

func (s operationScreen) do(a action, d *data, at extent) (screen, intent) {
	s.pager = s.pager.move(a, len(folded(operationLines(d, at.w), at.w)), at.h)
	return s, nil
}

func (s operationScreen) status(d *data) line {
	switch r := d.op; {
	case r == nil:
		return nil
	case r.done():
		return nil
	case r.progress.Moved:
		return say(warn, "the channel has moved: it can no longer be cancelled; what is left is being finished")
	case r.cancelling && r.progress.Run != nil:
		return say(warn, "the pipeline is asked to cancel; it takes a moment until prod is certain")
	case r.cancelling:
		return say(warn, "being cancelled; prod has not changed")
	default:
		return say(plain, "prod has not changed yet; it can still be cancelled")
	}
}

func (s operationScreen) view(d *data, st *styles, at extent) string {
	return s.pager.view(st, folded(operationLines(d, at.w), at.w), at)
}

func operationLines(d *data, w int) []line {
	r := d.op
	if r == nil {
		return []line{nil, say(plain, "  nothing was promoted or rolled back since this console started")}
	}
	lines := []line{
		digestLine("from", orNone(r.previous)),
		digestLine("to", string(r.digest)),
		field("elapsed", elapsedText(r, d.now)),
	}
	if run := r.progress.Run; run != nil {
		lines = append(lines, field("link", orDash(run.Link)))
	}
	lines = append(lines, nil)
	if past := r.past(); len(past) > 0 {
		lines = append(lines[:len(lines)-1], line{{"  " + overrideWords(past), warn}, {"  " + orDash(r.reason), strong}}, nil)
	}
	if r.done() {
		lines = append(append(lines, outcomeLines(r)...), nil)
	}
	lines = append(lines, stepLines(r)...)
	if run := r.progress.Run; run != nil {
		lines = append(append(lines, nil), runLines(*run)...)
	}
	if c := r.progress.Copy; c != nil && (!r.done() || r.err != nil) {
		lines = append(append(lines, nil), copyLines(r, *c, w)...)
	}
	return lines
}

func elapsedText(r *running, now time.Time) string {
	if r.done() {
		return stopwatch(r.elapsed(now))
	}
	return stopwatch(r.elapsed(now).Truncate(time.Second))
}

func stepLines(r *running) []line {
	p := r.progress
	if len(p.Steps) == 0 {
		return []line{say(plain, "  … starting")}
	}
	lines := make([]line, 0, len(p.Steps))
	for i, step := range p.Steps {
		switch {
		case i < p.Index || r.done() && r.err == nil:
			lines = append(lines, line{{"  ✓ ", good}, {step, plain}})
		case i == p.Index && r.done():
			lines = append(lines, line{{"  ✗ ", bad}, {step, strong}})
		case i == p.Index:
			lines = append(lines, line{{"  … ", warn}, {step, strong}})
		default:
			lines = append(lines, line{{"  - ", plain}, {step, faint}})
		}
	}
	return lines
}

// copyLines is the whole copy and each of its blobs as a bar.
func copyLines(r *running, c registry.Progress, w int) []line {
	total := fmt.Sprintf("%s of %s", size(c.Bytes), size(c.Total))
	if rate := r.speed.rate(); rate >= 1 && !r.done() {
		total += fmt.Sprintf("  %s/s", size(int64(rate)))
	}
	if left := r.speed.left(c.Total - c.Bytes); left > 0 && !r.done() {
		total += "  " + stopwatch(left.Round(time.Second)) + " left"
	}
	lines := []line{
		{{"  " + fit("copied", 11) + " ", strong}, {bar(c.Bytes, c.Total, barWidth(w)) + " " + total, plain}},
		say(plain, "  %s %d of %s done, %s crossed the wire", fit("", 11), c.Blob, plural(len(c.Blobs), "blob"), size(c.Moved)),
	}
	if c.Status != "" && !r.done() {
		lines = append(lines, say(faint, "  %s %s", fit("", 11), c.Status))
	}
	for _, b := range byInterest(c.Blobs) {
		lines = append(lines, blobLine(b, w))
	}
	return lines
}

// byInterest puts what moves first, then what waits: the rest may be out of sight.
func byInterest(blobs []registry.BlobProgress) []registry.BlobProgress {
	rank := func(b registry.BlobProgress) int {
		switch b.State {
		case registry.BlobMoving:
			return 0
		case registry.BlobWaiting:
			return 1
		case registry.BlobCopied, registry.BlobMounted, registry.BlobSkipped, registry.BlobExternal:
		}
		return 2
	}
	return slices.SortedStableFunc(slices.Values(blobs), func(a, b registry.BlobProgress) int { return cmp.Compare(rank(a), rank(b)) })
}

func barWidth(w int) int { return min(40, max(8, w/4)) }

func blobLine(b registry.BlobProgress, w int) line {
	what := size(b.Total)
	t := plain
	switch b.State {
	case registry.BlobMoving:
		what = size(b.Done) + " of " + what
	case registry.BlobCopied, registry.BlobMounted, registry.BlobSkipped, registry.BlobExternal:
		what, t = what+" "+string(b.State), good
	case registry.BlobWaiting:
		what, t = what+" waiting", faint
	}
	done := b.Done
	if t == good {
		done = b.Total
	}
	return line{{"    " + short(b.Digest) + " ", plain}, {bar(done, b.Total, barWidth(w)) + " ", t}, {what, plain}}
}

// bar is how much of total is done, in w cells. The numbers come from a
// registry, so they may be absurd.
func bar(done, total int64, w int) string {
	share := 0.0
	if total > 0 {
		share = min(1, max(0, float64(done)/float64(total)))
	} else if done >= total {
		share = 1
	}
	// The bar rounds; what is nearly done must not look done.
	share = math.Floor(share*float64(w)) / float64(max(1, w))
	return progress.New(progress.WithWidth(w), progress.WithoutPercentage(), progress.WithFillCharacters('█', '░'), uncoloured).ViewAs(share)
}

// uncoloured leaves the look of a bar to the line that it is in.
func uncoloured(m *progress.Model) {
	m.FullColor, m.EmptyColor = lipgloss.NoColor{}, lipgloss.NoColor{}
}

// outcomeLines is the end: what became of it and what to do next.
func outcomeLines(r *running) []line {
	n := r.result()
	lines := []line{{{"  " + levelMark(n.level) + " ", levelTone(n.level)}, {n.text, strong}}}
	if r.err != nil {
		return append(append(lines, nil), problemLines(r.err)...)
	}
	o := r.outcome
	if len(o.Tags) > 0 {
		lines = append(lines, field("tags", strings.Join(o.Tags, " ")))
	}
	if o.Record != nil {
		lines = append(lines, digestLine("record", string(*o.Record)))
	}
	if o.Quarantined != nil {
		lines = append(lines, say(plain, "  quarantined %s", *o.Quarantined), say(faint, "              it must not be promoted again; x in its row lifts that"))
	}
	if o.Via != nil && r.progress.Run == nil {
		lines = append(lines, field("link", orDash(o.Via.Link)))
	}
	if r.action == "promote" && !o.Unchanged && o.Via == nil {
		lines = append(lines,
			field("copied", fmt.Sprintf("%s in %s, %d mounted, %d there already", size(o.Copied.Bytes), plural(o.Copied.Blobs, "blob"), o.Copied.Mounted, o.Copied.Skipped)),
			field("evidence", fmt.Sprintf("%d of %d arrived", o.Referrers.Arrived, o.Referrers.Expected)))
	}
	if len(o.Referrers.LeftBehind) > 0 {
		lines = append(lines, say(warn, "  ! left behind in staging, because nobody in trust signed it:"))
	}
	for _, left := range o.Referrers.LeftBehind {
		lines = append(lines, say(plain, "      %s", left))
	}
	for _, w := range o.Warnings {
		lines = append(lines, line{{"  ! ", warn}, {w, plain}})
	}
	return lines
}

func levelMark(l level) string {
	return map[level]string{levelDone: "✓", levelWarn: "!", levelFailed: "✗", levelBusy: "…"}[l]
}

func levelTone(l level) tone {
	return map[level]tone{levelDone: good, levelWarn: warn, levelFailed: bad, levelBusy: plain}[l]
}
