package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"plimsoll/config/fault"
)

func TestExitCodeSurvivesWrapping(t *testing.T) {
	refused := fault.New(fault.Refused, "log in", io.EOF, "pushing to %s", "p.example.com")
	for name, c := range map[string]struct {
		err  error
		code fault.Code
		hint string
	}{
		"none":          {nil, 0, ""},
		"plain":         {io.EOF, fault.Failed, ""},
		"itself":        {refused, fault.Refused, "log in"},
		"wrapped":       {fmt.Errorf("promoting: %w", refused), fault.Refused, "log in"},
		"joined":        {errors.Join(io.EOF, refused), fault.Refused, "log in"},
		"outer decides": {fault.New(fault.Unfinished, "", refused, "the channel moved"), fault.Unfinished, "log in"},
	} {
		if got := fault.CodeOf(c.err); got != c.code {
			t.Errorf("%s: code %d", name, got)
		}
		if got := fault.HintOf(c.err); got != c.hint {
			t.Errorf("%s: hint %q", name, got)
		}
	}
	locked := errors.New("locked")
	if err := fault.Join(nil, io.EOF, fault.Join(locked, io.EOF), nil, fmt.Errorf("%w", io.EOF)); err.Error() != "EOF; locked" || !errors.Is(err, locked) || !errors.Is(err, io.EOF) {
		t.Errorf("joined: %v", err)
	}
	if err := fault.Join(nil, nil); err != nil {
		t.Error(err)
	}
	if !errors.Is(refused, io.EOF) || refused.Error() != "pushing to p.example.com: EOF" {
		t.Error(refused)
	}
}
