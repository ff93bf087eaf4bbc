package store

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

// childEnv makes the test binary a second plimsoll: "story dir".
const childEnv = "PLIMSOLL_STORE_TEST_CHILD"

func child(story string) int {
	s, err := Open(os.Getenv(childEnv + "_DIR"))
	if err == nil {
		err = map[string]func(*Store) error{"hammer": hammer, "endless": endless, "lease": leaseAndDie}[story](s)
	}
	if err != nil {
		fmt.Println("FAILED", err)
		return 1
	}
	return 0
}

func spawn(t *testing.T, story, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // the test binary
	cmd.Env = append(os.Environ(), childEnv+"="+story, childEnv+"_DIR="+dir)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	return cmd, bufio.NewScanner(out)
}

const hammerWrites = 40

func hammer(s *Store) error {
	for i := range hammerWrites {
		if err := write(s, i); err != nil {
			return err
		}
		if _, err := s.Operations(true); err != nil {
			return err
		}
	}
	return nil
}

// write is one of everything that a promotion writes.
func write(s *Store, i int) error {
	id := fmt.Sprintf("%d-%04d", os.Getpid(), i)
	_, err := s.Audit("promote", "chat", "me", map[string]int{"i": i})
	return errors.Join(err,
		s.PutContent([]byte(id)),
		s.PutOperation(Operation{ID: id, State: Pending}))
}

func TestTwoProcessesHammeringLoseNothing(t *testing.T) {
	s := open(t)
	var children []*exec.Cmd
	for range 2 {
		cmd, _ := spawn(t, "hammer", s.Dir())
		children = append(children, cmd)
	}
	must(t, hammer(s))
	for _, cmd := range children {
		must(t, cmd.Wait())
	}
	must(t, s.VerifyAudit())
	n, _, err := s.AuditHead()
	must(t, err)
	ops, err := s.Operations(true)
	must(t, err)
	if n != 3*hammerWrites || len(ops) != 3*hammerWrites {
		t.Errorf("%d audit entries and %d operations of %d", n, len(ops), 3*hammerWrites)
	}
	checkCache(t, s)
}

// endless writes until it is killed, and says after each write what is on the disk.
func endless(s *Store) error {
	for i := 0; ; i++ {
		if err := write(s, i); err != nil {
			return err
		}
		fmt.Println(i)
	}
}

func TestKillInTheMiddleOfWritesLosesNothingThatWasAcknowledged(t *testing.T) {
	s := open(t)
	for range 12 {
		cmd, lines := spawn(t, "endless", s.Dir())
		stop := 1 + rand.IntN(8)
		last := -1
		for lines.Scan() {
			n, err := strconv.Atoi(lines.Text())
			must(t, err)
			if last = n; n >= stop {
				break
			}
		}
		timer := time.NewTimer(time.Duration(rand.IntN(5000)) * time.Microsecond)
		<-timer.C
		must(t, cmd.Process.Kill())
		_ = cmd.Wait() // killed
		for i := range last + 1 {
			id := fmt.Sprintf("%d-%04d", cmd.Process.Pid, i)
			if _, found, err := s.Operation(id); err != nil || !found {
				t.Fatalf("operation %s is lost: %v", id, err)
			}
			if raw, err := s.Content(digest.FromString(id)); err != nil || raw == nil {
				t.Fatalf("content %s is lost: %v", id, err)
			}
		}
		must(t, s.VerifyAudit())
		checkCache(t, s)
	}
}

func leaseAndDie(s *Store) error {
	_, _, err := s.Lease("prod/chat:live", "child", time.Hour)
	fmt.Println("leased")
	return err
}

func TestLeaseOfADeadProcessIsTakenOverAtOnce(t *testing.T) {
	s := open(t)
	cmd, lines := spawn(t, "lease", s.Dir())
	lines.Scan()
	must(t, cmd.Wait())
	_, _, err := s.Lease("prod/chat:live", "oncall", time.Minute)
	must(t, err)
	var held *LeaseHeld
	if _, _, err = s.Lease("prod/chat:live", "other", time.Minute); !errors.As(err, &held) || held.Owner != "oncall" || held.PID != os.Getpid() {
		t.Errorf("two leases at once: %v", err)
	}
}
