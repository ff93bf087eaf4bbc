package registry_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"plimsoll/registry"
	"plimsoll/registry/embedded"
	"plimsoll/registry/registrytest"
)

// peak samples the memory in use until stop, above what is in use now.
func peak() (stop func() uint64) {
	runtime.GC()
	used := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	idle := used()
	var most atomic.Uint64
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				most.Store(max(most.Load(), used()))
			case <-end:
				return
			}
		}
	}()
	return func() uint64 {
		close(end)
		<-ended
		return max(most.Load(), idle) - idle
	}
}

func TestMemoryDoesNotGrowWithTheLayer(t *testing.T) {
	const most = 40 << 20
	c := registrytest.Client(t)
	source, target := at(registrytest.Distribution(t), "staging/model"), at(registrytest.Distribution(t), "prod/model")
	weights := build(t, platform("amd64", false, file(1, 256<<20, embedded.Plain), file(2, 30<<20, embedded.Plain)))

	stop := peak()
	must(t, weights.Push(t.Context(), c, source))
	if used := stop(); used > most {
		t.Errorf("making and pushing 256 MB took %d MiB", used>>20)
	}

	stop = peak()
	copied, err := registry.Copy(t.Context(), registry.CopyRequest{
		From: c, Source: source, To: c, Target: target, Root: weights.Descriptor().Digest, Report: func(registry.Progress) {},
	})
	used := stop()
	must(t, err)
	if used > most || copied.Bytes < 256<<20 {
		t.Errorf("copying %d bytes took %d MiB", copied.Bytes, used>>20)
	}
	t.Logf("copying %d MiB took %.1f MiB", copied.Bytes>>20, float64(used)/(1<<20))
}
