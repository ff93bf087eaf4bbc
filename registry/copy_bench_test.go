package registry_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"plimsoll/registry"
	"plimsoll/registry/embedded"
	"plimsoll/registry/registrytest"
)

// cranePackage is the peer that the copy is measured against.
const cranePackage = "github.com/google/go-containerregistry/cmd/crane@v0.22.1"

// BenchmarkCopy copies between two distribution registries on loopback, in
// turns with crane copy, from an emptied prod each time:
//
//	go test ./registry -run '^$' -bench '^BenchmarkCopy$' -benchtime 5x
//
// It reports the median seconds of both and the median of the ratios within
// each turn; a ratio under 1 means faster than crane. ns/op covers both and says nothing.
func BenchmarkCopy(b *testing.B) {
	sizes := func(mb ...int64) (layers []embedded.Layer) {
		for i, n := range mb {
			layers = append(layers, file(uint64(i), n<<10, embedded.Plain))
		}
		return layers
	}
	const mib = 1 << 10 // sizes are in KiB
	app := func(first, second uint64) []embedded.Image {
		images := make([]embedded.Image, 0, 2)
		for i, arch := range []string{"amd64", "arm64"} {
			own := uint64(100 * (i + 1))
			images = append(images, platform(arch, false,
				file(own, 14<<20, embedded.Plain), file(own+1, 8<<20, embedded.Plain), file(own+2, 4<<20, embedded.Plain),
				file(own+first, 3<<20, embedded.Plain), file(own+second, 1<<20, embedded.Plain)))
		}
		return images
	}
	cases := []struct {
		name string
		prod []embedded.Image // what prod has before
		img  []embedded.Image
	}{
		{"app 60 MB", nil, app(3, 4)},
		{"app candidate 8 MB", app(3, 4), app(5, 6)},
		{"AI 2 GB", nil, []embedded.Image{platform("amd64", false, sizes(
			64, 128, 512, mib, 4*mib, 16*mib, 32*mib, 64*mib, 128*mib, 256*mib, 466*mib, 1024*mib)...)}},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) { race(b, c.prod, c.img) })
	}
}

// race lets both copy in turns.
func race(b *testing.B, before, img []embedded.Image) {
	crane := registrytest.Tool(b, cranePackage)
	client := registrytest.Client(b)
	storage := b.TempDir()
	source := at(registrytest.Distribution(b), "staging/app")
	target := at(registrytest.Distribution(b, registrytest.WithStorage(storage)), "prod/app")
	image := build(b, img...)
	root := image.Descriptor().Digest
	must(b, image.Push(b.Context(), client, source))
	reset := func() registry.CopyRequest {
		entries, err := filepath.Glob(filepath.Join(storage, "*"))
		must(b, err)
		for _, e := range entries {
			must(b, os.RemoveAll(e))
		}
		r := registry.CopyRequest{From: client, Source: source, To: client, Target: target, Root: root}
		if before != nil {
			old := build(b, before...)
			must(b, old.Push(b.Context(), client, target, "live"))
			r.Have = append(r.Have, old.Descriptor().Digest)
		}
		return r
	}
	ours := func() float64 {
		r := reset()
		start := time.Now()
		_, err := registry.Copy(b.Context(), r)
		must(b, err)
		took := time.Since(start).Seconds()
		must(b, registry.Complete(b.Context(), client, target, root))
		return took
	}
	theirs := func() float64 {
		reset()
		cmd := exec.CommandContext(b.Context(), crane, "copy", source.At(root), target.String()+":v1")
		start := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("crane copy: %v\n%s", err, out)
		}
		return time.Since(start).Seconds()
	}
	var us, them, ratio []float64
	for i := 0; b.Loop(); i++ {
		var a, c float64
		if i%2 == 0 {
			a, c = ours(), theirs()
		} else {
			c, a = theirs(), ours()
		}
		us, them, ratio = append(us, a), append(them, c), append(ratio, a/c)
	}
	b.ReportMetric(median(us), "s/plimsoll")
	b.ReportMetric(median(them), "s/crane")
	b.ReportMetric(median(ratio), "ratio")
	b.Log(fmt.Sprintf("plimsoll %.3f, crane %.3f", us, them))
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
