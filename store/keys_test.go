package store

import (
	"sync"
	"testing"
)

func TestAKeyIsPinnedOnceAndReplacedOnlyOnPurpose(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const ref = "azurekms://acme.vault.azure.net/ci"
	if _, found, err := s.PinnedKey(ref); found || err != nil {
		t.Fatalf("an empty store has a key: %v", err)
	}
	var wg sync.WaitGroup
	got := make([]string, 4)
	for i := range got {
		wg.Go(func() {
			now, err := s.PinKey(ref, []byte{byte('a' + i)}, false)
			if err != nil {
				t.Error(err)
			}
			got[i] = string(now)
		})
	}
	wg.Wait()
	pem, found, err := s.PinnedKey(ref)
	if !found || err != nil {
		t.Fatalf("not pinned: %v", err)
	}
	for _, g := range got {
		if g != string(pem) {
			t.Errorf("one of those who pinned at once got %q, pinned is %q", g, pem)
		}
	}
	if now, err := s.PinKey(ref, []byte("new"), true); err != nil || string(now) != "new" {
		t.Errorf("replaced: %q, %v", now, err)
	}
	if pem, _, _ := s.PinnedKey(ref); string(pem) != "new" {
		t.Errorf("pinned is %q", pem)
	}
	for _, path := range []string{"/etc/plimsoll.yaml", `C:\plimsoll.yaml`, "c://x", "", "://", "azurekms://"} {
		if _, err := s.PinKey(path, []byte("x"), true); err == nil {
			t.Errorf("%q is taken for a reference", path)
		}
	}
}
