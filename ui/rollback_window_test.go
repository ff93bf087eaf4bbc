package ui

import (
	"testing"
	"time"

	"plimsoll/release"
)

func TestTheWindowOfARollbackTargetEndsWhereTheRegistryDeletesIt(t *testing.T) {
	now := time.Date(2026, 11, 24, 5, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	at := func(d time.Duration) *time.Time { u := now.Add(d); return &u }
	for name, c := range map[string]struct {
		target release.Target
		window time.Duration
		want   string
	}{
		"by the service":          {release.Target{At: now.Add(-6 * day)}, 90 * day, "84 d left"},
		"the registry is quicker": {release.Target{At: now.Add(-6 * day), Until: at(34 * day)}, 90 * day, "34 d left"},
		"the registry is slower":  {release.Target{At: now.Add(-6 * day), Until: at(300 * day)}, 90 * day, "84 d left"},
		"the registry is done":    {release.Target{At: now.Add(-6 * day), Until: at(-day)}, 90 * day, "over"},
		"only the registry":       {release.Target{Until: at(3 * day)}, 0, "3 d left"},
		"nobody says":             {release.Target{}, 0, "-"},
	} {
		if got := windowLeft(now, c.target, c.window); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
