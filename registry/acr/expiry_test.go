package acr_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"plimsoll/registry"
	"plimsoll/registry/acr/acrtest"
	"plimsoll/registry/embedded"
	"plimsoll/registry/registrytest"
)

// TestAPromotionOutlivesItsTokens copies an image while the tokens end: once
// because the registry says so in the middle, once because every token ends after
// a few layers. The registry's clock goes by layers, not by this machine's speed.
func TestAPromotionOutlivesItsTokens(t *testing.T) {
	for name, spoil := range map[string]func(w *world, n int){
		"access tokens end half-way": func(w *world, n int) {
			if n == 3 {
				w.SetNow(func() time.Time { return time.Now().Add(80 * time.Minute) })
			}
		},
		"every token is short": func(w *world, n int) {
			if n == 0 {
				w.prod.RefreshLife, w.prod.AccessLife = 30*time.Second, 10*time.Second
				w.staging.RefreshLife, w.staging.AccessLife = 30*time.Second, 10*time.Second
			}
			w.SetNow(func() time.Time { return time.Now().Add(time.Duration(n) * 4 * time.Second) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			spoil(w, 0)
			layers := make([]embedded.Layer, 8)
			for i := range layers {
				layers[i] = embedded.Layer{Compression: embedded.Plain, Files: []embedded.File{{Path: "f", Random: 3 << 20, Seed: uint64(i)}}}
			}
			c := registrytest.Client(t)
			dg, err := embedded.Push(t.Context(), c, w.staging.Behind("app"), []string{"v1"}, embedded.Image{Layers: layers})
			must(t, err)
			var mu sync.Mutex
			writes := 0
			promote := w.client(registry.Promote, func(o *registry.Options) {
				o.Trace = func(method, _ string, status int, _ time.Duration) {
					if method == http.MethodPut && status == http.StatusCreated {
						mu.Lock()
						defer mu.Unlock()
						writes++
						spoil(w, writes)
					}
				}
			})
			read := w.client(registry.Read)
			_, err = registry.Copy(t.Context(), registry.CopyRequest{
				From: read, Source: w.staging.Repository("app"), To: promote, Target: w.prod.Repository("app"), Root: dg,
			})
			must(t, err)
			tokens := slices.DeleteFunc(w.Requests(prod), func(r acrtest.Request) bool { return r.Path != "/oauth2/token" || r.Method != http.MethodPost })
			if len(tokens) < 3 { // two if none ends: one to write, one to read it back
				t.Errorf("%d tokens were asked for: none ended", len(tokens))
			}
			w.SetNow(time.Now) // the token that az prints ends too, by the other clock
			must(t, registry.Complete(t.Context(), read, w.prod.Repository("app"), dg))
		})
	}
}
