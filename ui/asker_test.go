package ui

import (
	"context"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
)

func TestASecretIsAskedInsideTheConsole(t *testing.T) {
	desk := newFake(t)
	a := new(Asker)
	if _, err := a.Ask(t.Context(), "Password: "); err == nil {
		t.Fatal("nobody can be asked without a console")
	}
	asked := make(chan tea.Msg, 1)
	a.attach(func(m tea.Msg) { asked <- m })
	got := make(chan string, 1)
	ask := func() {
		s, err := a.Ask(context.Background(), "Password of owner.key: ")
		if err != nil {
			got <- err.Error()
			return
		}
		got <- string(s)
	}
	d := start(t, desk)
	go ask()
	d.send(<-asked).press("enter", "esc").sees("a secret is needed", "Password of owner.key")
	d.now = d.now.Add(time.Second)
	d.send(tea.PasteMsg{Content: "a\tb"}).sees("one line cannot hold")
	d.press("secret-42").sees("*********").seesNot("secret-42").press("enter").seesNot("╭")
	if s := <-got; s != "secret-42" {
		t.Fatalf("got %q", s)
	}
	go ask()
	d.send(<-asked)
	d.now = d.now.Add(time.Second)
	d.press("ctrl+c").seesNot("╭")
	if s := <-got; s != errNotGiven.Error() {
		t.Fatalf("got %q", s)
	}
	go ask()
	d.send(<-asked).send(hangup{})
	if s := <-got; s != errNotGiven.Error() || !d.quit {
		t.Fatalf("got %q", s)
	}
	go ask()
	<-asked
	a.attach(nil)
	if s := <-got; s != errNotShown.Error() {
		t.Fatalf("got %q", s)
	}
	a.attach(func(m tea.Msg) { asked <- m })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Ask(ctx, "x"); err == nil {
		t.Fatal("a cancelled question was answered")
	}
	<-asked
}
