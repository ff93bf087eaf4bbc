package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
)

// ErrFork is in the chain of the error about two policies of which neither follows the other.
var ErrFork = errors.New("two owners signed at once")

// Approval is a policy that one of its owners signed.
type Approval struct {
	Statement digest.Digest   `json:"statement"` // manifest of the statement
	Policy    digest.Digest   `json:"policy"`
	Document  []byte          `json:"document"`
	Previous  []digest.Digest `json:"previous"`
	By        string          `json:"by"` // the id that the policy gives the key; "" for a plain key
	At        time.Time       `json:"at"` // as the owner states it

	rules gates.Policy
	first bool // it follows nothing that is there
}

// Owned tells whether the policy names owners, who have to sign what follows it.
func (a Approval) Owned() bool { return owned(a.rules) }

// twin tells whether two approvals say the same: two owners signed at once.
func (a Approval) twin(b Approval) bool {
	return a.Policy == b.Policy && slices.Equal(a.Previous, b.Previous)
}

func owned(p gates.Policy) bool { _, ok := p.Trust[config.PolicyOwners]; return ok }

// Asking is what Signed needs to know beside the ledger.
type Asking struct {
	Prod, Channel string        // whose policy: host/path, tag
	Known         *Approval     // the newest approval that this machine believed; nil: it saw none
	Owners        *config.Group // policy-owners of the configuration here; they decide only between several first policies
	Now           time.Time
	// Root completes a policy that was read with what keyless owners are
	// verified against; nil: as it is.
	Root func(gates.Policy) gates.Policy
}

// Signed is what the signatures of policy owners say.
type Signed struct {
	// Newest is the policy that binds: every other one follows from it or led to it.
	// Nil: no owner ever signed one.
	Newest *Approval
	// Tips are the statements that a new approval has to follow: one, or one for
	// each of several owners who signed at once.
	Tips []digest.Digest
	All  []Approval // every approval that led to Newest, or says the same
	// Moved is true if Newest is not what the machine knew.
	Moved bool
	// Problems are for people: approvals that do not follow, entries taken away.
	Problems []string
}

// Owners are those who may sign what comes next, one group for each tip that
// names owners; a signer has to be in all of them. None: nobody owns the policy.
func (s Signed) Owners() []config.Group {
	var groups []config.Group
	for _, a := range s.All {
		if slices.Contains(s.Tips, a.Statement) && a.Owned() {
			groups = append(groups, a.rules.Trust[config.PolicyOwners])
		}
	}
	return groups
}

// Approved finds the approval of a policy, nil if no owner signed it.
func (s Signed) Approved(policy digest.Digest) *Approval {
	for _, a := range slices.Backward(s.All) {
		if a.Policy == policy {
			return &a
		}
	}
	return nil
}

// Began is when owners signed a policy that names owners for the first time;
// zero if they never did.
func (s Signed) Began() time.Time {
	for _, a := range s.All {
		if a.Owned() {
			return a.At
		}
	}
	return time.Time{}
}

// Signed follows the approvals of a channel's policy. The first one is signed
// by an owner that itself names; each later one names those before it and is signed
// by an owner of every one of these. So nobody gets into the group but by its
// members, and a member who left cannot come back.
//
// Whoever may write the ledger can add a first policy of their own. It counts
// for nothing on a machine that knows another one. On a machine that knows none, the
// owners in its configuration decide; where they do not, that is an error. So is a
// fork: two approvals of different policies that follow the same one, of which
// neither follows the other. An error means that it cannot be told which policy binds.
func (c Chain) Signed(q Asking) (Signed, error) {
	t := tree{asking: q, approvals: map[digest.Digest]Approval{}, there: map[digest.Digest]bool{}}
	if err := t.plant(); err != nil {
		return Signed{}, err
	}
	t.grow(c.Policies)
	var out Signed
	starts := t.starts()
	if len(starts) > 1 {
		return Signed{}, severalStarts(starts)
	}
	if len(starts) == 0 {
		return out, t.unreadable()
	}
	out.All = t.family(starts[0])
	out.Problems = t.problems(c, out.All)
	tips := t.tips(out.All)
	for _, tip := range tips {
		out.Tips = append(out.Tips, tip.Statement)
	}
	out.Newest = &tips[len(tips)-1]
	out.Moved = q.Known == nil || q.Known.Statement != out.Newest.Statement
	for _, tip := range tips {
		if tip.Policy != out.Newest.Policy {
			return out, fault.New(fault.Gate, "an owner under both of them looks at them and signs again: plimsoll policy sign", ErrFork,
				"two policies follow the same one: %s, signed by %s, and %s, signed by %s", tip.Policy, who(tip), out.Newest.Policy, who(*out.Newest))
		}
	}
	return out, t.unreadable()
}

func who(a Approval) string { return cmp.Or(a.By, "an owner without a name") }

func severalStarts(starts []Approval) error {
	names := make([]string, 0, len(starts))
	for _, s := range starts {
		names = append(names, fmt.Sprintf("%s by %s", s.Policy, who(s)))
	}
	return fault.New(fault.Gate, "find out who wrote them, and take those out of the ledger that no owner of yours signed", nil,
		"the ledger holds %d first policies, and this machine does not know which one to believe: %s", len(starts), strings.Join(names, ", "))
}
