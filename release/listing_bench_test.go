package release_test

import (
	"fmt"
	"testing"
	"time"

	"plimsoll/store"
)

// thousand is a staging repository of a thousand tags of distinct images; the
// candidates in view have signed evidence.
func thousand(b *testing.B) *world {
	w := newWorld(b)
	const tags = 1000
	for i := range tags {
		dg := w.push(w.staging, fmt.Sprintf("v1.%d", i), image(fmt.Sprint(i), w.now.Add(time.Duration(i-tags)*time.Minute)))
		if i >= tags-w.config.Services[0].Limit {
			w.good(dg)
		}
	}
	w.requests()
	return w
}

// BenchmarkListCold reads a thousand tags on a machine that knows nothing.
func BenchmarkListCold(b *testing.B) {
	w := thousand(b)
	for b.Loop() {
		b.StopTimer()
		s, err := store.Open(b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		w.desk = w.newDesk(s)
		b.StartTimer()
		w.list()
	}
	b.ReportMetric(float64(len(w.requests()))/float64(b.N), "requests/op")
}

// BenchmarkListWarm refreshes the same service.
func BenchmarkListWarm(b *testing.B) {
	w := thousand(b)
	w.list()
	w.requests()
	for b.Loop() {
		w.list()
	}
	b.ReportMetric(float64(len(w.requests()))/float64(b.N), "requests/op")
}
