//go:build !windows

package store

import (
	"os"
	"syscall"
)

// unlock drops the lock at once: a mapping that is still there would keep it.
func unlock(file *os.File) {
	_ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN) //nolint:gosec // a descriptor fits
}
