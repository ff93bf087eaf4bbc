package gates

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates/evidence"
)

// VEX is what an OpenVEX document says of one image, in short.
type VEX struct {
	Excused int       // statements that excuse a vulnerability: not_affected, fixed
	Others  int       // statements that do not: affected, under_investigation
	At      time.Time // what the document says of its own time
}

// String is the document in one line.
func (v VEX) String() string {
	if v.Others == 0 {
		return fmt.Sprintf("%d excused", v.Excused)
	}
	return fmt.Sprintf("%d excused, %d not", v.Excused, v.Others)
}

// ReadVEX reads an OpenVEX document as the scan gate reads it once it is signed
// about that digest. What the gate would pass over or refuse is an error, with
// evidence.ErrMalformed or evidence.ErrWrongSubject in its chain, so that nobody
// signs what has no effect.
func ReadVEX(raw []byte, about digest.Digest, now time.Time) (VEX, error) {
	if err := evidence.Strict(raw); err != nil {
		return VEX{}, fmt.Errorf("read it: %w", err)
	}
	var d struct {
		Context string `json:"@context"`
		vexDocument
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return VEX{}, fmt.Errorf("%w: no OpenVEX document: %w", evidence.ErrMalformed, err)
	}
	if !strings.HasPrefix(d.Context, evidence.OpenVEX) {
		return VEX{}, fmt.Errorf("%w: its @context is no OpenVEX (%s)", evidence.ErrMalformed, evidence.OpenVEX)
	}
	p := proof{Verified: evidence.Verified{Statement: evidence.Statement{
		PredicateType: evidence.OpenVEX, Subject: []evidence.Subject{evidence.SubjectOf("", about)}, Predicate: raw,
	}}}
	var err error
	if p.at, err = p.SignedTime(); err != nil {
		return VEX{}, fmt.Errorf("read its time: %w", err)
	}
	switch {
	case p.at.IsZero():
		return VEX{}, fmt.Errorf("%w: it has no timestamp, so nobody could tell which of two documents is the later one", evidence.ErrMalformed)
	case p.at.After(now.Add(maxSkew)):
		return VEX{}, fmt.Errorf("%w: it is dated %s, which is in the future", evidence.ErrMalformed, moment(p.at))
	}
	x := exceptions{now: now}
	if err := x.add(p); err != nil {
		return VEX{}, err
	}
	return x.count(d.vexDocument, p)
}

// count sums up what was read of a document; one without effect is an error.
func (x *exceptions) count(d vexDocument, p proof) (VEX, error) {
	out := VEX{At: p.at}
	switch {
	case len(d.Statements) == 0:
		return VEX{}, fmt.Errorf("%w: it has no statements", evidence.ErrMalformed)
	case len(x.all) == 0:
		return VEX{}, fmt.Errorf("%w: its products name other digests only", evidence.ErrWrongSubject)
	}
	for i, s := range d.Statements {
		if s.Status == "not_affected" && strings.TrimSpace(s.Justification+s.Impact) == "" {
			return VEX{}, fmt.Errorf("%w: statement %d says not_affected without a justification or an impact_statement", evidence.ErrMalformed, i+1)
		}
	}
	for _, e := range x.all {
		if e.good() {
			out.Excused++
		} else {
			out.Others++
		}
	}
	return out, nil
}
