package operation

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
	"plimsoll/release/delivery"
	"plimsoll/release/ledger"
	"plimsoll/release/via"
	"plimsoll/store"
)

// request is what was asked for, whatever the action.
type request struct {
	Action       string        `json:"action"`
	Service      string        `json:"service"`
	Digest       digest.Digest `json:"digest,omitempty"`
	Expect       string        `json:"expect,omitempty"`
	Reason       string        `json:"reason,omitempty"`
	NoQuarantine bool          `json:"noQuarantine,omitempty"`
	Overrides    []string      `json:"overrides,omitempty"` // gates; the reason is Reason
	Asked

	resume string // id of the operation to go on with
}

// journaled is the part of an operation that survives a crash: what was asked,
// what was decided, which bytes were signed. What became true in a registry is
// read there.
type journaled struct {
	Request   request                  `json:"request"`
	Target    digest.Digest            `json:"target"`             // what the channel shall point at
	Previous  digest.Digest            `json:"previous,omitempty"` // what it pointed at when it was decided; "" for none
	Actor     string                   `json:"actor"`
	Judgement Judgement                `json:"judgement,omitzero"`
	Copied    registry.Copied          `json:"copied,omitzero"`
	Arrivals  Arrivals                 `json:"arrivals,omitzero"`
	Travel    []traveller              `json:"travel,omitempty"`
	Imports   map[digest.Digest]string `json:"imports,omitempty"`  // orders that prod's registry took, with the token to take them up; "": ended
	Streamed  bool                     `json:"streamed,omitempty"` // prod's registry does not import, for the reason in Warnings
	Summary   *attachment              `json:"summary,omitempty"`
	Policy    *ledger.Draft            `json:"policy,omitempty"` // the policy that judged, signed; the ledger may have it
	Draft     *draft                   `json:"draft,omitempty"`  // our record, signed; the ledger may have it
	Record    *digest.Digest           `json:"record,omitempty"` // its manifest, once the ledger has it
	Moving    bool                     `json:"moving,omitempty"` // the channel may have been written
	Delivery  *delivery.Result         `json:"delivery,omitempty"`
	Skipped   string                   `json:"skipped,omitempty"` // why the delivery is somebody else's now
	Left      digest.Digest            `json:"left,omitempty"`    // the digest that a rollback quarantines
	Audited   bool                     `json:"audited,omitempty"`
	Finished  time.Time                `json:"finished,omitzero"`  // when prod was done
	Identity  *evidence.Principal      `json:"identity,omitempty"` // who wrote prod, as its registry knows them
	Closing   string                   `json:"closing,omitempty"`  // why it ends without a move; its record is to be marked
	Warnings  []string                 `json:"warnings,omitempty"`
	Via       *appointed               `json:"via,omitempty"` // the pipeline that does it; nil: this machine
}

// draft is a record that was signed, with its number.
type draft struct {
	ledger.Draft
	Number int `json:"number"`
}

// attachment is a signed statement, kept so that it is signed once.
type attachment struct {
	Manifest []byte `json:"manifest"`
	Bundle   []byte `json:"bundle"`
}

// state is one operation in flight.
type state struct {
	journaled
	r       *Runner
	op      store.Operation
	known   bool // the journal has it
	resumed bool
	service config.Service
	staging registry.Repository
	prod    registry.Repository
	books   registry.Repository // the ledger
	*session
	chain    *ledger.Chain     // nil until it was read
	manifest registry.Manifest // of the target, as prod has it
	earlier  []*state          // operations that this rollback finishes after its own move
	owed     []string          // what could not be written, in words

	steps  []step
	index  int
	report func(Progress)
	run    *via.Status // of the pipeline that does it, as it was last seen
	hasty  bool        // another operation waits for its end
}

// session is what the operations of one start share.
type session struct {
	reader  *registry.Client
	writer  *registry.Client // of the promote identity; nil until it is asked for
	signer  evidence.Signer  // nil until it was opened
	id      string           // of the signer
	renew   func() error     // of the lease; nil without one
	release func() error
	pipe    via.Pipeline // nil until it was opened
	// patience is when the pipeline may be asked again.
	patience time.Time
}

// prepare finds the service of a request; nothing is asked of a registry.
func (r *Runner) prepare(req request, report func(Progress)) (*state, error) {
	if r.ReadOnly {
		return nil, fault.New(fault.Usage, "run it again without --read-only", nil, "%s %s: this run is read-only", req.Action, req.Service)
	}
	service, ok := r.Config.Service(req.Service)
	if !ok {
		return nil, fault.New(fault.Usage, "services are listed by: plimsoll list", nil, "%s: no service is called %q", req.Action, clean.Text(req.Service))
	}
	if err := expectation(req.Expect); err != nil {
		return nil, err
	}
	s := &state{r: r, service: service, report: report, session: &session{}, journaled: journaled{Request: req, Target: req.Digest}}
	for _, place := range []struct {
		name string
		into *registry.Repository
	}{{service.Staging, &s.staging}, {service.Prod, &s.prod}, {service.Ledger, &s.books}} {
		repo, err := registry.ParseRepository(place.name)
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", service.Name, err)
		}
		*place.into = repo
	}
	s.reader = r.Client(registry.Read)
	s.steps = stepsOf(req.Action)
	s.op = store.Operation{
		ID: newID(r.now()), Service: service.Name, Identity: s.channel(), Action: req.Action,
		State: store.Pending, Started: r.now().UTC(),
	}
	return s, s.appoint()
}

// reopen makes an operation of the journal the one in flight.
func (s *state) reopen(op store.Operation) (*state, error) {
	d, err := decode(op)
	if err != nil {
		return nil, err
	}
	old := *s
	old.journaled, old.op, old.known, old.resumed = d, op, true, true
	old.steps, old.index, old.owed, old.earlier = old.list(), 0, nil, nil
	old.chain, old.manifest = nil, registry.Manifest{}
	return &old, nil
}

func decode(op store.Operation) (journaled, error) {
	var d journaled
	if err := json.Unmarshal(op.Data, &d); err != nil {
		return d, fault.New(fault.Failed, "it was written by another version of plimsoll; finish it with that one", err,
			"read the journal of operation %s of %s", op.ID, op.Service)
	}
	return d, nil
}

// save writes the operation to the journal; it is on the disk afterwards.
func (s *state) save() error {
	s.identify()
	raw, err := json.Marshal(s.journaled)
	if err != nil {
		return fmt.Errorf("journal the operation: %w", err)
	}
	s.op.Data = raw
	if err := s.r.Journal.PutOperation(s.op); err != nil {
		return fmt.Errorf("journal the %s of %s: %w", s.op.Action, s.service.Name, err)
	}
	s.known = true
	return nil
}

// channel is the identity of the service: host/path:channel.
func (s *state) channel() string { return s.prod.String() + ":" + s.service.Channel }

// what names the operation in an error.
func (s *state) what() string {
	if s.Target == "" {
		return s.op.Action + " " + s.service.Name
	}
	return s.op.Action + " " + s.service.Name + " " + short(s.Target)
}

// command is what a person types to go on with the operation.
func (s *state) command() string {
	c := "plimsoll " + s.op.Action + " " + s.service.Name
	if s.op.Action != ActionAdopt && s.Target != "" {
		c += " " + s.Target.String()
	}
	return c
}

func (s *state) warn(format string, args ...any) {
	text := clean.Text(clean.Redact(fmt.Sprintf(format, args...)))
	if !slices.Contains(s.Warnings, text) {
		s.Warnings = append(s.Warnings, text)
	}
}

// pointsAt is the digest of the channel now, "" if there is no channel.
func (s *state) pointsAt(ctx context.Context) (digest.Digest, error) {
	d, err := s.reader.Head(ctx, s.prod, s.service.Channel)
	if notFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the channel %s: %w", s.channel(), err)
	}
	return d.Digest, nil
}

// identity is the client that may write prod; it is asked for now, at the latest moment.
func (s *state) identity() *registry.Client {
	if s.writer == nil {
		s.writer = s.r.Client(registry.Promote)
	}
	return s.writer
}

// identify notes who the promote identity is, once its registry has asked for it.
// Whoever only writes what is owed after the move is not who moved.
func (s *state) identify() {
	if s.writer == nil || s.op.Moved && s.Identity != nil {
		return
	}
	if subject, ends := s.writer.Identity(s.prod.Host); subject != "" {
		s.Identity = &evidence.Principal{Registry: s.prod.Host, Subject: clean.Text(subject), ExpiresOn: ends.UTC().Truncate(time.Second)}
	}
}

// drop ends the promote identity and the lease.
func (s *state) drop() {
	if s.writer != nil && s.writer != s.reader {
		s.writer.Close()
	}
	s.writer = nil
	if s.pipe != nil {
		s.pipe.Close()
		s.pipe = nil
	}
	if s.release != nil {
		_ = s.release() // an ended lease runs out by itself
		s.release = nil
	}
}

// short is a digest for messages.
func short(d digest.Digest) string {
	if d == "" {
		return None
	}
	return d.Algorithm().String() + ":" + d.Encoded()[:min(12, len(d.Encoded()))]
}

// fullDigest refuses what is no digest of an image.
func fullDigest(d digest.Digest) error {
	if err := d.Validate(); err != nil {
		return fault.New(fault.Usage, "give the full digest: sha256: and 64 hex digits", nil, "%q is no digest", clean.Text(d.String()))
	}
	return nil
}

func expectation(expect string) error {
	if expect == "" || expect == None || digest.Digest(expect).Validate() == nil {
		return nil
	}
	return fault.New(fault.Usage, "give the full prod digest that was shown, or none", nil, "--expect %q is no digest", clean.Text(expect))
}

// actor is who operates: the signer if there is one.
func (s *state) actor() string { return cmp.Or(s.Actor, s.r.Actor, "unknown") }

// words joins reasons.
func words(list []string) string { return strings.Join(list, "; ") }
