package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"plimsoll/config/fault"
)

// lease says who runs an operation on an identity.
type lease struct {
	Token string    `json:"token"` // of one call of Lease
	Owner string    `json:"owner"`
	Host  string    `json:"host"`
	Space string    `json:"space"` // in which the pid means something
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
}

// LeaseHeld is the error of a lease that somebody else holds, or took over.
type LeaseHeld struct {
	Identity string
	Owner    string
	Host     string
	PID      int
	Since    time.Time
	Until    time.Time // after it anybody may take over, if it is not renewed
}

// Error says who holds the lease since when, and until when.
func (e *LeaseHeld) Error() string {
	return fmt.Sprintf("%s is at work on it (process %d on %s) since %s; its lease ends at %s unless it is renewed",
		e.Owner, e.PID, e.Host, e.Since.Local().Format(time.RFC3339), e.Until.Local().Format(time.RFC3339))
}

// ErrLeaseLost is in the chain of a renewal that came too late: the lease has
// ended and is somebody else's or nobody's now.
var ErrLeaseLost = errors.New("the lease is lost")

// Lease reserves identity for one operation, for ttl; renew extends it by ttl
// from now, release ends it. A lease that has ended, or whose process on this
// machine is gone, is taken over; else a *LeaseHeld is in the chain of the
// error. It guards against a second start on this machine; the ledger guards
// against other machines.
func (s *Store) Lease(identity, owner string, ttl time.Duration) (release func() error, renew func() error, err error) {
	host, space := here()
	mine := lease{Token: rand.Text(), Owner: owner, Host: host, Space: space, PID: os.Getpid(), Since: s.now().UTC()}
	err = s.update(func(t txn) error {
		held, found, err := t.lease(identity)
		if err != nil {
			return err
		}
		if found && held.valid(s.now(), host, space) {
			return held.error(identity)
		}
		return t.putLease(identity, mine, s.now().Add(ttl))
	})
	if err != nil {
		return nil, nil, err
	}
	release = func() error { return s.release(identity, mine.Token) }
	renew = func() error { return s.renew(identity, mine, ttl) }
	return release, renew, nil
}

func (s *Store) renew(identity string, mine lease, ttl time.Duration) error {
	return s.update(func(t txn) error {
		held, found, err := t.lease(identity)
		switch {
		case err != nil:
			return err
		case found && held.Token == mine.Token:
			return t.putLease(identity, mine, s.now().Add(ttl))
		case found:
			return fault.New(fault.Failed, "look at what the other one does before you start again", fmt.Errorf("%w: %w", ErrLeaseLost, held.error(identity)),
				"keep the lease of %s", identity)
		}
		return fault.New(fault.Failed, "start again", ErrLeaseLost, "keep the lease of %s", identity)
	})
}

// release ends the lease; one that was lost is not ours to end.
func (s *Store) release(identity, token string) error {
	return s.update(func(t txn) error {
		held, found, err := t.lease(identity)
		if err != nil || !found || held.Token != token {
			return err
		}
		return t.b(bLeases).Delete([]byte(identity)) //nolint:wrapcheck // update says what was tried
	})
}

func (t txn) lease(identity string) (held lease, found bool, err error) {
	raw := t.b(bLeases).Get([]byte(identity))
	if raw == nil {
		return lease{}, false, nil
	}
	held, err = decode[lease](raw)
	return held, err == nil, err
}

func (t txn) putLease(identity string, l lease, until time.Time) error {
	l.Until = until.UTC()
	raw, err := redacted(l)
	if err != nil {
		return err
	}
	return t.b(bLeases).Put([]byte(identity), raw) //nolint:wrapcheck // update says what was tried
}

// valid tells whether the holder may still be at work.
func (l lease) valid(now time.Time, host, space string) bool {
	if !now.Before(l.Until) {
		return false
	}
	return l.Host != host || l.Space != space || alive(l.PID)
}

// error says who holds the lease.
func (l lease) error(identity string) error {
	return fault.New(fault.Failed, "wait until it is done; a lease that is not renewed ends by itself",
		&LeaseHeld{Identity: identity, Owner: l.Owner, Host: l.Host, PID: l.PID, Since: l.Since, Until: l.Until},
		"start an operation on %s", identity)
}

// here names this machine, and the space of process numbers of this process:
// a container that shares the host name does not share it.
func here() (host, space string) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	space, err = os.Readlink("/proc/self/ns/pid")
	if err != nil {
		space = "" // no such spaces here
	}
	return host, space
}

// alive tells whether a process of this machine may be running; in doubt it is.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false // Windows: there is no such process
	}
	defer func() { _ = p.Release() }()
	err = p.Signal(syscall.Signal(0))
	return !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, syscall.ESRCH)
}
