package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	bolt "go.etcd.io/bbolt"

	"plimsoll/config/fault"
)

// filled is a store with inner pages in several buckets.
func filled(t testing.TB, n int) *Store {
	t.Helper()
	s := open(t)
	blobs := make([][]byte, n)
	negatives := make([]Negative, n)
	for i := range blobs {
		blobs[i] = []byte(fmt.Sprintf("%d %s", i, strings.Repeat("x", 200)))
		negatives[i] = Negative{Gate: "e2e", Subject: digest.FromString("image"), Evidence: digest.FromString(fmt.Sprint(i))}
	}
	must(t, s.PutContent(blobs...))
	must(t, s.Remember(negatives...))
	for i := range 10 {
		must(t, write(s, i))
	}
	must(t, s.PutSnapshot("list", "chat", "view"))
	return s
}

// useAll calls everything; each answer may be an error, none may be a panic.
func useAll(s *Store) []error {
	var into string
	_, snapshot := s.Snapshot("list", "chat", &into)
	_, content := s.Content(digest.FromString("x"))
	_, ops := s.Operations(false)
	_, negatives := s.Negatives(digest.FromString("image"))
	put := write(s, 1000)
	remember := s.Remember(Negative{Subject: "y"})
	_, _, lease := s.Lease("prod:live", "me", time.Minute)
	s.Hash("x")
	return []error{snapshot, content, ops, negatives, put, remember, lease, s.VerifyAudit()}
}

func TestDamagedFileIsAnErrorThatNamesFileAndRemedy(t *testing.T) {
	healthy := filled(t, 300)
	whole, err := os.ReadFile(healthy.Path())
	must(t, err)
	used := usedBytes(t, healthy)
	cases := map[string][]byte{
		"text":             []byte("this is no database"),
		"garbage":          random(100_000),
		"zeros":            make([]byte, len(whole)),
		"one page":         whole[:4096],
		"two pages":        whole[:8192],
		"half":             whole[:len(whole)/2],
		"all but one byte": whole[:used-1],
		"heads only":       append(append([]byte{}, whole[:8192]...), random(len(whole)-8192)...),
	}
	for name, raw := range cases {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			must(t, os.MkdirAll(s.Dir(), 0o700))
			must(t, os.WriteFile(s.Path(), raw, 0o600))
			for _, err := range useAll(s) {
				if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), s.Path()) || !strings.Contains(fault.HintOf(err), "mv "+s.Path()) {
					t.Errorf("%v; hint %q", err, fault.HintOf(err))
				}
			}
			must(t, os.Rename(s.Path(), s.Path()+".damaged")) // the remedy
			must(t, s.PutContent([]byte("x")))
		})
	}
}

func random(n int) []byte {
	r := rand.NewChaCha8([32]byte{1})
	out := make([]byte, n)
	_, _ = r.Read(out)
	return out
}

func TestFlippedBitsNeverPanicNorHoldTheLock(t *testing.T) {
	s := filled(t, 300)
	whole, err := os.ReadFile(s.Path())
	must(t, err)
	used := usedBytes(t, s)
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a repeatable choice
	const flips = 200
	for i := range flips {
		raw := append([]byte{}, whole...)
		at := r.IntN(used)
		if i%2 == 0 { // page heads and element tables, which bbolt trusts
			at = at&^4095 + r.IntN(128)
		}
		raw[at] ^= 1 << r.IntN(8)
		must(t, os.WriteFile(s.Path(), raw, 0o600))
		damaged := at2(t, s.Dir())
		useAll(damaged)
		if err := damaged.Remember(Negative{Subject: "z"}); errors.Is(err, ErrLocked) {
			t.Fatalf("byte %d flipped: the lock is still held", at)
		}
	}
}

// at2 opens a store as a new process would, with a short patience.
func at2(t *testing.T, dir string) *Store {
	s := at(t, dir)
	s.lockWait = 50 * time.Millisecond
	return s
}

func usedBytes(t *testing.T, s *Store) int {
	var n int64
	must(t, s.transact(true, func(tx *bolt.Tx) error { n = tx.Size(); return nil }))
	return int(n)
}

// A page that is its own ancestor would overflow bbolt's stack, which nothing recovers.
func TestPageThatIsItsOwnAncestorIsDamage(t *testing.T) {
	s := filled(t, 2000)
	whole, err := os.ReadFile(s.Path())
	must(t, err)
	loops := 0
	for id := 2; (id+1)*os.Getpagesize() <= usedBytes(t, s); id++ {
		p := id * os.Getpagesize()
		if order.Uint64(whole[p:]) != uint64(id) || order.Uint16(whole[p+8:]) != branchFlag {
			continue
		}
		raw := append([]byte{}, whole...)
		for i := range int(order.Uint16(raw[p+10:])) {
			order.PutUint64(raw[p+pageHeader+i*elementSize+8:], uint64(id))
		}
		must(t, os.WriteFile(s.Path(), raw, 0o600))
		if err := at2(t, s.Dir()).checkStructure(); err != nil {
			loops++ // a page that is in use; a free one harms nobody
			for _, err := range useAll(at2(t, s.Dir())) {
				if !errors.Is(err, ErrCorrupt) {
					t.Errorf("page %d: %v", id, err)
				}
			}
		}
	}
	if loops == 0 {
		t.Error("no inner page was found: the test proves nothing")
	}
}

func TestFileOfANewerPlimsollIsRefusedUntouched(t *testing.T) {
	s := filled(t, 1)
	must(t, s.update(func(x txn) error { return x.b(bMeta).Put([]byte(kFormat), []byte("2")) }))
	before := stat(t, s)
	for _, err := range useAll(s) {
		if !errors.Is(err, ErrNewer) || errors.Is(err, ErrCorrupt) || !strings.Contains(fault.HintOf(err), "newer plimsoll") {
			t.Errorf("%v; hint %q", err, fault.HintOf(err))
		}
	}
	if stat(t, s) != before {
		t.Error("it was written")
	}
}

func TestDatabaseOfAnotherProgramIsRefusedUntouched(t *testing.T) {
	s := open(t)
	must(t, os.MkdirAll(s.Dir(), 0o700))
	db, err := bolt.Open(s.Path(), 0o600, nil)
	must(t, err)
	must(t, db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err }))
	must(t, db.Close())
	before := stat(t, s)
	for _, err := range useAll(s) {
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "not a store of plimsoll") {
			t.Error(err)
		}
	}
	if stat(t, s) != before {
		t.Error("it was written")
	}
}

func TestEmptyFileIsAnEmptyStore(t *testing.T) {
	s := open(t)
	must(t, os.MkdirAll(s.Dir(), 0o700))
	must(t, os.WriteFile(s.Path(), nil, 0o600))
	for _, err := range useAll(s) {
		must(t, err)
	}
}

func TestLockedStoreSaysWhichFileAndWhatToDo(t *testing.T) {
	s := filled(t, 1)
	db, err := bolt.Open(s.Path(), 0o600, nil) // a plimsoll that hangs in a write
	must(t, err)
	defer func() { must(t, db.Close()) }()
	for _, err := range useAll(at2(t, s.Dir()))[:4] {
		if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), s.Path()) || !strings.Contains(err.Error(), "another plimsoll") || fault.HintOf(err) == "" {
			t.Errorf("%v; hint %q", err, fault.HintOf(err))
		}
	}
}

func TestReadersDoNotWaitForReaders(t *testing.T) {
	s := filled(t, 1)
	db, err := bolt.Open(s.Path(), 0o600, &bolt.Options{ReadOnly: true})
	must(t, err)
	defer func() { must(t, db.Close()) }()
	_, err = at2(t, s.Dir()).Operations(true)
	must(t, err)
}

func TestReadOnlyStoreReadsAndRefusesWrites(t *testing.T) {
	s := filled(t, 1)
	// Root may write whatever the modes say, so the file system's answer comes from here.
	s.openFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		if flag&(os.O_RDWR|os.O_WRONLY) != 0 {
			return nil, &os.PathError{Op: "open", Path: name, Err: syscall.EROFS}
		}
		return os.OpenFile(name, flag, mode) //nolint:gosec // the store's file
	}
	errs := useAll(s)
	for i, name := range []string{"snapshot", "content", "operations", "negatives"} {
		if errs[i] != nil {
			t.Errorf("%s: %v", name, errs[i])
		}
	}
	must(t, s.VerifyAudit())
	for i, name := range map[int]string{4: "put", 5: "remember", 6: "lease"} {
		if !errors.Is(errs[i], ErrReadOnly) || !strings.Contains(errs[i].Error(), s.Path()) || !strings.Contains(fault.HintOf(errs[i]), "PLIMSOLL_STATE") {
			t.Errorf("%s: %v; hint %q", name, errs[i], fault.HintOf(errs[i]))
		}
	}
	if first := s.Hash("a"); s.Hash("a") != first {
		t.Error("the hash changes within the process")
	}
}

func TestModesAreTightenedOrRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // modes say nothing there
	}
	s := filled(t, 1)
	for path, want := range map[string]os.FileMode{s.Dir(): 0o700, s.Path(): 0o600} {
		info, err := os.Stat(path)
		must(t, err)
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
	}
	must(t, os.Chmod(s.Path(), 0o666)) //nolint:gosec // the point of the test
	_, err := s.Operations(true)
	must(t, err)
	if info, _ := os.Stat(s.Path()); info.Mode().Perm() != 0o600 {
		t.Errorf("the file was left at %o", info.Mode().Perm())
	}
	must(t, os.Chmod(s.Dir(), 0o777)) //nolint:gosec // the point of the test
	for _, err := range useAll(s) {
		if !errors.Is(err, ErrAccess) || !strings.Contains(fault.HintOf(err), "chmod go-w "+s.Dir()) {
			t.Errorf("%v; hint %q", err, fault.HintOf(err))
		}
	}
	if info, _ := os.Stat(s.Dir()); info.Mode().Perm() != 0o777 {
		t.Error("the directory was changed")
	}
	must(t, os.Chmod(s.Dir(), 0o700)) //nolint:gosec // the point of the test
}

func TestStateDirectoryThatIsAFileIsAClearError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	must(t, os.WriteFile(path, nil, 0o600))
	for _, err := range useAll(at(t, path)) {
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%v", err)
		}
	}
	if _, err := Open(""); fault.CodeOf(err) != fault.Usage {
		t.Errorf("no directory: %v", err)
	}
}
