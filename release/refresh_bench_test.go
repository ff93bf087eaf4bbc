package release_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"plimsoll/config"
	"plimsoll/registry"
	"plimsoll/registry/registrytest"
	"plimsoll/store"
)

// What BenchmarkRefresh lists, and how many workers the peer has: as many as the desk.
const (
	refreshTags = 1000
	peerWorkers = 16
)

// BenchmarkRefresh lists a service of a thousand tags on loopback, in turns
// with one go-containerregistry process that does the same reads with 16
// workers on kept connections:
//
//	go test ./release -run '^$' -bench '^BenchmarkRefresh$' -benchtime 5x
//
// It reports the median seconds of each, the medians of the ratios within a
// turn, and the requests. ns/op covers all three and says nothing.
func BenchmarkRefresh(b *testing.B) {
	b.Run("olareg", func(b *testing.B) { refresh(b, newWorld(b)) })
	b.Run("distribution", func(b *testing.B) {
		w := newWorld(b)
		w.staging.Host = registrytest.Distribution(b)
		w.config.Registries[w.staging.Host] = config.Registry{
			Host: w.staging.Host, Read: &config.Identity{Anonymous: true}, PlainHTTP: true, Listed: true,
		}
		w.config.Services[0].Staging = w.staging.String()
		refresh(b, w)
	})
}

func refresh(b *testing.B, w *world) {
	w.fill(refreshTags)
	var cold, warm, peer, coldRatio, warmRatio []float64
	var coldAsked, warmAsked, peerAsked int
	ours := func() {
		s, err := store.Open(b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		w.desk = w.newDesk(s)
		w.requests()
		cold = append(cold, seconds(func() { w.list() }))
		coldAsked = len(w.requests())
		warm = append(warm, seconds(func() { w.list() }))
		warmAsked = len(w.requests())
		w.desk.Close()
	}
	theirs := func() {
		p := &peerProcess{b: b, repo: w.staging, view: w.config.Services[0].Limit}
		peer = append(peer, seconds(p.list))
		peerAsked = p.close()
	}
	for i := 0; b.Loop(); i++ {
		if i%2 == 0 {
			ours()
			theirs()
		} else {
			theirs()
			ours()
		}
		coldRatio = append(coldRatio, cold[i]/peer[i])
		warmRatio = append(warmRatio, warm[i]/cold[i])
	}
	if most := 1 + refreshTags + 3*refreshTags; coldAsked > most {
		b.Errorf("a cold refresh asked %d times, more than %d", coldAsked, most)
	}
	for unit, v := range map[string]float64{
		"cold-s": median(cold), "warm-s": median(warm), "peer-s": median(peer),
		"cold/peer": median(coldRatio), "warm/cold": median(warmRatio),
		"cold-requests": float64(coldAsked), "warm-requests": float64(warmAsked), "peer-requests": float64(peerAsked),
	} {
		b.ReportMetric(v, unit)
	}
}

// fill pushes n tags of distinct images; the candidates in view have signed evidence.
func (w *world) fill(n int) {
	w.t.Helper()
	view := w.config.Services[0].Limit
	group := errgroup.Group{}
	group.SetLimit(peerWorkers)
	for i := range n {
		group.Go(func() error {
			dg := w.push(w.staging, fmt.Sprintf("v1.%04d", i), image(fmt.Sprint(i), w.now.Add(time.Duration(i-n)*time.Minute)))
			if i >= n-view {
				w.good(dg)
			}
			return nil
		})
	}
	_ = group.Wait() // what fails ends the benchmark
}

func seconds(do func()) float64 {
	start := time.Now()
	do()
	return time.Since(start).Seconds()
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// peerProcess reads with go-containerregistry what a cold refresh reads: the
// tag list, a HEAD for each tag, manifest and configuration of each digest,
// and of those in view the referrers with manifest and bundle of each.
type peerProcess struct {
	b      *testing.B
	repo   registry.Repository
	view   int
	puller *remote.Puller
	pool   *http.Transport
	mu     sync.Mutex
	asked  int
}

// RoundTrip counts.
func (p *peerProcess) RoundTrip(q *http.Request) (*http.Response, error) {
	p.mu.Lock()
	p.asked++
	p.mu.Unlock()
	return p.pool.RoundTrip(q)
}

func (p *peerProcess) close() int {
	p.pool.CloseIdleConnections()
	return p.asked
}

func (p *peerProcess) must(err error) {
	if err != nil {
		p.b.Error(err)
		panic(err) // on any goroutine
	}
}

func (p *peerProcess) list() {
	ctx := p.b.Context()
	p.pool = remote.DefaultTransport.(*http.Transport).Clone()
	p.pool.MaxIdleConnsPerHost = 64 // as ours keeps
	var err error
	p.puller, err = remote.NewPuller(remote.WithTransport(p), remote.WithJobs(peerWorkers))
	p.must(err)
	repo, err := name.NewRepository(p.repo.String(), name.Insecure)
	p.must(err)
	tags, err := p.puller.List(ctx, repo)
	p.must(err)
	slices.Sort(tags)
	tags = slices.DeleteFunc(tags, func(t string) bool { return !strings.HasPrefix(t, "v") })
	digests := make([]name.Digest, len(tags))
	each(tags, func(i int, tag string) {
		d, err := p.puller.Head(ctx, repo.Tag(tag))
		p.must(err)
		digests[i] = repo.Digest(d.Digest.String())
	})
	each(digests, func(_ int, d name.Digest) {
		img := p.image(ctx, d)
		_, err := img.RawConfigFile()
		p.must(err)
	})
	each(digests[max(0, len(digests)-p.view):], func(_ int, d name.Digest) { p.evidence(ctx, d) })
}

func (p *peerProcess) image(ctx context.Context, d name.Digest) v1.Image {
	desc, err := p.puller.Get(ctx, d)
	p.must(err)
	img, err := desc.Image()
	p.must(err)
	return img
}

// evidence reads what hangs on a digest.
func (p *peerProcess) evidence(ctx context.Context, d name.Digest) {
	index, err := remote.Referrers(d, remote.WithContext(ctx), remote.Reuse(p.puller))
	p.must(err)
	list, err := index.IndexManifest()
	p.must(err)
	for _, m := range list.Manifests {
		layers, err := p.image(ctx, d.Context().Digest(m.Digest.String())).Layers()
		p.must(err)
		for _, l := range layers {
			body, err := l.Compressed()
			p.must(err)
			_, err = io.Copy(digest.SHA256.Hash(), body)
			p.must(err)
			p.must(body.Close())
		}
	}
}

// each does all, 16 at a time.
func each[T any](all []T, do func(int, T)) {
	group := errgroup.Group{}
	group.SetLimit(peerWorkers)
	for i, one := range all {
		group.Go(func() error {
			do(i, one)
			return nil
		})
	}
	_ = group.Wait()
}
