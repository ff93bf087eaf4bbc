package ui

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
)

// Asker lets what runs below the console ask the person for a secret, such as
// the password of a signing key. Anything else that reads the terminal while
// the console has it would take its keys. Safe for concurrent use.
type Asker struct {
	mu   sync.Mutex
	send func(tea.Msg) // nil: no console is shown
	gone chan struct{} // closed when the console ends
}

// Why a secret is missing, and how long a dialog that opens by itself is deaf to what ends it.
var (
	errNotShown  = errors.New("the console is not shown, so nobody can be asked")
	errNotGiven  = errors.New("it was not given")
	secretsQuiet = 400 * time.Millisecond // keys that were meant for something else
)

// Ask shows a dialog with the prompt and waits for what is typed into it, or
// for the end of ctx.
func (a *Asker) Ask(ctx context.Context, prompt string) ([]byte, error) {
	a.mu.Lock()
	send, gone := a.send, a.gone
	a.mu.Unlock()
	if send == nil {
		return nil, errNotShown
	}
	reply := make(chan []byte, 1)
	go send(wanted{prompt: text(prompt), reply: reply}) // it waits for the loop, which may be gone
	select {
	case secret, ok := <-reply:
		if !ok {
			return nil, errNotGiven
		}
		return secret, nil
	case <-gone:
		return nil, errNotShown
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// attach says where questions go; nil when the console ends, which also ends
// the questions that nobody answered.
func (a *Asker) attach(send func(tea.Msg)) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.send = send
	if a.gone != nil {
		close(a.gone)
	}
	a.gone = nil
	if send != nil {
		a.gone = make(chan struct{})
	}
}

// wanted asks for a secret; a closed reply means that it was not given.
type wanted struct {
	prompt string
	reply  chan<- []byte
}

// secretDialog takes a secret. It opens by itself, so it first ignores keys
// that would end it.
type secretDialog struct {
	wanted
	typed  input
	said   string // why the latest paste did nothing
	opened time.Time
}

func (s secretDialog) key(k tea.KeyPressMsg, d *data) (dialog, intent) {
	switch k.String() {
	case "enter", "esc":
		if k.IsRepeat || d.now.Sub(s.opened) < secretsQuiet {
			return s, nil
		}
		if k.String() == "enter" {
			s.reply <- []byte(s.typed.text()) // it has room for one
		}
		return s, closeDialog{}
	}
	s.typed = s.typed.key(k)
	return s, nil
}

func (s secretDialog) paste(p string) dialog {
	p = strings.TrimRight(p, "\r\n")
	before := len([]rune(s.typed.text()))
	typed := s.typed.put(p) // as it is: cleaning would change it
	s.said = ""
	if !strings.Contains(typed.text(), p) || len([]rune(typed.text())) != before+len([]rune(p)) {
		s.said = "what was pasted is too long, or has a character that one line cannot hold"
		return s
	}
	s.typed = typed
	return s
}

func (s secretDialog) view(_ *data, st *styles, at extent) string {
	fixed := []string{"", s.typed.view(st, true, boxWidth(at)), st.paint(bad, s.said), keyHints(st, "enter", "go on", "esc", "do not give it")}
	return box(st, "a secret is needed", []line{say(plain, "%s", s.prompt)}, pager{}, fixed, at)
}
