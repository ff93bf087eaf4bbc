package acr_test

import (
	"fmt"
	"testing"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/registry"
)

func TestAListCostsOneRequestAPage(t *testing.T) {
	w := newWorld(t)
	want := map[string]registry.Manifest{}
	for n := range 130 {
		m := registry.Manifest{Raw: fmt.Appendf(nil, `{"schemaVersion":2,"n":%d}`, n)}
		tag := fmt.Sprintf("v%d", n)
		w.staging.Note("app", tag, m)
		want[tag] = m
	}
	image := w.push(t, w.staging, "app", "newest")
	read := w.client(registry.Read)
	items, ok, err := read.Inventory(t.Context(), w.staging.Repository("app"))
	must(t, err)
	if !ok || len(items) != 131 {
		t.Fatalf("%v, %d items", ok, len(items))
	}
	if first := items[0]; first.Digest != image.Descriptor.Digest || first.Tags[0] != "newest" || first.Size == 0 || first.Updated.IsZero() || first.Lock.Delete {
		t.Errorf("newest is %+v", first)
	}
	pages := 0
	for _, r := range w.Requests(staging) {
		if r.Path == "/acr/v1/app/_manifests" && r.Status == 200 {
			pages++
		}
	}
	if pages != 2 {
		t.Errorf("%d pages", pages)
	}
}

func TestWhoMayNotListIsAskedOnce(t *testing.T) {
	w := newWorld(t)
	w.push(t, w.staging, "app", "v1")
	w.entries[staging] = config.Registry{Read: &config.Identity{Azure: &config.AzureIdentity{Method: "environment"}}} // may pull only
	read := w.client(registry.Read)
	for range 2 {
		if _, ok, err := read.Inventory(t.Context(), w.staging.Repository("app")); ok || err != nil {
			t.Errorf("%v, %v", ok, err)
		}
		w.Forget()
	}
	_, _, _ = read.Inventory(t.Context(), w.staging.Repository("app"))
	if asked := w.Requests(staging); len(asked) != 0 {
		t.Errorf("asked again: %v", asked)
	}
}

func TestALockedReleaseStaysAndTheChannelMoves(t *testing.T) {
	w := newWorld(t)
	old := w.push(t, w.prod, "app", "release-1")
	next := w.push(t, w.prod, "app", "release-2")
	promote := w.client(registry.Promote)
	repo := w.prod.Repository("app")
	must(t, promote.PutManifest(t.Context(), repo, "live", old))
	for range 2 { // harmless to repeat
		if ok, err := promote.Lock(t.Context(), repo, old.Descriptor.Digest, "release-1"); !ok || err != nil {
			t.Fatalf("%v, %v", ok, err)
		}
	}
	if l := w.prod.Locks("app", old.Descriptor.Digest.String()); l["deleteEnabled"] || !l["writeEnabled"] {
		t.Errorf("manifest: %v", l)
	}
	if l := w.prod.Locks("app", "release-1"); l["deleteEnabled"] || l["writeEnabled"] {
		t.Errorf("release tag: %v", l)
	}
	if err := promote.PutManifest(t.Context(), repo, "release-1", next); err == nil {
		t.Error("a locked tag was moved")
	}
	must(t, promote.PutManifest(t.Context(), repo, "live", next))
}

func TestALockThatIsRefusedIsARefusal(t *testing.T) {
	w := newWorld(t)
	m := w.push(t, w.prod, "app", "release-1")
	read := w.client(registry.Read)
	if _, err := read.Lock(t.Context(), w.prod.Repository("app"), m.Descriptor.Digest, "release-1"); fault.CodeOf(err) != fault.Refused {
		t.Errorf("got %v", err)
	}
	quiet := w.client(registry.Read, func(o *registry.Options) { o.ReadOnly = true })
	if _, err := quiet.Lock(t.Context(), w.prod.Repository("app"), m.Descriptor.Digest, "release-1"); fault.CodeOf(err) != fault.Usage {
		t.Errorf("got %v", err)
	}
}
