package ui

import (
	"context"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/release"
	"plimsoll/release/diff"
	"plimsoll/release/doctor"
	"plimsoll/release/operation"
)

// data is all that the console knows. Only the root model writes it; screens
// and dialogs read it. What came from the backend was cleaned on its way in.
type data struct {
	now      time.Time
	window   extent
	room     extent // of it that a dialog may take
	services []service
	readOnly bool

	lists   map[query]*slot[release.ServiceView]
	gates   map[query]*slot[release.Verdict]
	diffs   map[query]*slot[diff.Diff]
	targets map[query]*slot[[]release.Target]
	history map[query]*slot[[]release.Entry]

	doctors  map[query]*slot[doctor.Report]
	verified map[query]*slot[release.Verification]
	allowed  map[string]release.Allowance // by service: who may go past which gate
	pending  []operation.Pending          // operations that an earlier start left open

	op      *running // the promotion or rollback that runs, or the latest one
	writing string   // the sign-off or quarantine that is being written, in words

	result *notice  // of the latest action; stays until it is dismissed
	note   string   // about the latest key; the next key clears it
	failed *problem // the latest failure, also after its notice was dismissed
}

// service is what the console needs of the configuration of a service.
type service struct {
	name, staging, prod, channel string
	rule                         string // which tags are candidates, "" for all
	window                       time.Duration
	off                          []string // gates that are switched off
	promotes, rollsBack          string   // the pipeline that does it, "" for this machine
}

func servicesOf(desk Backend) []service {
	configured := desk.Services()
	out := make([]service, 0, len(configured))
	for _, c := range configured {
		s := service{
			name: text(c.Name), staging: text(c.Staging), prod: text(c.Prod), channel: text(c.Channel), window: c.Window,
			promotes: text(desk.Through(c.Name, operation.ActionPromote)), rollsBack: text(desk.Through(c.Name, operation.ActionRollback)),
		}
		if c.Tags != nil {
			s.rule = text(c.Tags.String())
		}
		for _, gate := range c.Gates.Off {
			s.off = append(s.off, text(gate))
		}
		out = append(out, s)
	}
	return out
}

// service is the one of that name.
func (d *data) service(name string) service {
	for _, s := range d.services {
		if s.name == name {
			return s
		}
	}
	return service{name: name}
}

// kind says what a query asks for.
type kind int

const (
	askList kind = iota
	askGates
	askDiff
	askTargets
	askHistory
	askDoctor
	askVerify // whether a digest was promoted, read and verified again
)

// query names one question to the backend; it is the key of its answer.
type query struct {
	kind     kind
	service  string
	digest   digest.Digest
	from     digest.Digest
	fromNone bool // diff against nothing
}

// status is how an answer stands.
type status struct {
	have  bool      // there is a value
	live  bool      // it came from the registries in this session, not from the store
	whole bool      // it was read without an error
	at    time.Time // when it was read
	busy  bool      // the question is under way
	since time.Time // since when
	err   *problem  // of the newest answer
	fails int       // failures in a row
	gen   int       // number of the newest question
	// cancel ends the question that is under way.
	cancel context.CancelFunc
}

// slot holds the answer to one query.
type slot[T any] struct {
	status
	value T
}

func slotOf[T any](m map[query]*slot[T], q query) *slot[T] {
	s, ok := m[q]
	if !ok {
		s = new(slot[T])
		m[q] = s
	}
	return s
}

// peek reads a slot without making one, as View has to.
func peek[T any](m map[query]*slot[T], q query) slot[T] {
	if s, ok := m[q]; ok {
		return *s
	}
	return slot[T]{}
}

// state is how the answer to q stands.
func (d *data) state(q query) status {
	switch q.kind {
	case askList:
		return peek(d.lists, q).status
	case askGates:
		return peek(d.gates, q).status
	case askDiff:
		return peek(d.diffs, q).status
	case askTargets:
		return peek(d.targets, q).status
	case askHistory:
		return peek(d.history, q).status
	case askDoctor:
		return peek(d.doctors, q).status
	case askVerify:
		return peek(d.verified, q).status
	}
	return status{}
}

// list is the newest view of a service.
func (d *data) list(service string) slot[release.ServiceView] {
	return peek(d.lists, query{kind: askList, service: service})
}

// shown is the prod digest that the console shows, and whether it knows it.
func (d *data) shown(service string) (*digest.Digest, bool) {
	l := d.list(service)
	return l.value.Prod.Digest, l.have && (l.whole || l.value.Prod.Digest != nil)
}

// candidate is a digest of a service with the newest verdict on it: the list's
// or a later answer of gates.
func (d *data) candidate(service string, dg digest.Digest) (release.Candidate, bool) {
	l := d.list(service)
	for i := range l.value.Candidates { // by index: a candidate is large
		if l.value.Candidates[i].Digest == dg {
			return d.judged(service, l.at, l.value.Candidates[i]), true
		}
	}
	return release.Candidate{}, false
}

// judged is a candidate of a list that was read at a time, with the newest verdict on it.
func (d *data) judged(service string, at time.Time, c release.Candidate) release.Candidate {
	g := peek(d.gates, query{kind: askGates, service: service, digest: c.Digest})
	if g.have && g.at.After(at) {
		c.Verdict, c.Checks, c.Bigger = g.value.Verdict, g.value.Checks, g.value.Bigger
	}
	return c
}

// open is the operation of a service that an earlier start left open.
func (d *data) open(service string) (operation.Pending, bool) {
	for _, p := range d.pending {
		if p.Service == service {
			return p, true
		}
	}
	return operation.Pending{}, false
}

// busy is what is being written now, in words, "" for nothing.
func (d *data) busy() string {
	if d.op != nil && !d.op.done() {
		return d.op.words()
	}
	return d.writing
}

// subject is what the keys of a screen act on.
type subject struct {
	service string
	digest  digest.Digest // "" for none
	target  *release.Target
	report  bool // the whole screen is a report that can be copied
}

// level is how loud a notice is.
type level int

const (
	levelDone level = iota
	levelWarn
	levelFailed
	levelBusy // it stands for an action that is under way
)

// notice is the result of an action.
type notice struct {
	level level
	text  string
	more  *problem // in full
}
