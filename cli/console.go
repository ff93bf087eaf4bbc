package cli

import (
	"context"

	"plimsoll/config/fault"
	"plimsoll/ui"
)

var errNoScreen = fault.New(fault.Usage, "run it on a terminal, or use a command: plimsoll --help", nil, "the console needs a terminal")

// console opens the terminal console; service is shown first, "" for the first one.
func console(ctx context.Context, s *session, service string) error {
	if s.json {
		return fault.New(fault.Usage, "use a command, for example plimsoll list -o json", nil, "the console has no JSON output")
	}
	if !s.io.Screen {
		return errNoScreen
	}
	desk, err := s.open()
	if err != nil {
		return err
	}
	var asker ui.Asker
	s.ask, s.shown = asker.Ask, true
	return ui.Run(ctx, ui.Options{
		Desk: desk, Keys: s.config.UI.Keys, Theme: s.config.UI.Theme, Service: service,
		ReadOnly: desk.ReadOnly, NoColor: s.io.env("NO_COLOR") != "",
		In: s.io.In, Out: s.io.Out, Columns: s.io.Columns, Rows: s.io.Rows, Asker: &asker, Notes: s.noted, // the screen hides what was printed before it
	})
}
