package store

import (
	"slices"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"pgregory.net/rapid"
)

const stagingChannel = "staging.example.com/chat:staging"

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func openIn(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// see observes and gives the stay of a digest.
func see(t *testing.T, s *Store, now string, after time.Duration, of string) (Stay, bool) {
	t.Helper()
	var dg digest.Digest
	if now != "" {
		dg = digest.FromString(now)
	}
	stays, err := s.Observe(stagingChannel, dg, noon.Add(after))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(stays, func(st Stay) bool { return st.Digest == digest.FromString(of) })
	if i < 0 {
		return Stay{}, false
	}
	return stays[i], true
}

func TestADigestCountsFromWhenItWasFirstSeenAcrossRuns(t *testing.T) {
	dir := t.TempDir()
	see(t, openIn(t, dir), "one", 0, "one")
	got, ok := see(t, openIn(t, dir), "one", 3*time.Hour, "one")
	if !ok || !got.Since.Equal(noon) || !got.Until.IsZero() {
		t.Errorf("%+v", got)
	}
}

func TestADigestThatCameBackCountsFromItsLastArrival(t *testing.T) {
	s := openIn(t, t.TempDir())
	see(t, s, "one", 0, "one")
	if got, _ := see(t, s, "two", time.Hour, "one"); !got.Until.Equal(noon.Add(time.Hour)) || !got.Since.Equal(noon) {
		t.Errorf("it left: %+v", got)
	}
	if got, _ := see(t, s, "one", 2*time.Hour, "one"); !got.Since.Equal(noon.Add(2*time.Hour)) || !got.Until.IsZero() {
		t.Errorf("it came back: %+v", got)
	}
}

func TestATagThatWasDeletedEndsAStay(t *testing.T) {
	s := openIn(t, t.TempDir())
	see(t, s, "one", 0, "one")
	if got, _ := see(t, s, "", time.Hour, "one"); got.Until.IsZero() {
		t.Errorf("%+v", got)
	}
	if got, _ := see(t, s, "one", 2*time.Hour, "one"); !got.Since.Equal(noon.Add(2 * time.Hour)) {
		t.Errorf("%+v", got)
	}
}

func TestAClockThatWentBackMakesAStayNoLonger(t *testing.T) {
	s := openIn(t, t.TempDir())
	see(t, s, "one", 24*time.Hour, "one") // the clock was a day ahead
	if got, _ := see(t, s, "one", 0, "one"); !got.Since.Equal(noon) {
		t.Errorf("%+v", got)
	}
	if got, _ := see(t, s, "one", time.Minute, "one"); !got.Since.Equal(noon) {
		t.Errorf("%+v", got)
	}
}

// TestAStayIsNeverInTheFutureOrLongerThanSeen holds for any walk of the clock.
func TestAStayIsNeverInTheFutureOrLongerThanSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var earliest time.Time // since the digest of now was there without a break
		var before digest.Digest
		var stays []Stay
		for range rapid.IntRange(1, 20).Draw(t, "observations") {
			at := noon.Add(time.Duration(rapid.IntRange(-100, 100).Draw(t, "minutes")) * time.Minute)
			dg := digest.FromString(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "digest"))
			if dg != before || at.Before(earliest) {
				earliest = at
			}
			before = dg
			stays, _ = arrive(stays, dg, at)
			last := stays[len(stays)-1]
			if last.Digest != dg || last.Since.After(at) || last.Since.Before(earliest) || !last.Until.IsZero() {
				t.Fatalf("%+v at %s, there since %s", last, at, earliest)
			}
		}
	})
}
