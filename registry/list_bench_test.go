package registry_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"

	"plimsoll/registry"
	"plimsoll/registry/embedded"
	"plimsoll/registry/registrytest"
)

// BenchmarkTags lists a thousand tags of a distribution registry and asks what
// each points at, 16 at a time, in turns with go-containerregistry doing the
// same in this process on as many kept connections:
//
//	go test ./registry -run '^$' -bench '^BenchmarkTags$' -benchtime 5x
//
// It reports the median seconds of both and the median of the ratios within each turn.
func BenchmarkTags(b *testing.B) {
	repo := at(registrytest.Distribution(b), "staging/app")
	client := registrytest.Client(b)
	image := build(b, platform("amd64", false, file(1, 1<<10, embedded.Gzip)))
	group := errgroup.Group{}
	group.SetLimit(16)
	for i := range 1000 {
		group.Go(func() error { return image.Push(b.Context(), client, repo, fmt.Sprintf("v%d", i)) })
	}
	must(b, group.Wait())
	ours := func() float64 {
		client.Close() // as a program that has just started: no connection is open
		start := time.Now()
		tags, err := client.Tags(b.Context(), repo)
		must(b, err)
		many(b, tags, func(tag string) error {
			_, err := client.Head(b.Context(), repo, tag)
			return err
		})
		return time.Since(start).Seconds()
	}
	var us, them, ratio []float64
	for i := 0; b.Loop(); i++ {
		var a, c float64
		if i%2 == 0 {
			a, c = ours(), peerTags(b, repo)
		} else {
			c, a = peerTags(b, repo), ours()
		}
		us, them, ratio = append(us, a), append(them, c), append(ratio, a/c)
	}
	b.ReportMetric(median(us), "s/plimsoll")
	b.ReportMetric(median(them), "s/peer")
	b.ReportMetric(median(ratio), "ratio")
}

func peerTags(b *testing.B, r registry.Repository) float64 {
	pool := remote.DefaultTransport.(*http.Transport).Clone()
	pool.MaxIdleConnsPerHost = 64 // as ours keeps
	defer pool.CloseIdleConnections()
	repo, err := name.NewRepository(r.String(), name.Insecure)
	must(b, err)
	start := time.Now()
	puller, err := remote.NewPuller(remote.WithTransport(pool), remote.WithJobs(16))
	must(b, err)
	tags, err := puller.List(b.Context(), repo)
	must(b, err)
	many(b, tags, func(tag string) error {
		_, err := puller.Head(b.Context(), repo.Tag(tag))
		return err
	})
	return time.Since(start).Seconds()
}

// many asks about a thousand tags, 16 at a time.
func many(b *testing.B, tags []string, ask func(tag string) error) {
	if len(tags) != 1000 {
		b.Fatalf("%d tags", len(tags))
	}
	group := errgroup.Group{}
	group.SetLimit(16)
	for _, t := range tags {
		group.Go(func() error { return ask(t) })
	}
	must(b, group.Wait())
}
