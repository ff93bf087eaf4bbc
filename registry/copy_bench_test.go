package registry_test

import (
	"context"
	"net"
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
	cases := []struct {
		name string
		trip time.Duration    // one round trip
		prod []embedded.Image // what prod has before
		img  []embedded.Image
	}{
		{"app 60 MB", 0, nil, appImages(3, 4)},
		{"app 60 MB at 20 ms", 20 * time.Millisecond, nil, appImages(3, 4)},
		{"app candidate 8 MB", 0, appImages(3, 4), appImages(5, 6)},
		{"app candidate 8 MB at 20 ms", 20 * time.Millisecond, appImages(3, 4), appImages(5, 6)},
		{"AI 2 GB", 0, nil, []embedded.Image{platform("amd64", false, sizes(
			64, 128, 512, mib, 4*mib, 16*mib, 32*mib, 64*mib, 128*mib, 256*mib, 466*mib, 1024*mib)...)}},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) { race(b, c.trip, c.prod, c.img) })
	}
}

// appImages are two platforms of five layers each; the last two are named by their seeds.
func appImages(first, second uint64) []embedded.Image {
	images := make([]embedded.Image, 0, 2)
	for i, arch := range []string{"amd64", "arm64"} {
		own := uint64(100 * (i + 1))
		images = append(images, platform(arch, false,
			file(own, 14<<20, embedded.Plain), file(own+1, 8<<20, embedded.Plain), file(own+2, 4<<20, embedded.Plain),
			file(own+first, 3<<20, embedded.Plain), file(own+second, 1<<20, embedded.Plain)))
	}
	return images
}

// race lets both copy in turns, over links with the given round trip.
func race(b *testing.B, trip time.Duration, before, img []embedded.Image) {
	crane := registrytest.Tool(b, cranePackage)
	client := registrytest.Client(b)
	storage := b.TempDir()
	source := at(distant(b, trip, registrytest.Distribution(b)), "staging/app")
	near := at(registrytest.Distribution(b, registrytest.WithStorage(storage)), "prod/app")
	target := at(distant(b, trip, near.Host), near.Path)
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
			must(b, old.Push(b.Context(), client, near, "live"))
			r.Have = append(r.Have, old.Descriptor().Digest)
		}
		return r
	}
	ours := func() float64 {
		r := reset()
		client.Close() // as a program that has just started: no connection is open
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
	b.Logf("plimsoll %.3f, crane %.3f", us, them)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// distant is a way to host that takes the given round trip, and one more for
// each new connection.
func distant(b *testing.B, trip time.Duration, host string) string {
	if trip == 0 {
		return host
	}
	l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	must(b, err)
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go relay(b.Context(), in, host, trip)
		}
	}()
	return l.Addr().String()
}

func relay(ctx context.Context, in net.Conn, host string, trip time.Duration) {
	time.Sleep(trip)
	out, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		_ = in.Close()
		return
	}
	go late(in, out, trip/2)
	late(out, in, trip/2)
}

// late hands on what arrives, each piece after d.
func late(from, to net.Conn, d time.Duration) {
	type piece struct {
		due  time.Time
		data []byte
	}
	queue := make(chan piece, 1024)
	go func() {
		defer close(queue)
		for {
			data := make([]byte, 64<<10)
			n, err := from.Read(data)
			if n > 0 {
				queue <- piece{time.Now().Add(d), data[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range queue {
		time.Sleep(time.Until(p.due))
		if _, err := to.Write(p.data); err != nil {
			_ = from.Close()
		}
	}
	_ = to.Close()
}
