package gates

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"plimsoll/config"
)

// window is a stretch of time in which nothing is promoted: from it, up to
// before its end.
type window struct {
	from, to time.Time
	note     string // for people
}

// maxJoined is how many windows that follow each other without a gap are taken
// for one: a year of days.
const maxJoined = 370

// windowAt is the window of a freeze that covers now.
func windowAt(f config.Freeze, now time.Time) (w window, frozen bool, err error) {
	if f.Cron == "" {
		return window{from: f.From, to: f.To}, !now.Before(f.From) && now.Before(f.To), nil
	}
	s, err := parseCron(f.Cron)
	if err != nil {
		return window{}, false, err
	}
	zone := f.Zone
	if zone == nil {
		zone = time.UTC
	}
	c := calendar{s, f.For, zone}
	begun, ok := c.latest(now)
	if !ok {
		return window{}, false, nil
	}
	w = c.window(begun)
	if !now.Before(w.to) {
		return window{}, false, nil
	}
	w.note = " (" + f.Cron + ", " + zone.String() + ")"
	return c.joined(w, begun), true, nil
}

// parseCron reads five fields. What has a zone of its own is refused (the zone
// has its own key), and so is @every, which has no beginning.
func parseCron(expr string) (cron.Schedule, error) {
	switch {
	case strings.Contains(expr, "="):
		return nil, errors.New("the time zone has a key of its own: zone")
	case strings.HasPrefix(expr, "@"):
		return nil, errors.New("five fields are asked for: minute, hour, day, month, weekday")
	}
	s, err := cron.ParseStandard(expr)
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	return s, nil
}

// calendar is a recurring window. A calendar counts by the clock on the wall,
// written here as a time in UTC: a window of 63 hours from Friday 17:00 ends on
// Monday at 08:00, also where a clock changes in between.
type calendar struct {
	schedule cron.Schedule
	lasts    time.Duration
	zone     *time.Location
}

// latest is the wall time of the latest beginning at or before now. A window
// may be longer than the time between two, so only the latest can end last.
func (c calendar) latest(now time.Time) (time.Time, bool) {
	wall := now.In(c.zone)
	end := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, time.UTC)
	const margin = 26 * time.Hour // a change of the clock, with room
	start := end.Add(-c.lasts - margin)
	begun := func(after time.Time) bool {
		next := c.schedule.Next(after)
		return !next.IsZero() && !c.instant(next, false).After(now)
	}
	if !begun(start) {
		return time.Time{}, false
	}
	// Beginnings rise with the second after which they are looked for: find the
	// last second after which there is still one that has begun.
	span := int(end.Add(margin).Sub(start) / time.Second)
	n := sort.Search(span, func(i int) bool { return !begun(start.Add(time.Duration(i) * time.Second)) })
	return c.schedule.Next(start.Add(time.Duration(n-1) * time.Second)), true
}

// window is the one that begins at a wall time.
func (c calendar) window(wall time.Time) window {
	return window{from: c.instant(wall, false), to: c.instant(wall.Add(c.lasts), true)}
}

// joined adds the windows that begin before w ends.
func (c calendar) joined(w window, begun time.Time) window {
	for range maxJoined {
		next := c.schedule.Next(begun)
		if next.IsZero() {
			return w
		}
		following := c.window(next)
		if following.from.After(w.to) {
			return w
		}
		w.to, begun = following.to, next
	}
	w.note += ", at least"
	return w
}

// instant is the moment at which the clock on the wall shows a time: of two
// moments the first, or the last; of none, when the clock jumps over it.
func (c calendar) instant(wall time.Time, last bool) time.Time {
	var moments []time.Time
	for _, near := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		_, offset := wall.Add(near).In(c.zone).Zone()
		at := wall.Add(-time.Duration(offset) * time.Second)
		if _, is := at.In(c.zone).Zone(); is == offset {
			moments = append(moments, at)
		}
	}
	switch {
	case len(moments) == 0:
		_, offset := wall.Add(24 * time.Hour).In(c.zone).Zone()
		before := wall.Add(-time.Duration(offset) * time.Second).In(c.zone)
		if _, jump := before.ZoneBounds(); !jump.IsZero() {
			return jump.UTC()
		}
		return before.UTC()
	case last:
		return moments[len(moments)-1].UTC()
	}
	return moments[0].UTC()
}
