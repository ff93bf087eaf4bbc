package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"

	"plimsoll/config/fault"
)

// checkAccess makes sure that nobody else can change the store. A missing
// directory is made (0700) for a writer. One that other users can write to is
// refused, not changed: it may be there for other things as well. The file is
// ours alone, so wider modes are tightened to 0600.
func (s *Store) checkAccess(write bool) error {
	if write {
		if err := os.MkdirAll(s.dir, 0o700); err != nil {
			return fmt.Errorf("make the directory: %w", err)
		}
	}
	if runtime.GOOS == "windows" { // modes say nothing there; the profile directory is private
		return nil
	}
	dir, err := os.Stat(s.dir)
	if err != nil {
		return err //nolint:wrapcheck // explain says what was tried
	}
	if dir.Mode().Perm()&0o022 != 0 {
		return fault.New(fault.Failed, "take the right away (chmod go-w "+s.dir+"), or set $PLIMSOLL_STATE to a directory of your own", ErrAccess,
			"use the store in %s: other users may write there (mode %04o)", s.dir, dir.Mode().Perm())
	}
	return s.tighten()
}

func (s *Store) tighten() error {
	file, err := os.Stat(s.Path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err //nolint:wrapcheck // as above
	}
	wide := file.Mode().Perm() & 0o077
	if wide == 0 {
		return nil
	}
	err = os.Chmod(s.Path(), 0o600)
	if err == nil || wide&0o022 == 0 { // readable only, on a file system that keeps it so
		return nil
	}
	return fault.New(fault.Failed, "chmod 600 "+s.Path(), fmt.Errorf("%w: %w", ErrAccess, err),
		"use the store %s: other users may write it (mode %04o)", s.Path(), file.Mode().Perm())
}
