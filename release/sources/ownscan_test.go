package sources

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/registry"
)

// scanner is a registry's own scanner.
type scanner struct {
	mu    sync.Mutex
	says  map[digest.Digest]registry.Scan
	fails map[digest.Digest]error
	asked int
}

func (s *scanner) scan(_ context.Context, repo registry.Repository, dg digest.Digest) (registry.Scan, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if repo.String() != "staging.example.com/team/chat" {
		return registry.Scan{}, fmt.Errorf("asked about %s", repo)
	}
	return s.says[dg], s.fails[dg]
}

var amd, arm = digest.FromString("amd64"), digest.FromString("arm64")

// scanning is a world whose only source is the registry's own scan of two platforms.
func scanning(t *testing.T) (*world, *scanner, Question) {
	t.Helper()
	w := over(t, config.Source{Registry: true, Keep: time.Minute})
	s := &scanner{fails: map[digest.Digest]error{}, says: map[digest.Digest]registry.Scan{}}
	w.Scan = s.scan
	q := question()
	q.Images = []gates.Platform{{Name: "linux/amd64", Digest: amd}, {Name: "linux/arm64", Digest: arm}}
	for _, p := range q.Images {
		s.says[p.Digest] = registry.Scan{State: registry.Scanned, Finished: today}
	}
	return w, s, q
}

func (w *world) about(q Question) []gates.Answer {
	return w.Ask(w.t.Context(), []string{"ci"}, q, true)
}

func TestARegistryAnswersForEachPlatform(t *testing.T) {
	w, s, q := scanning(t)
	s.says[arm] = registry.Scan{State: registry.Scanned, Finished: today, Findings: []registry.Finding{
		{ID: "CVE-1", Aliases: []string{"GHSA-1"}, Package: "openssl", Version: "3", Fixed: "3.1", Severity: "HIGH", Title: "a\x1b[31m title", URL: "javascript:alert(1)"},
		{ID: "CVE-2", Severity: "UNTRIAGED"},
		{ID: "CVE-3", Severity: "Negligible"},
		{ID: "CVE-4", Severity: "Catastrophic"},
	}}
	all := w.about(q)
	if a := w.answer(all, "linux/amd64"); !a.Scanner || a.State != gates.Passed || a.Findings == nil || a.About != amd.String() || !a.Finished.Equal(today) || a.Kind != Registry {
		t.Errorf("%+v", a)
	}
	a := w.answer(all, "linux/arm64")
	if len(a.Findings) != 4 {
		t.Fatalf("%+v", a)
	}
	f := a.Findings[0]
	if f.ID != "CVE-1" || !f.Named("ghsa-1") || f.Fixed != "3.1" || f.Severity != config.High || strings.ContainsRune(f.Title, '\x1b') || f.URL != "" {
		t.Errorf("%+v", f)
	}
	for i, want := range []config.Severity{config.High, config.Unknown, config.Negligible, config.Critical} {
		if a.Findings[i].Severity != want {
			t.Errorf("%s: %v", a.Findings[i].ID, a.Findings[i].Severity)
		}
	}
}

func TestAScanThatIsNotThereIsNoPass(t *testing.T) {
	w, s, q := scanning(t)
	s.says[amd] = registry.Scan{State: registry.Scanning}
	s.says[arm] = registry.Scan{State: registry.NoScan}
	all := w.about(q)
	if a := w.answer(all, "linux/amd64"); a.State != gates.Running || a.Scanner {
		t.Errorf("%+v", a)
	}
	if a := w.answer(all, "linux/arm64"); a.State != gates.Absent || a.Scanner {
		t.Errorf("%+v", a)
	}
}

func TestOnePlatformThatCannotBeToldIsTheErrorOfAll(t *testing.T) {
	w, s, q := scanning(t)
	s.fails[arm] = fault.New(fault.Failed, "push it again", registry.ErrUnscanned, "ECR says UNSUPPORTED_IMAGE")
	err := w.refusal(w.about(q), "linux/arm64", "UNSUPPORTED_IMAGE")
	if fault.HintOf(err) != "push it again" {
		t.Error(fault.HintOf(err))
	}
	delete(s.fails, arm)
	q.Digest = digest.FromString("another")
	if a := w.answer(w.Ask(t.Context(), []string{"ci"}, q, false), "linux/arm64"); a.State != gates.Passed {
		t.Errorf("an image that cannot be scanned says nothing about others: %+v", a)
	}
}

func TestARegistryThatRefusesIsMetOnceByAList(t *testing.T) {
	w, s, q := scanning(t)
	s.fails[amd] = fault.New(fault.Refused, "check the policy", errors.New("403"), "AWS refused the identity")
	w.refused(w.Ask(t.Context(), []string{"ci"}, q, false), "refused the identity")
	asked := s.asked
	q.Digest = digest.FromString("another")
	w.refused(w.Ask(t.Context(), []string{"ci"}, q, false), "refused the identity", "ago")
	if s.asked != asked {
		t.Errorf("asked %d times more", s.asked-asked)
	}
}

func TestAnswersOfPlatformsAreNotThoseOfOthers(t *testing.T) {
	w, s, q := scanning(t)
	w.about(q)
	asked := s.asked
	if w.answer(w.Ask(t.Context(), []string{"ci"}, q, false), "linux/arm64"); s.asked != asked {
		t.Error("a kept answer was asked for again")
	}
	q.Images = q.Images[1:]
	if all := w.Ask(t.Context(), []string{"ci"}, q, false); len(all) != 1 || s.asked != asked+1 {
		t.Errorf("%+v", all)
	}
}

func TestAnUntrustedConfigurationAsksNoRegistryForItsScan(t *testing.T) {
	w, s, q := scanning(t)
	w.trusted = false
	if err := w.refusal(w.about(q), "not trusted"); !strings.Contains(fault.HintOf(err), "plimsoll trust") || s.asked != 0 {
		t.Error(fault.HintOf(err))
	}
}
