package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plimsoll/config/fault"
	"plimsoll/release"
)

func newHistory(s *session) *cobra.Command {
	var at string
	var stats bool
	cmd := &cobra.Command{
		Use:     "history [SERVICE]",
		GroupID: "look",
		Short:   "What was promoted and rolled back, by whom, newest first",
		Example: `  plimsoll history chat-api
  plimsoll history --at 2026-11-20T14:00:00Z     what was in prod then
  plimsoll history --at -2h
  plimsoll history --stats`,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: s.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			service := ""
			if len(args) == 1 {
				service = args[0]
			}
			return s.history(cmd.Context(), service, at, stats)
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "what was in prod at this `time`: RFC 3339, 2026-11-20 14:00 local, or -2h")
	cmd.Flags().BoolVar(&stats, "stats", false, "how often and how fast")
	cmd.MarkFlagsMutuallyExclusive("at", "stats")
	return cmd
}

func (s *session) history(ctx context.Context, service, at string, stats bool) error {
	desk, err := s.open()
	if err != nil {
		return err
	}
	var entries []release.Entry
	if at != "" {
		when, parseErr := parseMoment(at, time.Now())
		if parseErr != nil {
			return parseErr
		}
		entries, err = desk.HistoryAt(ctx, service, when)
	} else {
		entries, err = desk.History(ctx, service)
	}
	if fault.CodeOf(err) == fault.Usage || err != nil && len(entries) == 0 {
		return err
	}
	if err != nil {
		s.note("%v; this is what the machine remembers", err)
	}
	if entries == nil {
		entries = []release.Entry{}
	}
	if stats {
		figures := statistics(entries)
		return s.answer(figures, func(w io.Writer) { figures.text(w) })
	}
	printed := s.answer(entries, func(w io.Writer) { historyText(w, entries) })
	if err != nil {
		return fault.Join(printed, &reported{fault.New(fault.Failed, "", err, "the ledger could not be read")})
	}
	return printed
}

// parseMoment reads a time of --at: RFC 3339, local time, or an age such as -2h.
func parseMoment(text string, now time.Time) (time.Time, error) {
	if strings.HasPrefix(text, "-") {
		if d, err := time.ParseDuration(text); err == nil {
			return now.Add(d), nil
		}
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fault.New(fault.Usage, "write it as 2026-11-20T14:00:00Z, 2026-11-20 14:00 (local) or -2h", nil, "--at %q is no time", text)
}

func historyText(w io.Writer, entries []release.Entry) {
	if len(entries) == 0 {
		fmt.Fprintln(w, "no records: nothing was promoted yet; plimsoll adopt SERVICE records what is in prod already")
		return
	}
	rows := [][]string{{"AT", "SERVICE", "ACTION", "DIGEST", "BEFORE", "BY", "RECORD", "REASON"}}
	for _, e := range entries {
		proof := "✓ verified"
		if !e.Verified {
			proof = "! " + orDash(e.Problem)
		} else if e.Problem != "" {
			proof += ", " + e.Problem
		}
		reason := e.Reason
		if len(e.Overrides) > 0 {
			reason = fmt.Sprintf("OVERRIDE %s by %s: %s", strings.Join(e.Overrides, ","), e.Actor, reason)
		}
		rows = append(rows, []string{moment(e.At), e.Service, e.Action, short(e.Digest), shortOrNone(e.Previous), e.Who(), proof, reason})
	}
	table(w, rows)
}

// figure is how often an action was done and how fast, in seconds.
type figure struct {
	Action string  `json:"action"`
	Count  int     `json:"count"`
	P50    float64 `json:"p50Seconds"`
	P95    float64 `json:"p95Seconds"`
	Max    float64 `json:"maxSeconds"`
}

type figures []figure

// statistics counts verified entries by action.
func statistics(entries []release.Entry) figures {
	seconds := map[string][]float64{}
	for _, e := range entries {
		if e.Verified {
			seconds[e.Action] = append(seconds[e.Action], e.Seconds)
		}
	}
	list := make(figures, 0, len(seconds))
	for action, all := range seconds {
		slices.Sort(all)
		list = append(list, figure{Action: action, Count: len(all), P50: quantile(all, 50), P95: quantile(all, 95), Max: all[len(all)-1]})
	}
	slices.SortFunc(list, func(a, b figure) int { return strings.Compare(a.Action, b.Action) })
	return list
}

// quantile is the nearest-rank percentile of sorted values.
func quantile(sorted []float64, percent int) float64 {
	rank := (len(sorted)*percent + 99) / 100
	return sorted[max(rank, 1)-1]
}

func (f figures) text(w io.Writer) {
	rows := make([][]string, 0, len(f)+1)
	rows = append(rows, []string{"ACTION", "COUNT", "P50", "P95", "MAX"})
	for _, a := range f {
		rows = append(rows, []string{a.Action, fmt.Sprint(a.Count), fmt.Sprintf("%.1f s", a.P50), fmt.Sprintf("%.1f s", a.P95), fmt.Sprintf("%.1f s", a.Max)})
	}
	table(w, rows)
}
