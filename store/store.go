package store

import (
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"plimsoll/config/fault"
)

// FileName is the name of the store's file in its directory.
const FileName = "plimsoll.db"

// Store is the memory of this machine in one file. Every call opens the file,
// runs one transaction and closes it. Safe for concurrent use, also by several
// processes.
type Store struct {
	dir string

	now      func() time.Time
	lockWait time.Duration // the longest wait for another process
	limit    uint64        // bytes of contents and snapshots that are kept
	openFile func(name string, flag int, mode os.FileMode) (*os.File, error)

	// mu queues the calls of this process, so that they do not poll the file
	// lock against each other.
	mu sync.RWMutex

	hashKeyOnce sync.Once
	hashKey     []byte

	sound atomic.Bool // this process has checked the structure
}

// Open names the directory of the store; nothing is read or made before the
// first call that needs it. The directory is made with mode 0700, the file
// with 0600.
func Open(dir string) (*Store, error) {
	if dir == "" {
		return nil, fault.New(fault.Usage, "set $PLIMSOLL_STATE to a directory", nil, "the state directory has no name")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fault.New(fault.Usage, "set $PLIMSOLL_STATE to an absolute path", err, "find the state directory %s", dir)
	}
	return &Store{dir: abs, now: time.Now, lockWait: lockWait, limit: cacheLimit, openFile: os.OpenFile}, nil
}

// Dir is the directory of the store, absolute.
func (s *Store) Dir() string { return s.dir }

// Path is the file of the store, absolute; it may not exist yet.
func (s *Store) Path() string { return filepath.Join(s.dir, FileName) }
