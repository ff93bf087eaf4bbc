package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/gates"
	"plimsoll/release"
)

// answer prints v as JSON if that was asked for, else lets text write it.
func (s *session) answer(v any, text func(w io.Writer)) error {
	if s.json {
		enc := json.NewEncoder(s.io.Out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(v); err != nil {
			return fmt.Errorf("print the answer: %w", err)
		}
		return nil
	}
	var b strings.Builder
	text(&b)
	_, err := io.WriteString(s.io.Out, clean.Redact(escapeControls(b.String())))
	if err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	return nil
}

// table writes rows with aligned columns.
func table(w io.Writer, rows [][]string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(t, "\t")
			}
			fmt.Fprint(t, strings.ReplaceAll(cell, "\t", " "))
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush() // into memory
}

// short is a digest as people read it: 12 hex digits.
func short(d digest.Digest) string {
	if hex := d.Encoded(); len(hex) >= 12 {
		return hex[:12]
	}
	return d.String()
}

func shortOrNone(d *digest.Digest) string {
	if d == nil {
		return "none"
	}
	return short(*d)
}

func fullOrNone(d *digest.Digest) string {
	if d == nil {
		return "none"
	}
	return d.String()
}

// bytesText is a size for people, in powers of 1000 as registries count.
func bytesText(n int64) string {
	if n < 0 {
		return "-" + humanize.Bytes(uint64(-n))
	}
	return humanize.Bytes(uint64(n))
}

// moment is a time for people: local, with its offset.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05 -07:00")
}

func age(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return humanize.Time(*t)
}

// mark is a status as one sign and one word; the sign never stands alone.
func mark(status gates.Status) string {
	switch status {
	case gates.Pass:
		return "✓ pass"
	case gates.Fail:
		return "✗ fail"
	case gates.Needed, gates.Waiting:
		return "… " + string(status)
	case gates.NotRequired, gates.Off, gates.Missing:
		return "- " + string(status)
	case gates.Error, gates.Stale, gates.Waived:
		return "! " + string(status)
	}
	return "? " + string(status)
}

// checks writes every check with its reasons, as text that can be sent to a developer.
func checks(w io.Writer, list []gates.Check) {
	for _, c := range list {
		fmt.Fprintf(w, "  %-12s %-14s %s\n", c.Gate, mark(c.Status), c.Summary)
		for _, reason := range c.Reasons {
			fmt.Fprintf(w, "               %s\n", reason)
		}
		for _, e := range c.Evidence {
			fmt.Fprintf(w, "               evidence %s\n", e)
		}
	}
}

// outcome writes what an operation did.
func outcome(w io.Writer, o release.Outcome) {
	if o.Unchanged && o.Action == "adopt" {
		fmt.Fprintf(w, "%s: what is in prod has a record already: %s. Nothing was changed.\n", o.Service, o.Digest)
		return
	}
	if o.Unchanged {
		fmt.Fprintf(w, "%s is in prod already: %s. Nothing was changed.\n", o.Service, o.Digest)
		return
	}
	verb := map[string]string{"promote": "promoted", "rollback": "rolled back to", "adopt": "adopted"}[o.Action]
	fmt.Fprintf(w, "%s: %s %s in %.1f s\n", o.Service, verb, o.Digest, o.Seconds)
	if len(o.Overrides) > 0 {
		fmt.Fprintf(w, "  OVERRIDE %s\n", strings.Join(o.Overrides, ", "))
	}
	if len(o.RequestedBy) > 0 {
		fmt.Fprintf(w, "  for      %s\n", strings.Join(o.RequestedBy, ", "))
	}
	fmt.Fprintf(w, "  before   %s\n", fullOrNone(o.Previous))
	if len(o.Tags) > 0 {
		fmt.Fprintf(w, "  tags     %s\n", strings.Join(o.Tags, " "))
	}
	if o.Via != nil {
		fmt.Fprintf(w, "  run      %s\n", orDash(o.Via.Link))
	}
	if o.Action == "promote" && o.Via == nil {
		fmt.Fprintf(w, "  copied   %s in %d blobs, %d mounted, %d there already\n", bytesText(o.Copied.Bytes), o.Copied.Blobs, o.Copied.Mounted, o.Copied.Skipped)
		fmt.Fprintf(w, "  evidence %d of %d arrived, %d left behind\n", o.Referrers.Arrived, o.Referrers.Expected, len(o.Referrers.LeftBehind))
		for _, d := range o.Referrers.LeftBehind {
			fmt.Fprintf(w, "           left behind %s\n", d)
		}
	}
	if o.Quarantined != nil {
		fmt.Fprintf(w, "  quarantined %s; to lift it: plimsoll quarantine %s %s --lift --reason TEXT\n", *o.Quarantined, o.Service, *o.Quarantined)
	}
	fmt.Fprintf(w, "  record   %s\n", fullOrNone(o.Record))
	for _, warning := range o.Warnings {
		fmt.Fprintf(w, "  warning  %s\n", warning)
	}
}
