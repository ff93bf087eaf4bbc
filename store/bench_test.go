package store

import (
	"fmt"
	"testing"

	"github.com/opencontainers/go-digest"
)

// large is a store with 100,000 contents and a snapshot.
func large(b *testing.B) *Store {
	b.Helper()
	s := open(b)
	blobs := make([][]byte, 100_000)
	for i := range blobs {
		blobs[i] = fmt.Appendf(nil, "%0600d", i) // as long as a manifest of one platform
	}
	for i := 0; i < len(blobs); i += 10_000 {
		must(b, s.PutContent(blobs[i:i+10_000]...))
	}
	must(b, s.PutSnapshot("list", "chat", make([]string, 50)))
	return s
}

func BenchmarkStore(b *testing.B) {
	s := large(b)
	var view []string
	b.Run("FirstSnapshotOfAProcess", func(b *testing.B) {
		for b.Loop() {
			if found, err := at(b, s.Dir()).Snapshot("list", "chat", &view); !found || err != nil {
				b.Fatal(found, err)
			}
		}
	})
	b.Run("Snapshot", func(b *testing.B) {
		for b.Loop() {
			if found, err := s.Snapshot("list", "chat", &view); !found || err != nil {
				b.Fatal(found, err)
			}
		}
	})
	b.Run("Contents50", func(b *testing.B) {
		var dgs []digest.Digest
		for i := range 50 {
			dgs = append(dgs, digest.FromString(fmt.Sprintf("%0600d", i*1999)))
		}
		for b.Loop() {
			if got, err := s.Contents(dgs); len(got) != 50 || err != nil {
				b.Fatal(len(got), err)
			}
		}
	})
	b.Run("PutContent", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			must(b, s.PutContent(fmt.Appendf(nil, "new %d", i)))
		}
	})
}
