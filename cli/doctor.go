package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/release"
	"plimsoll/release/doctor"
)

func newDoctor(s *session) *cobra.Command {
	var asCI string
	var promotion bool
	cmd := &cobra.Command{
		Use:     "doctor [SERVICE]",
		GroupID: "setup",
		Short:   "Prove who can write prod, what is kept there, and what can be believed",
		Long: `Doctor looks into every service, or one, and lists facts: ok, warning, broken, or unknown
with the reason. None is guessed: what an identity may write is proved by an upload that
is opened and cancelled at once, or by the registry's refusal.

The promotion identity is asked for only with --with-promote, or after a question on a
terminal: that may activate a role. Each use is noted in the audit chain, and the
credential is dropped at the end.

--as-ci names the environment variable that holds CI's credential: user:password, or a
bearer token of the registry. It is sent to staging and to prod, and never printed.

Exit code 1 if anything is broken. docs/doctor.md explains every fact.`,
		Example: "  plimsoll doctor\n  plimsoll doctor chat-api --with-promote\n  CI_LOGIN=robot:password plimsoll doctor --as-ci CI_LOGIN -o json | jq '.services[].facts[] | select(.status==\"broken\")'",
		Args:    cobra.MaximumNArgs(1), ValidArgsFunction: s.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.doctor(cmd.Context(), strings.Join(args, ""), asCI, promotion)
		},
	}
	cmd.Flags().StringVar(&asCI, "as-ci", "", "environment `variable` with CI's credential, user:password or a token of the registry")
	cmd.Flags().BoolVar(&promotion, "with-promote", false, "ask for the promotion identity, too, without a question")
	return cmd
}

func (s *session) doctor(ctx context.Context, service, asCI string, promotion bool) error {
	request := release.DoctorRequest{Promotion: promotion}
	if asCI != "" {
		value, ok := s.io.Env(asCI)
		if !ok || value == "" {
			return fault.New(fault.Usage, "set it to user:password, or to a bearer token of the registry", nil, "--as-ci: the environment variable %s is not set", clean.Text(asCI))
		}
		clean.Secret(value)
		request.CI = value
	}
	desk, err := s.examining()
	if err != nil {
		return err
	}
	if !promotion {
		if request.Promotion, err = s.mayPromote(ctx, desk, service); err != nil {
			return err
		}
	}
	report, err := desk.Doctor(ctx, service, request)
	if err != nil {
		return err
	}
	if err := s.answer(report, func(w io.Writer) { doctorText(w, report) }); err != nil {
		return err
	}
	if report.Broken > 0 {
		return &reported{fault.New(fault.Failed, "", nil, "%d broken", report.Broken)}
	}
	return nil
}

// examining opens the desk for doctor: with the real identities or not at all.
func (s *session) examining() (*release.Desk, error) {
	if s.flags.readOnly {
		return s.open()
	}
	return s.writing()
}

// mayPromote asks a person whether the promotion identity may be used, if there
// is one and somebody to ask.
func (s *session) mayPromote(ctx context.Context, desk *release.Desk, service string) (bool, error) {
	if s.json || s.flags.yes || s.flags.readOnly || !s.io.Terminal {
		return false, nil
	}
	var of []string
	for _, sv := range desk.Services() {
		host, _, _ := strings.Cut(sv.Prod, "/")
		if (service == "" || service == sv.Name) && desk.Config.Registry(host).Promote != nil {
			of = append(of, sv.Name)
		}
	}
	if len(of) == 0 {
		return false, nil
	}
	err := s.confirm(ctx, fmt.Sprintf("Try the promotion identity of %s, too? It may activate a role; it opens uploads and cancels them.", strings.Join(of, ", ")))
	if errors.Is(err, errDeclined) {
		return false, nil
	}
	return err == nil, err
}

// doctorText writes the facts of every service by area, and at the end what to do first.
func doctorText(w io.Writer, r doctor.Report) {
	for i, s := range r.Services {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, s.Service)
		for _, area := range doctor.Areas() {
			areaText(w, area, s.Facts)
		}
	}
	if r.Broken+r.Warnings == 0 {
		fmt.Fprintln(w, "\neverything is as it should be")
		return
	}
	fmt.Fprintf(w, "\n%d broken, %d %s\n", r.Broken, r.Warnings, plural(r.Warnings, "warning"))
	for _, status := range [][]doctor.Status{{doctor.Broken}, {doctor.Warning, doctor.Unknown}} {
		summaryText(w, r, status)
	}
}

// areaText writes the facts of one area of a service.
func areaText(w io.Writer, area string, facts []doctor.Fact) {
	first := true
	for _, f := range facts {
		if doctor.AreaOf(f.ID) != area {
			continue
		}
		if first {
			fmt.Fprintf(w, "  %s\n", area)
			first = false
		}
		wrapped(w, "    "+doctorSign(f.Status)+" ", f.Summary)
		if f.Status == doctor.OK {
			continue
		}
		subject := f.Subject
		if strings.Contains(f.Summary, subject) {
			subject = ""
		}
		wrapped(w, "      ", strings.TrimSpace(f.ID+" "+subject))
		wrapped(w, "      ", f.Detail)
		wrapped(w, "      → ", f.Hint)
	}
}

// summaryText lists what has one of the statuses, of all services.
func summaryText(w io.Writer, r doctor.Report, wanted []doctor.Status) {
	for _, s := range r.Services {
		for _, f := range s.Facts {
			for _, status := range wanted {
				if f.Status == status {
					wrapped(w, "  "+doctorSign(f.Status)+" "+s.Service+" "+f.ID+": ", f.Summary)
				}
			}
		}
	}
}

func doctorSign(s doctor.Status) string {
	switch s {
	case doctor.OK:
		return "✓"
	case doctor.Warning:
		return "!"
	case doctor.Broken:
		return "✗"
	case doctor.Unknown:
	}
	return "?"
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

// doctorWidth is what a line may take of a terminal of 80 columns.
const doctorWidth = 79

// wrapped writes text behind a lead, and what does not fit below it, indented as
// the lead begins its words. Nothing is written without text.
func wrapped(w io.Writer, lead, text string) {
	if text == "" {
		return
	}
	indent := strings.Repeat(" ", len(lead)-len(strings.TrimLeft(lead, " "))+2)
	line, empty := lead, true
	for _, word := range strings.Fields(text) {
		if !empty && len([]rune(line))+1+len([]rune(word)) > doctorWidth {
			fmt.Fprintln(w, line)
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	fmt.Fprintln(w, line)
}
