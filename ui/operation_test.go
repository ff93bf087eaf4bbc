package ui

import (
	"context"
	"errors"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"plimsoll/config/fault"
	"plimsoll/release"
)

// scripted is an operation that reports what the test says, and ends when it says so.
type scripted struct {
	report chan release.Progress
	end    chan error
}

// script makes promote and rollback wait for the test.
func script(desk *fake) scripted {
	s := scripted{report: make(chan release.Progress), end: make(chan error, 1)}
	desk.operate = func(ctx context.Context, report func(release.Progress)) (release.Outcome, error) {
		moved := false
		for {
			cancelled := ctx.Done()
			if moved {
				cancelled = nil // as the desk: after the move it finishes
			}
			select {
			case p := <-s.report:
				moved = p.Moved
				report(p)
			case err := <-s.end:
				return release.Outcome{Action: "promote", Service: "chat-api", Digest: ready0}, err
			case <-cancelled:
				return release.Outcome{}, fault.New(fault.Failed, "", ctx.Err(), "cancelled before the channel moved")
			}
		}
	}
	return s
}

// promoting is a console in the middle of a promotion that has reported p.
func promoting(t *testing.T, desk *fake, p release.Progress) (*driver, scripted) {
	t.Helper()
	s := script(desk)
	d := start(t, desk)
	d.press("p", "chat-api")
	d.stop = func() bool { return d.m.data.op != nil && len(d.m.data.op.progress.Steps) > 0 }
	go func() { s.report <- p }()
	d.press("enter")
	return d, s
}

// over lets the operation end and the console see it.
func over(d *driver) {
	d.stop = nil
	d.drain()
}

func TestAPromotionShowsStepsBytesAndBars(t *testing.T) {
	d, s := promoting(t, newFake(t), copying())
	d.sees("promotion of chat-api", "✓ evaluate the gates", "… copy the image", "- move the channel")
	d.sees("64 MB of 192 MB", "2 of 4 blobs done, 20 MB crossed the wire", "12 MB of 130 MB", "10 MB waiting")
	d.sees("prod has not changed yet; it can still be cancelled")
	d.now = d.now.Add(2 * time.Second)
	more := copying()
	more.Copy.Bytes = 96_000_000
	d.send(operationNews{id: 1, progress: more}).sees("96 MB of 192 MB  16 MB/s  6.0 s left", "elapsed     2.0 s")
	d.now = d.now.Add(hour)
	s.end <- nil
	over(d)
	d.sees("✓ promoted chat-api to 7be144c09a1f in 1:00 h", "✓ move the channel").seesNot("64 MB")
}

func TestAPromotionCanBeCancelledUntilTheChannelMoves(t *testing.T) {
	d, _ := promoting(t, newFake(t), copying())
	d.press("c").sees("cancel it", "Prod has not changed").press("enter").sees("cancel it").press("esc").seesNot("╭")
	d.press("c", "y").sees("being cancelled; prod has not changed")
	d.press("c").sees("cancel is not possible now: it is being cancelled")
	over(d)
	d.sees("! cancelled, prod is unchanged: cancelled before the channel moved")
}

func TestAfterTheMoveItCanNoLongerBeCancelled(t *testing.T) {
	moved := copying()
	moved.Index, moved.Moved, moved.Copy = 6, true, nil
	d, s := promoting(t, newFake(t), moved)
	d.sees("the channel has moved: it can no longer be cancelled").press("c").seesNot("╭")
	d.press("q").sees("quit when it is finished", "can no longer be cancelled: Plimsoll finishes it first").press("y")
	d.sees("quitting as soon as it is safe")
	if d.quit {
		t.Fatal("it quit in the middle")
	}
	s.end <- nil
	over(d)
	if !d.quit {
		t.Fatal("it did not quit when it was finished")
	}
}

func TestAnUnfinishedOperationDoesNotQuitUnseen(t *testing.T) {
	moved := copying()
	moved.Moved = true
	d, s := promoting(t, newFake(t), moved)
	d.press("q", "y")
	s.end <- fault.New(fault.Unfinished, "run the same command again", nil, "the completion could not be written")
	over(d)
	if d.quit {
		t.Fatal("it quit although a person has to know")
	}
	d.sees("prod has moved, but a later step is unfinished: the completion could not be written")
}

func TestQuitBeforeTheMoveCancelsFirst(t *testing.T) {
	d, _ := promoting(t, newFake(t), copying())
	d.press("ctrl+c").sees("cancel it and quit").press("esc").seesNot("╭").press("q", "y")
	over(d)
	if !d.quit {
		t.Fatal("it did not quit")
	}
}

func TestASignalDuringAnOperationWaitsForItsEnd(t *testing.T) {
	for name, msg := range map[string]tea.Msg{"signal": hangup{}, "quit": tea.QuitMsg{}, "interrupt": tea.InterruptMsg{}} {
		t.Run(name, func(t *testing.T) {
			moved := copying()
			moved.Moved = true
			d, s := promoting(t, newFake(t), moved)
			d.send(msg)
			if d.quit {
				t.Fatal("it quit in the middle")
			}
			s.end <- errors.New("the end")
			over(d)
			if !d.quit {
				t.Fatal("it did not quit although nobody can see it any more")
			}
		})
	}
}

func TestNothingElseIsWrittenMeanwhile(t *testing.T) {
	desk := newFake(t)
	d, s := promoting(t, desk, copying())
	d.press("esc").sees("the promotion of chat-api to 7be144c09a1f is running (o shows it)")
	for _, key := range []string{"p", "a", "x"} {
		d.press(key).sees("is not possible now: wait: the promotion of chat-api").seesNot("╭")
	}
	d.press("o").sees("copy the image")
	s.end <- nil
	over(d)
}

func TestAPanicInAnOperationIsAnError(t *testing.T) {
	desk := newFake(t)
	desk.operate = func(context.Context, func(release.Progress)) (release.Outcome, error) { panic("a defect") }
	start(t, desk).press("p", "chat-api", "enter").sees("the promotion broke off", "internal error, please report it: a defect")
}

func TestAPanicInAQuestionIsAnError(t *testing.T) {
	desk := newFake(t)
	desk.lists = nil
	desk.diffErr = errors.New("the manifest is gone")
	d := start(t, desk)
	d.send(openScreenMsg(d, diffScreen{of: "chat-api", to: ready0})).sees("could not be compared", "the manifest is gone")
}

// openScreenMsg opens a screen from a test and gives its first message.
func openScreenMsg(d *driver, s screen) tea.Msg {
	cmd := d.m.act(openScreen{s})
	d.inside.Add(1)
	defer d.inside.Add(-1)
	return cmd()
}

func TestTheNewestReportWins(t *testing.T) {
	news := make(chan release.Progress, 1)
	for i := range 5 {
		newest(news, release.Progress{Index: i})
	}
	if got := (<-news).Index; got != 4 {
		t.Fatalf("got report %d", got)
	}
}

func TestReportsKeepTheirPace(t *testing.T) {
	news, done := make(chan release.Progress, 1), make(chan operationDone, 1)
	news <- release.Progress{}
	first, ok := watch(1, news, done, time.Hour, time.Time{})().(operationNews)
	if !ok {
		t.Fatal("the first report waits")
	}
	news <- release.Progress{}
	done <- operationDone{id: 1}
	if _, ok := first.next().(operationDone); !ok {
		t.Fatal("the end has to wait for the pace of the reports")
	}
}

func TestFewReportsPassButEveryStep(t *testing.T) {
	pass := &turnstile{pace: time.Hour}
	got := ""
	for _, p := range []release.Progress{{Index: 0}, {Index: 0}, {Index: 1}, {Index: 1}, {Index: 1, Moved: true}, {Index: 1, Moved: true}} {
		if pass.lets(p) {
			got += "x"
		} else {
			got += "-"
		}
	}
	if got != "x-x-x-" {
		t.Fatal(got)
	}
}

func TestNothingIsDrawnWhileNothingChanges(t *testing.T) {
	d := start(t, newFake(t))
	d.wait(0)
	before := d.m.alarmAt.Sub(d.now)
	if before < 5*time.Second {
		t.Fatalf("an idle console wakes after %s", before)
	}
	if calls := d.desk.count("list"); calls != 1 {
		t.Fatalf("%d lists", calls)
	}
	d.wait(10 * time.Second).wait(10 * time.Second).wait(10 * time.Second)
	if calls := d.desk.count("list"); calls != 2 {
		t.Fatalf("after 30 s there were %d lists, want 2", calls)
	}
}

func TestNoRefreshWhileAPersonDecides(t *testing.T) {
	d := start(t, newFake(t)).press("p")
	d.wait(time.Minute).wait(time.Minute)
	if calls := d.desk.count("list"); calls != 1 {
		t.Fatalf("%d lists behind a dialog", calls)
	}
}

// A bar that is full says that it is done, whatever a registry claims.
func TestABarIsFullOnlyWhenAllIsDone(t *testing.T) {
	for _, c := range []struct {
		done, total int64
		want        string
	}{
		{0, 10, "░░░░░░░░"}, {999, 1000, "███████░"}, {1000, 1000, "████████"}, {5, 0, "████████"}, {-7, 10, "░░░░░░░░"}, {99, 10, "████████"}, {1, -1, "████████"}, {-2, -1, "░░░░░░░░"},
	} {
		if got := bar(c.done, c.total, 8); got != c.want {
			t.Errorf("%d of %d is %q, want %q", c.done, c.total, got, c.want)
		}
	}
}
