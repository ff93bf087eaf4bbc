package store

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// lockWait is the longest that a call waits for another process. A write takes
// milliseconds, so who waits that long meets a stopped or hanging process.
const lockWait = 5 * time.Second

// view runs fn in a read transaction under the shared lock. Without a file, or
// in a blank one, fn is not called: the store is empty.
func (s *Store) view(fn func(txn) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	info, err := os.Stat(s.Path())
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	if err == nil {
		err = s.checkAccess(false)
	}
	if err == nil {
		err = s.transact(true, func(tx *bolt.Tx) error {
			if blank(tx) {
				return nil
			}
			if err := checkFormat(tx); err != nil {
				return err
			}
			return fn(txn{tx})
		})
	}
	return s.explain(false, err)
}

// update runs fn in a write transaction under the exclusive lock; when it
// returns without an error, everything fn did is on the disk, else nothing is.
func (s *Store) update(fn func(txn) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.checkAccess(true)
	if err == nil {
		err = s.transact(false, func(tx *bolt.Tx) error {
			if blank(tx) {
				if err := lay(tx); err != nil {
					return err
				}
			}
			if err := checkFormat(tx); err != nil {
				return err
			}
			return fn(txn{tx})
		})
	}
	return s.explain(true, err)
}

// transact opens the file, runs fn in one transaction and closes the file.
func (s *Store) transact(readOnly bool, fn func(*bolt.Tx) error) error {
	if err := s.checkStructure(); err != nil {
		return err
	}
	var file *os.File
	panicked, err := guard(func() error {
		db, err := s.openDB(readOnly, &file)
		if err != nil {
			return err
		}
		return errors.Join(run(db, readOnly, file, fn), db.Close())
	})
	if panicked {
		// bbolt may hold its own mutexes now, so Close could wait for ever. The
		// lock must not outlive this call; the mapping is lost.
		abandon(file)
	}
	return err
}

// run checks that the file is as long as bbolt believes, then calls fn.
func run(db *bolt.DB, readOnly bool, file *os.File, fn func(*bolt.Tx) error) error {
	checked := func(tx *bolt.Tx) error {
		info, err := file.Stat()
		if err != nil {
			return err //nolint:wrapcheck // explain says what was tried
		}
		if tx.Size() > info.Size() {
			return damage(fmt.Sprintf("it was cut off: %d bytes of %d are there", info.Size(), tx.Size()))
		}
		return fn(tx)
	}
	if readOnly {
		return db.View(checked) //nolint:wrapcheck // as above
	}
	return db.Update(checked) //nolint:wrapcheck // as above
}

// openDB opens the file and takes its lock, waiting at most s.lockWait. bbolt
// itself polls every 50 ms, too slow for a first frame, so each of its tries
// is told not to wait.
func (s *Store) openDB(readOnly bool, file **os.File) (*bolt.DB, error) {
	deadline := time.Now().Add(s.lockWait)
	for pause := time.Millisecond; ; pause = min(2*pause, 16*time.Millisecond) {
		db, err := bolt.Open(s.Path(), 0o600, &bolt.Options{
			ReadOnly:     readOnly,
			Timeout:      time.Nanosecond,
			FreelistType: bolt.FreelistMapType,
			NoStatistics: true,
			OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
				f, err := s.openFile(name, flag, mode)
				*file = f
				return f, err
			},
		})
		if !errors.Is(err, berrors.ErrTimeout) || time.Now().After(deadline) {
			return db, err //nolint:wrapcheck // explain says what was tried
		}
		time.Sleep(pause/2 + rand.N(pause)) //nolint:gosec // jitter
	}
}

// guard runs fn and turns a panic into an error: bbolt trusts its pages, so on
// a damaged file it panics or reads where nothing is mapped.
func guard(fn func() error) (panicked bool, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			panicked = true
			if d, ok := r.(damage); ok {
				err = d
				return
			}
			err = damage(fmt.Sprintf("reading it failed: %v", r))
		}
	}()
	return false, fn()
}

// abandon gives up the lock and the handle of a file whose bbolt panicked.
func abandon(file *os.File) {
	if file == nil {
		return
	}
	unlock(file)
	_ = file.Close()
}
