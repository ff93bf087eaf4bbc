package acr_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"plimsoll/config/fault"
	"plimsoll/registry"
	"plimsoll/registry/acr/acrtest"
)

func (w *world) order(m registry.Manifest) registry.ImportRequest {
	return registry.ImportRequest{
		Source: w.staging.Repository("app"), Target: w.prod.Repository("app"), Digest: m.Descriptor.Digest, Tag: "release-1",
	}
}

func TestAzureCopiesByItself(t *testing.T) {
	w := newWorld(t)
	image := w.push(t, w.staging, "app", "v1")
	w.Import(acrtest.Importing{Polls: 3})
	promote := w.client(registry.Promote)
	var journal string
	var said []string
	r := w.order(image)
	r.Journal = func(token string) error { journal = token; return nil }
	r.Report = func(s string) { said = append(said, s) }
	must(t, promote.Import(t.Context(), r))
	must(t, registry.Complete(t.Context(), w.client(registry.Read), w.prod.Repository("app"), image.Descriptor.Digest))
	if d, err := promote.Head(t.Context(), w.prod.Repository("app"), "release-1"); err != nil || d.Digest != image.Descriptor.Digest {
		t.Errorf("release tag: %v, %v", d.Digest, err)
	}
	if !strings.Contains(journal, "pollURL") || len(said) == 0 {
		t.Errorf("journal %q, said %v", journal, said)
	}
	for _, q := range w.Requests(acrtest.Manager) {
		if q.Principal != release {
			t.Errorf("%s", q)
		}
	}
}

func TestAnImportIsTakenUpAfterACrash(t *testing.T) {
	w := newWorld(t)
	image := w.push(t, w.staging, "app", "v1")
	w.Import(acrtest.Importing{Polls: 2})
	crash := errors.New("crash")
	var journal string
	r := w.order(image)
	r.Journal = func(token string) error { journal = token; return crash }
	if err := w.client(registry.Promote).Import(t.Context(), r); !errors.Is(err, crash) {
		t.Fatal(err)
	}
	r.Resume, r.Journal = journal, nil
	must(t, w.client(registry.Promote).Import(t.Context(), r))
	if orders := w.Imports(); len(orders) != 1 {
		t.Errorf("ordered %v", orders)
	}
	must(t, registry.Complete(t.Context(), w.client(registry.Read), w.prod.Repository("app"), image.Descriptor.Digest))
}

func TestAnOrderThatAzureForgotIsPlacedAgain(t *testing.T) {
	w := newWorld(t)
	image := w.push(t, w.staging, "app", "v1")
	crash := errors.New("crash")
	r := w.order(image)
	r.Journal = func(token string) error {
		r.Resume = strings.Replace(token, "operations/0", "operations/99", 1)
		return crash
	}
	if err := w.client(registry.Promote).Import(t.Context(), r); !errors.Is(err, crash) || !strings.Contains(r.Resume, "operations/99") {
		t.Fatal(err, r.Resume)
	}
	journal := ""
	r.Journal = func(token string) error { journal = token; return nil }
	must(t, w.client(registry.Promote).Import(t.Context(), r))
	if len(w.Imports()) != 2 || journal == "" {
		t.Errorf("ordered %v, journal %q", w.Imports(), journal)
	}
	must(t, registry.Complete(t.Context(), w.client(registry.Read), w.prod.Repository("app"), image.Descriptor.Digest))
}

func TestAReleaseTagThatIsThereIsNotOverwritten(t *testing.T) {
	w := newWorld(t)
	other := w.push(t, w.prod, "app", "release-1")
	image := w.push(t, w.staging, "app", "v1")
	promote := w.client(registry.Promote)
	must(t, promote.Import(t.Context(), w.order(image)))
	d, err := promote.Head(t.Context(), w.prod.Repository("app"), "release-1")
	if err != nil || d.Digest != other.Descriptor.Digest {
		t.Errorf("release tag: %v, %v", d.Digest, err)
	}
	must(t, registry.Complete(t.Context(), promote, w.prod.Repository("app"), image.Descriptor.Digest))
}

func TestAReleaseTagOfTheSameDigestIsDone(t *testing.T) {
	w := newWorld(t)
	image := w.push(t, w.staging, "app", "v1")
	promote := w.client(registry.Promote)
	for range 2 { // the second order is refused: NoForce, and the tag is there
		must(t, promote.Import(t.Context(), w.order(image)))
	}
	d, err := promote.Head(t.Context(), w.prod.Repository("app"), "release-1")
	if err != nil || d.Digest != image.Descriptor.Digest {
		t.Errorf("release tag: %v, %v", d.Digest, err)
	}
}

func TestASoftlyDeletedDigestIsNotTakenAgainUntilItIsRestored(t *testing.T) {
	w := newWorld(t)
	m := w.push(t, w.prod, "app", "release-1")
	w.prod.SoftDelete("app", m.Descriptor.Digest)
	promote, repo := w.client(registry.Promote), w.prod.Repository("app")
	err := promote.PutManifest(t.Context(), repo, m.Descriptor.Digest.String(), m)
	if fault.CodeOf(err) != fault.Failed || !strings.Contains(err.Error(), "bin") || !strings.Contains(fault.HintOf(err), "az acr manifest deleted restore") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
	must(t, promote.Restore(t.Context(), repo, m.Descriptor.Digest, "release-1"))
	must(t, promote.PutManifest(t.Context(), repo, m.Descriptor.Digest.String(), m))
}

func TestWhatAzureDoesNotImportCanBeStreamed(t *testing.T) {
	for name, spoil := range map[string]func(w *world){
		"the operation fails":     func(w *world) { w.Import(acrtest.Importing{Polls: 1, Fail: "InvalidImage"}) },
		"the order is refused":    func(w *world) { w.Import(acrtest.Importing{Refuse: "RegistryBusy"}) },
		"it never ends":           func(w *world) { w.Import(acrtest.Importing{Never: true}) },
		"no import entry":         func(w *world) { e := w.entries[prod]; e.Import = nil; w.entries[prod] = e },
		"the role does not allow": func(w *world) { w.Revoke(release, prod, "importImage") },
		"nor in staging":          func(w *world) { w.Revoke(release, staging, "pull") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			image := w.push(t, w.staging, "app", "v1")
			spoil(w)
			now := time.Now()
			w.options.Now = func() time.Time { return now }
			w.options.Sleep = func(context.Context, time.Duration) error { now = now.Add(20 * time.Minute); return nil }
			err := w.client(registry.Promote).Import(t.Context(), w.order(image))
			if !errors.Is(err, registry.ErrUnsupported) {
				t.Errorf("got %v", err)
			}
			for _, secret := range w.Secrets() {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("%v", err)
				}
			}
		})
	}
}

func TestAnImportThatHasArrivedIsDone(t *testing.T) {
	w := newWorld(t)
	image := w.push(t, w.staging, "app", "v1")
	w.Import(acrtest.Importing{Never: true, Arrive: true})
	promote := w.client(registry.Promote)
	r := w.order(image)
	r.Arrived = func(ctx context.Context) (bool, error) {
		_, err := promote.Head(ctx, r.Target, r.Digest.String())
		if errors.Is(err, registry.ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	}
	must(t, promote.Import(t.Context(), r))
}

func TestRetentionIsReadFromTheRegistry(t *testing.T) {
	w := newWorld(t)
	w.prod.Properties["policies"] = map[string]any{
		"retentionPolicy": map[string]any{"status": "enabled", "days": 7}, "softDeletePolicy": map[string]any{"status": "enabled", "retentionDays": 14},
	}
	r, ok, err := w.client(registry.Promote).Retention(t.Context(), w.prod.Repository("app"))
	must(t, err)
	if !ok || !r.Known || r.Untagged != 7*24*time.Hour || r.SoftDelete != 14*24*time.Hour {
		t.Errorf("%v %+v", ok, r)
	}
	if _, _, err := w.client(registry.Read).Retention(t.Context(), w.prod.Repository("app")); fault.CodeOf(err) != fault.Refused {
		t.Errorf("got %v", err)
	}
}

func TestADeletedDigestComesBack(t *testing.T) {
	w := newWorld(t)
	m := w.push(t, w.prod, "app", "release-1")
	w.prod.SoftDelete("app", m.Descriptor.Digest)
	promote, repo := w.client(registry.Promote), w.prod.Repository("app")
	if _, err := promote.Head(t.Context(), repo, "release-1"); !errors.Is(err, registry.ErrNotFound) {
		t.Fatal(err)
	}
	must(t, promote.Restore(t.Context(), repo, m.Descriptor.Digest, "release-1"))
	if d, err := promote.Head(t.Context(), repo, "release-1"); err != nil || d.Digest != m.Descriptor.Digest {
		t.Errorf("%v, %v", d.Digest, err)
	}
	if err := promote.Restore(t.Context(), repo, m.Descriptor.Digest, "release-1"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
