package store

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// FuzzPages walks files with any pages in them, as a damaged disk or another
// program leaves them: it ends, in time, and never takes the process with it.
func FuzzPages(f *testing.F) {
	path := filepath.Join(f.TempDir(), "small")
	db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: 1024})
	must(f, err)
	must(f, db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte("a"))
		for i := range 200 {
			if err == nil {
				err = b.Put(number(uint64(i)), make([]byte, 30)) //nolint:gosec // small and positive
			}
		}
		return err
	}))
	must(f, db.Close())
	good, err := os.ReadFile(path)
	must(f, err)
	f.Add(good, 0, byte(0))
	for _, at := range []int{16, 1024 + 16, 2*1024 + 8, 3*1024 + 10, 4*1024 + 16} {
		f.Add(good, at, byte(0xff))
	}
	file, err := os.Create(filepath.Join(f.TempDir(), "damaged"))
	must(f, err)
	f.Cleanup(func() { _ = file.Close() })
	f.Fuzz(func(t *testing.T, raw []byte, at int, with byte) {
		if len(raw) == 0 || len(raw) > 1<<20 {
			return
		}
		raw = append([]byte(nil), raw...)
		raw[max(at, -at-1)%len(raw)] ^= with
		sign(raw)
		must(t, file.Truncate(0))
		_, err := file.WriteAt(raw, 0)
		must(t, err)
		start := time.Now()
		if err := walkFile(file); err == nil && len(raw) < 512 {
			t.Error("sound without a page")
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("the walk took %v", took)
		}
	})
}

// sign makes the sums of the two meta pages right, or no damage would get past them.
func sign(raw []byte) {
	for _, at := range []int{pageHeader, 1024 + pageHeader} {
		if len(raw) >= at+64 {
			order.PutUint64(raw[at+56:], checksum(raw[at:at+56]))
		}
	}
}
