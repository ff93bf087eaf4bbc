package operation

import (
	"time"

	"github.com/opencontainers/go-digest"
)

// outcome is what is printed.
func (s *state) outcome() Outcome {
	o := Outcome{
		Action: s.op.Action, Service: s.service.Name, Digest: s.Target, Tags: []string{},
		Copied: s.Copied, Referrers: s.Arrivals, Warnings: s.Warnings,
	}
	if s.Previous != "" {
		o.Previous = &s.Previous
	}
	if s.Left != "" {
		o.Quarantined = &s.Left
	}
	o.Overrides, o.RequestedBy = s.overridden(), s.requesters()
	if s.sent() {
		run := s.Via.Run
		o.Via = &run
		if s.Record != nil {
			o.Overrides = s.Via.Past
		}
	}
	if o.Referrers.LeftBehind == nil {
		o.Referrers.LeftBehind = []digest.Digest{}
	}
	if s.op.Action != ActionRollback {
		o.Tags = append(o.Tags, ReleaseTag(s.Target))
	}
	if s.op.Action != ActionAdopt {
		o.Tags = append(o.Tags, s.service.Channel)
	}
	o.Record = s.Record
	o.Seconds = s.seconds()
	return o
}

// seconds is how long prod took, from the start to its last change.
func (s *state) seconds() float64 {
	end := s.Finished
	if end.IsZero() {
		end = s.r.now()
	}
	return max(0, end.Sub(s.op.Started).Round(time.Millisecond).Seconds())
}

// ReleaseTag is the tag under which prod keeps a promoted digest: unique, never moved.
func ReleaseTag(d digest.Digest) string {
	hex := d.Encoded()
	return "release-" + hex[:min(16, len(hex))]
}
