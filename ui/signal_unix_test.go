//go:build unix

package ui

import (
	"context"
	"syscall"
	"testing"
)

func TestAClosedTerminalWaitsForTheOperation(t *testing.T) {
	endsSafely(t, func(context.CancelFunc) {
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
			t.Error(err)
		}
	})
}
