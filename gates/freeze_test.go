package gates_test

import (
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"plimsoll/config"
	"plimsoll/gates"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// frozen judges one recurring freeze at one moment.
func frozen(t testing.TB, f config.Freeze, at time.Time) gates.Check {
	w := newWorld(t).gates(config.Gates{Freeze: []config.Freeze{f}})
	w.in.Now = at
	return check(w.judge(), gates.FreezeGate)
}

func TestAWeekendFreezeComesBackEveryWeek(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	weekend := config.Freeze{Cron: "0 17 * * FRI", For: 63 * time.Hour, Zone: berlin, Reason: "weekend"}
	for at, want := range map[string]gates.Status{
		"2026-11-27 16:59": gates.Pass,
		"2026-11-27 17:00": gates.Waiting,
		"2026-11-30 07:59": gates.Waiting,
		"2026-11-30 08:00": gates.Pass,
		// The clocks change on 25 October 2026 and on 28 March 2027; Monday still begins at 8.
		"2026-10-26 07:59": gates.Waiting,
		"2026-10-26 08:00": gates.Pass,
		"2027-03-29 07:59": gates.Waiting,
		"2027-03-29 08:00": gates.Pass,
	} {
		when, err := time.ParseInLocation("2006-01-02 15:04", at, berlin)
		if err != nil {
			t.Fatal(err)
		}
		if got := frozen(t, weekend, when); got.Status != want {
			t.Errorf("%s: %s, want %s: %v", at, got.Status, want, got.Reasons)
		}
	}
	w := newWorld(t).gates(config.Gates{Freeze: []config.Freeze{weekend}})
	w.in.Now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	w.expect(gates.FreezeGate, gates.Waiting, "until 2026-11-30 07:00 UTC", "from 2026-11-27 16:00 UTC to 2026-11-30 07:00 UTC (0 17 * * FRI, Europe/Berlin): weekend",
		"it ends in 43 h", "a rollback is always possible")
}

func TestWindowsThatFollowEachOtherAreOne(t *testing.T) {
	c := frozen(t, config.Freeze{Cron: "0 0 * * SAT,SUN", For: 24 * time.Hour}, time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC))
	if c.Summary != "until 2026-11-30 00:00 UTC" {
		t.Errorf("%s: %v", c.Summary, c.Reasons)
	}
	if c := frozen(t, config.Freeze{Cron: "* * * * *", For: 2 * time.Minute}, now); c.Status != gates.Waiting {
		t.Errorf("%+v", c)
	}
}

func TestAFreezeBeginsThoughTheClockJumpsOverIt(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	f := config.Freeze{Cron: "30 2 * * *", For: time.Hour, Zone: berlin}
	jump := time.Date(2027, 3, 28, 1, 0, 0, 0, time.UTC) // 02:00 is 03:00
	for offset, want := range map[time.Duration]gates.Status{-time.Second: gates.Pass, 0: gates.Waiting, 29 * time.Minute: gates.Waiting, 30 * time.Minute: gates.Pass} {
		if c := frozen(t, f, jump.Add(offset)); c.Status != want {
			t.Errorf("%s after the jump: %s, want %s", offset, c.Status, want)
		}
	}
	back := time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC) // 02:00 the first time; 03:00 is 02:00 again an hour later
	for offset, want := range map[time.Duration]gates.Status{29 * time.Minute: gates.Pass, 30 * time.Minute: gates.Waiting, 75 * time.Minute: gates.Waiting, 149 * time.Minute: gates.Waiting, 150 * time.Minute: gates.Pass} {
		if c := frozen(t, f, back.Add(offset)); c.Status != want {
			t.Errorf("%s after 02:00: %s, want %s", offset, c.Status, want)
		}
	}
}

func TestAnExpressionThatCannotBeReadBlocks(t *testing.T) {
	for _, expr := range []string{"every friday", "TZ=Europe/Berlin", "CRON_TZ=UTC 0 0 * * *", "@every 1h", "61 * * * *"} {
		if c := frozen(t, config.Freeze{Cron: expr, For: time.Hour}, now); c.Status != gates.Error {
			t.Errorf("%q: %+v", expr, c)
		}
	}
}

// The rule, said slowly: step through every minute in which a window may have begun.
func TestARecurringFreezeIsWhatItsExpressionSays(t *testing.T) {
	zones := []*time.Location{time.UTC, zone(t, "Europe/Berlin"), zone(t, "America/New_York"), zone(t, "Australia/Lord_Howe")}
	rapid.Check(t, func(t *rapid.T) {
		z := rapid.SampledFrom(zones).Draw(t, "zone")
		hour, minute := rapid.IntRange(5, 23).Draw(t, "hour"), rapid.IntRange(0, 59).Draw(t, "minute")
		day := rapid.IntRange(0, 6).Draw(t, "weekday")
		lasts := time.Duration(rapid.IntRange(1, 10*24*60).Draw(t, "minutes")) * time.Minute
		at := now.Add(time.Duration(rapid.IntRange(0, 366*24*60).Draw(t, "at")) * time.Minute)
		f := config.Freeze{Cron: cronOf(minute, hour, day), For: lasts, Zone: z}
		want, local := gates.Pass, at.In(z)
		for back := 0; back <= 18; back++ {
			d := local.AddDate(0, 0, -back)
			begin := time.Date(d.Year(), d.Month(), d.Day(), hour, minute, 0, 0, z)
			wall := time.Date(d.Year(), d.Month(), d.Day(), hour, minute, 0, 0, time.UTC).Add(lasts)
			end := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), 0, 0, z)
			if int(begin.Weekday()) == day && wall.Hour() >= 5 && !at.Before(begin) && at.Before(end) {
				want = gates.Waiting
			}
			if int(begin.Weekday()) == day && wall.Hour() < 5 {
				return // near a change of the clock: the tests above say what is right
			}
		}
		w := &world{in: gates.Input{Now: at}}
		w.gates(config.Gates{Freeze: []config.Freeze{f}})
		if got := check(w.judge(), gates.FreezeGate); got.Status != want {
			t.Fatalf("%s for %s in %s at %s: %s, want %s: %v", f.Cron, lasts, z, local, got.Status, want, got.Reasons)
		}
	})
}

func cronOf(minute, hour, weekday int) string {
	return strconv.Itoa(minute) + " " + strconv.Itoa(hour) + " * * " + strconv.Itoa(weekday)
}
