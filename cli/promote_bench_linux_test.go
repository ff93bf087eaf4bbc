package cli_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/registry"
	"plimsoll/registry/embedded"
	"plimsoll/registry/registrytest"
)

// memoryBudget is how many MiB a promotion may take above --version.
const memoryBudget = 64

// BenchmarkPromote promotes an image of 2 GB between two distribution
// registries on loopback, as whole processes in turns with crane copy, from an
// emptied prod each time. Ours reads, checks, copies, moves the channel and
// writes a signed record; crane copies and tags.
//
//	go test ./cli -run '^$' -bench '^BenchmarkPromote$' -benchtime 3x
//
// It reports the median seconds, the median of the ratios within a turn (under
// 1 means faster than crane), and the most memory of each process in MiB. It
// fails over the memory budget. A key with a password costs more for a moment
// (MiB/locked-key), because cosign's format derives its key with 64 MiB of
// scrypt; docs/benchmarks.md tells. ns/op covers both and says nothing.
func BenchmarkPromote(b *testing.B) {
	storage := b.TempDir()
	staging, prod := registrytest.Distribution(b), registrytest.Distribution(b, registrytest.WithStorage(storage))
	crane := registrytest.Tool(b, "github.com/google/go-containerregistry/cmd/crane@v0.22.1")
	source := registry.Repository{Host: staging, Path: "acme/chat"}
	root := pushModel(b, source)
	l := newLaptop(b, staging, prod, 50)
	_, idle := l.run(l.program, "--version")
	reset := func() {
		entries, _ := filepath.Glob(filepath.Join(storage, "*"))
		for _, e := range entries {
			if err := os.RemoveAll(e); err != nil {
				b.Fatal(err)
			}
		}
		l.forget()
	}
	var us, them, ratio, memory, craneMemory []float64
	ours := func() float64 {
		reset()
		took, peak := l.run(l.program, "promote", "chat", root.String(), "--yes", "--expect", "none")
		memory = append(memory, peak)
		return took.Seconds()
	}
	theirs := func() float64 {
		reset()
		took, peak := l.run(crane, "copy", source.At(root), prod+"/acme/chat:live")
		craneMemory = append(craneMemory, peak)
		return took.Seconds()
	}
	for i := 0; b.Loop(); i++ {
		var a, c float64
		if i%2 == 0 {
			a, c = ours(), theirs()
		} else {
			c, a = theirs(), ours()
		}
		us, them, ratio = append(us, a), append(them, c), append(ratio, a/c)
	}
	above := slices.Max(memory) - idle
	reset()
	l.lock()
	_, locked := l.run(l.program, "promote", "chat", root.String(), "--yes", "--expect", "none")
	b.ReportMetric(locked, "MiB/locked-key")
	b.ReportMetric(middle(us), "s/plimsoll")
	b.ReportMetric(middle(them), "s/crane")
	b.ReportMetric(middle(ratio), "ratio")
	b.ReportMetric(idle, "MiB/version")
	b.ReportMetric(slices.Max(memory), "MiB/plimsoll")
	b.ReportMetric(slices.Max(craneMemory), "MiB/crane")
	b.Logf("plimsoll %.2f, crane %.2f", us, them)
	if above > memoryBudget {
		b.Errorf("promoting 2 GB takes %.0f MiB more than --version, over %d", above, memoryBudget)
	}
}

// pushModel pushes an image of twelve layers from 64 KiB to 1 GiB.
func pushModel(b *testing.B, repo registry.Repository) digest.Digest {
	var layers []embedded.Layer
	for i, kib := range []int64{64, 128, 512, 1 << 10, 4 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 466 << 10, 1 << 20} {
		layers = append(layers, embedded.Layer{
			Files: []embedded.File{{Path: "data", Random: kib << 10, Seed: uint64(i)}}, Compression: embedded.Plain,
		})
	}
	image := embedded.Image{Layers: layers, Config: ocispec.Image{Platform: ocispec.Platform{OS: "linux", Architecture: "amd64"}}}
	root, err := embedded.Push(b.Context(), registrytest.Client(b), repo, []string{"v1"}, image)
	if err != nil {
		b.Fatal(err)
	}
	return root
}

func middle(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
