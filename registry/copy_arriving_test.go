package registry_test

import (
	"testing"

	"plimsoll/registry"
	"plimsoll/registry/embedded"
	"plimsoll/registry/registrytest"
)

func TestWhatARegistryCopiesByItselfIsSeenArriving(t *testing.T) {
	c := registrytest.Client(t)
	source := registry.Repository{Host: registrytest.Embedded(t), Path: "staging/app"}
	target := registry.Repository{Host: registrytest.Embedded(t), Path: "prod/app"}
	layers := func(seed uint64) embedded.Image {
		img := embedded.Image{}
		for n := range uint64(6) {
			img.Layers = append(img.Layers, embedded.Layer{Compression: embedded.Plain, Files: []embedded.File{{Path: "f", Random: 1000, Seed: seed + n}}})
		}
		return img
	}
	root, err := embedded.Push(t.Context(), c, source, []string{"v1"}, layers(1), layers(4)) // three layers are shared
	if err != nil {
		t.Fatal(err)
	}
	a, err := registry.Watch(t.Context(), c, source, root, c, target)
	if err != nil {
		t.Fatal(err)
	}
	first := a.Look(t.Context())
	if first.Bytes != 0 || first.Blob != 0 || first.Total == 0 || len(first.Blobs) != 9+2 {
		t.Errorf("nothing has arrived: %+v", first)
	}
	if _, err := registry.Copy(t.Context(), registry.CopyRequest{From: c, Source: source, To: c, Target: target, Root: root}); err != nil {
		t.Fatal(err)
	}
	if last := a.Look(t.Context()); last.Bytes != last.Total || last.Total != first.Total || last.Blob != len(last.Blobs) || last.Moved != 0 {
		t.Errorf("all has arrived: %+v", last)
	}
	if _, err := registry.Watch(t.Context(), c, target, "sha256:0000000000000000000000000000000000000000000000000000000000000000", c, source); err == nil {
		t.Error("what is not there was watched")
	}
}
