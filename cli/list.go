package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/release"
)

func newList(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "list [SERVICE]",
		Aliases: []string{"ls"},
		GroupID: "look",
		Short:   "Candidates of staging with their checks, and what is in prod",
		Example: "  plimsoll list\n  plimsoll list chat-api -o json | jq '.services[0].candidates[] | select(.verdict==\"ready\").digest'",
		Args:    cobra.MaximumNArgs(1), ValidArgsFunction: s.completeService,
		RunE: func(cmd *cobra.Command, args []string) error { return s.list(cmd.Context(), args) },
	}
}

func (s *session) list(ctx context.Context, args []string) error {
	desk, err := s.open()
	if err != nil {
		return err
	}
	names := args
	if len(args) == 0 {
		for _, service := range desk.Services() {
			names = append(names, service.Name)
		}
	}
	views, errs := make([]release.ServiceView, len(names)), make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() { views[i], errs[i] = desk.List(ctx, name) })
	}
	wg.Wait()
	failed := fault.Join(errs...)
	if len(args) == 1 && fault.CodeOf(failed) == fault.Usage {
		return failed // the service is not there
	}
	err = s.answer(map[string]any{"services": views}, func(w io.Writer) {
		for i, v := range views {
			if i > 0 {
				fmt.Fprintln(w)
			}
			listText(w, v)
		}
	})
	if err == nil && failed != nil {
		return &reported{listFailed(failed)}
	}
	return err
}

// listFailed keeps exit code 1 for a list in which a service could not be read.
func listFailed(err error) error {
	return fault.New(fault.Failed, "", err, "at least one service could not be read")
}

func listText(w io.Writer, v release.ServiceView) {
	fmt.Fprintf(w, "%s  %s → %s\n", v.Service, v.Staging, v.Prod.Reference)
	if v.Prod.Digest != nil {
		fmt.Fprintf(w, "in prod  %s  %s  for %s by %s\n", strings.Join(v.Prod.Tags, " "), short(*v.Prod.Digest), strings.TrimSuffix(age(v.Prod.Since), " ago"), orDash(v.Prod.Who()))
	} else if v.Error == "" {
		fmt.Fprintln(w, "in prod  none")
	}
	for _, warning := range v.Warnings {
		fmt.Fprintf(w, "warning  %s\n", warning)
	}
	if v.Error != "" {
		fmt.Fprintf(w, "error    %s\n", v.Error)
		if v.Hint != "" {
			fmt.Fprintf(w, "  →      %s\n", v.Hint)
		}
	}
	if len(v.Candidates) == 0 {
		if v.Error == "" {
			fmt.Fprintln(w, "no candidates: staging has no tag that candidates.tags selects")
		}
		return
	}
	columns := askedGates(v.Candidates)
	head := []string{"CANDIDATE", "TAGS", "SIZE", "VERDICT"}
	for _, gate := range columns {
		head = append(head, strings.ToUpper(gate))
	}
	rows := [][]string{append(head, "CREATED")}
	for _, c := range v.Candidates {
		rows = append(rows, candidateRow(c, columns))
	}
	table(w, rows)
	if v.Total > len(v.Candidates) {
		fmt.Fprintf(w, "%d of %d; candidates.limit shows more\n", len(v.Candidates), v.Total)
	}
}

// askedGates are the gates that ask something of at least one candidate; the
// others would be columns of dashes.
func askedGates(candidates []release.Candidate) []string {
	var names []string
	for _, c := range candidates {
		for _, check := range c.Checks {
			if check.Status != gates.NotRequired && !slices.Contains(names, check.Gate) {
				names = append(names, check.Gate)
			}
		}
	}
	order := []string{gates.E2E, gates.Scan, gates.BaseImage, gates.SignOff}
	slices.SortStableFunc(names, func(a, b string) int { return place(order, a) - place(order, b) })
	return names
}

func place(order []string, name string) int {
	if i := slices.Index(order, name); i >= 0 {
		return i
	}
	return len(order)
}

func candidateRow(c release.Candidate, columns []string) []string {
	row := []string{short(c.Digest), strings.Join(c.Tags, " "), sizeText(c), string(c.Verdict)}
	if c.Error != "" {
		row[3] = "error: " + c.Error
	}
	for _, gate := range columns {
		cell := "-"
		if i := slices.IndexFunc(c.Checks, func(check gates.Check) bool { return check.Gate == gate }); i >= 0 {
			cell = checkCell(c.Checks[i])
		}
		row = append(row, cell)
	}
	return append(row, age(c.Created))
}

// checkCell is a check in a table: its sign and its summary.
func checkCell(c gates.Check) string {
	sign, _, _ := strings.Cut(mark(c.Status), " ")
	switch {
	case c.Summary == "":
		return sign + " " + string(c.Status)
	case c.Status == gates.Stale || c.Status == gates.Error || c.Status == gates.Waived:
		return sign + " " + string(c.Status) + " " + c.Summary
	}
	return sign + " " + c.Summary
}

func sizeText(c release.Candidate) string {
	if c.Verdict == gates.InProd {
		return bytesText(c.SizeBytes)
	}
	return bytesText(c.SizeBytes) + " (+" + bytesText(c.AddedBytes) + ")"
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
