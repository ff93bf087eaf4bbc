package ui

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"plimsoll/config/fault"
)

// Options is what the console works with. Desk is required.
type Options struct {
	Desk     Backend
	Keys     map[string]string // action → key, from ui.keys
	Theme    string            // auto, dark, light, plain; "" is auto
	ReadOnly bool              // show only; writing is disabled
	NoColor  bool              // as if NO_COLOR was set
	In       io.Reader         // nil: the terminal
	Out      io.Writer         // nil: the terminal
	Service  string            // shown first; "": the only one, or all of them
	Asker    *Asker            // asks for secrets inside the console; may be nil
	Notes    []string          // said at the start, before the screen could show it: shown until dismissed
	// Columns and Rows are the size of a screen that is no terminal; zero asks
	// the terminal, which also tells when it changes.
	Columns, Rows int
}

// Run shows the console until a person quits or ctx ends. The first frame
// comes from the store, before any network answer. Whatever ends the console
// (a key, a signal, a closed terminal, a defect), Run returns only after a
// running promotion or rollback was cancelled safely or has finished. Its
// error is a usage error, the failure of an operation that nobody could see any
// more, or one of the terminal.
func Run(ctx context.Context, o Options) error { return run(ctx, o) }

func run(ctx context.Context, o Options, more ...tea.ProgramOption) error {
	keys, err := newKeymap(o.Keys)
	if err != nil {
		return err
	}
	look, err := parseTheme(o.Theme)
	if err != nil {
		return err
	}
	if err := known(o); err != nil {
		return err
	}
	colourless := o.NoColor || os.Getenv("NO_COLOR") != "" // no-color.org: any value that is not empty
	if colourless {
		look = themePlain
	}
	// The console's life ends with Run and not with ctx: ctx asks it to end.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	m := newModel(life, o, keys, look)
	m.preload(o.Desk)
	p := tea.NewProgram(m, append(programOptions(o, colourless), more...)...)
	o.Asker.attach(p.Send)
	ended := make(chan struct{})
	listening := listen(ctx, p, ended)
	_, err = p.Run()
	o.Asker.attach(nil)
	close(ended)
	<-listening
	end()
	m.workers.close(func() { waiting(o.Out, m) })
	return verdictOf(m, err)
}

// known refuses a first service that is not there.
func known(o Options) error {
	if o.Service == "" {
		return nil
	}
	var names []string
	for _, s := range o.Desk.Services() {
		if s.Name == o.Service {
			return nil
		}
		names = append(names, s.Name)
	}
	return fault.New(fault.Usage, "the services are: "+strings.Join(names, ", "), nil, "there is no service %q", o.Service)
}

func programOptions(o Options, colourless bool) []tea.ProgramOption {
	// Signals are listened to here, because Bubble Tea would quit at once and does not know SIGHUP.
	opts := []tea.ProgramOption{tea.WithFilter(guard), tea.WithoutSignalHandler()}
	if o.In != nil {
		opts = append(opts, tea.WithInput(o.In))
	}
	if o.Out != nil {
		opts = append(opts, tea.WithOutput(o.Out))
	}
	if o.Columns > 0 && o.Rows > 0 {
		opts = append(opts, tea.WithWindowSize(o.Columns, o.Rows))
	}
	if colourless {
		// Bubble Tea reads NO_COLOR as a boolean, so that NO_COLOR=yes would do nothing.
		opts = append(opts, tea.WithColorProfile(colorprofile.ASCII))
	}
	return opts
}

// guard refuses to quit while something is being written, whoever asks: it
// becomes a wish to quit as soon as that is safe.
func guard(tm tea.Model, msg tea.Msg) tea.Msg {
	m, ok := tm.(*model)
	if !ok {
		return msg
	}
	switch msg.(type) {
	case tea.QuitMsg, tea.InterruptMsg:
		if m.data.busy() != "" {
			return hangup{}
		}
	}
	return msg
}

// listen tells the program about signals and the end of ctx. A closed
// terminal (SIGHUP) would otherwise end the process in the middle of a promotion.
func listen(ctx context.Context, p *tea.Program, ended <-chan struct{}) <-chan struct{} {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, os.Interrupt)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer signal.Stop(signals)
		over := ctx.Done()
		for {
			select {
			case <-ended:
				return
			case <-signals:
			case <-over:
				over = nil
			}
			go p.Send(hangup{}) // Send waits for the loop, which may be gone
		}
	}()
	return done
}

// waiting tells why the prompt does not come back at once.
func waiting(out io.Writer, m *model) {
	if out == nil {
		out = os.Stdout
	}
	_, _ = fmt.Fprintln(out, "plimsoll: waiting until it is safe to stop: "+text(m.data.busy()))
}

// verdictOf is what Run returns: the failure of an operation that no screen
// could show any more is not lost.
func verdictOf(m *model, err error) error {
	last, seen := m.workers.last(), !m.lost
	if r := m.data.op; r != nil && !r.done() {
		seen = false
	}
	if !seen && last.err != nil {
		return fault.Join(err, fault.New(last.err.code, last.err.hint, nil, "%s of %s: %s", m.data.op.noun(), m.data.op.service, last.err.first()))
	}
	if err != nil {
		return fmt.Errorf("the console stopped: %w", err)
	}
	return nil
}
