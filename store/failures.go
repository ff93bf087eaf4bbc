package store

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	berrors "go.etcd.io/bbolt/errors"

	"plimsoll/config/fault"
)

// What can be wrong with the file; each is in the chain of an error that names
// the file and the remedy.
var (
	ErrLocked   = errors.New("the store is locked")
	ErrCorrupt  = errors.New("the store is damaged")
	ErrReadOnly = errors.New("the store cannot be written")
	ErrNewer    = errors.New("the store was written by a newer plimsoll")
	ErrAccess   = errors.New("other users can change the store")
)

// damage is what is wrong inside the file.
type damage string

func (d damage) Error() string { return string(d) }

// Unwrap makes every damage an ErrCorrupt.
func (d damage) Unwrap() error { return ErrCorrupt }

type newerFormat int

func (n newerFormat) Error() string {
	return fmt.Sprintf("it has format %d, this plimsoll knows %d", int(n), Format)
}

// Unwrap makes every newerFormat an ErrNewer.
func (n newerFormat) Unwrap() error { return ErrNewer }

// explain turns what bbolt or the file system said into an error that names
// the file and what to do.
func (s *Store) explain(write bool, err error) error {
	var known *fault.Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.Is(err, ErrNewer):
		return fault.New(fault.Failed, "use the newer plimsoll, or another directory in $PLIMSOLL_STATE", err, "open the store %s", s.Path())
	case errors.Is(err, berrors.ErrTimeout):
		return fault.New(fault.Failed, "another plimsoll holds it for longer than usual: close it or wait, then try again", ErrLocked,
			"open the store %s: another plimsoll has held it for %s", s.Path(), s.lockWait)
	case write && unwritable(err):
		return fault.New(fault.Failed, "make "+s.dir+" writable for you, or set $PLIMSOLL_STATE to a directory that is", fmt.Errorf("%w: %w", ErrReadOnly, err),
			"write the store %s", s.Path())
	case errors.Is(err, fs.ErrPermission):
		return fault.New(fault.Failed, "make it readable for you, or set $PLIMSOLL_STATE to another directory", err, "read the store %s", s.Path())
	case errors.Is(err, syscall.ENOSPC):
		return fault.New(fault.Failed, "free some space, then try again; nothing was changed", err, "write the store %s", s.Path())
	case corrupt(err):
		return fault.New(fault.Failed, s.remedy(), fmt.Errorf("%w: %w", ErrCorrupt, err), "read the store %s", s.Path())
	}
	return fault.New(fault.Failed, "look at "+s.dir+", or set $PLIMSOLL_STATE to another directory", err, "use the store %s", s.Path())
}

// remedy is what to do with a damaged file.
func (s *Store) remedy() string {
	return fmt.Sprintf("move it away (mv %s %s.damaged) and start again: only caches, the local audit chain, open operations "+
		"and the memory of rejections are lost; images, evidence and records are in the registries", s.Path(), s.Path())
}

func unwritable(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, berrors.ErrDatabaseReadOnly)
}

// corrupt tells whether err is bbolt's or ours about damage. Not all of
// bbolt's have a value to compare with (v1.5.0, db.go, fileSize).
func corrupt(err error) bool {
	for _, known := range []error{ErrCorrupt, berrors.ErrInvalid, berrors.ErrVersionMismatch, berrors.ErrChecksum, berrors.ErrInvalidMapping} {
		if errors.Is(err, known) {
			return true
		}
	}
	return strings.Contains(err.Error(), "file size too small")
}
