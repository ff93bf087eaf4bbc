package ecr_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/registry"
	"plimsoll/registry/ecr/ecrtest"
	"plimsoll/registry/registrytest"
)

// statement is a referrer of an image; its blobs are in the repository.
func statement(t *testing.T, w *world, subject registry.Manifest, text string) registry.Manifest {
	t.Helper()
	raw, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: "application/vnd.example.evidence",
		Config: ocispec.DescriptorEmptyJSON, Layers: []ocispec.Descriptor{ocispec.DescriptorEmptyJSON}, Subject: &subject.Descriptor,
		Annotations: map[string]string{"text": text},
	})
	must(t, err)
	must(t, registrytest.Client(t).PutBlob(t.Context(), w.prod.Behind("app"), []byte("{}")))
	return registry.Manifest{Raw: raw, Descriptor: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest}}
}

func TestAListCostsOneRequestAThousandImages(t *testing.T) {
	w := newWorld(t)
	older := w.push(t, w.prod, "release-1")
	w.prod.Image("app", older.Descriptor.Digest).Pushed = time.Now().Add(-time.Hour)
	newer := w.push(t, w.prod, "live")
	w.prod.Image("app", newer.Descriptor.Digest).Scan = []map[string]any{scanned("COMPLETE", nil)}
	must(t, w.client(registry.Promote).Attach(t.Context(), w.prod.Repository("app"), statement(t, w, newer, "e2e")))
	items, offered, err := w.client(registry.Read).Inventory(t.Context(), w.prod.Repository("app"))
	must(t, err)
	if !offered || len(items) != 3 || w.Actions("DescribeImages") != 1 {
		t.Fatalf("%v, %d requests: %+v", offered, w.Actions("DescribeImages"), items)
	}
	evidence, image, first := items[0], items[1], items[2]
	if evidence.Subject != newer.Descriptor.Digest || evidence.ArtifactType != "application/vnd.example.evidence" || len(evidence.Tags) != 0 {
		t.Errorf("evidence: %+v", evidence)
	}
	if image.Digest != newer.Descriptor.Digest || strings.Join(image.Tags, " ") != "live" || image.Scan != "COMPLETE" || image.Lock.Write ||
		image.Size <= int64(len(newer.Raw)) || image.MediaType != newer.Descriptor.MediaType || image.ConfigType != ocispec.MediaTypeImageConfig {
		t.Errorf("image: %+v", image)
	}
	if first.Digest != older.Descriptor.Digest || !first.Lock.Write || time.Since(first.Created) < time.Hour {
		t.Errorf("a release tag is immutable: %+v", first)
	}
}

func TestAListHasAllPages(t *testing.T) {
	w := newWorld(t)
	for i := range 1005 {
		raw := fmt.Appendf(nil, `{"schemaVersion":2,"config":{"size":%d}}`, i)
		w.prod.Note("app", fmt.Sprintf("v%d", i), registry.Manifest{Raw: raw, Descriptor: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest}})
	}
	items, _, err := w.client(registry.Read).Inventory(t.Context(), w.prod.Repository("app"))
	if err != nil || len(items) != 1005 || w.Actions("DescribeImages") != 2 {
		t.Errorf("%d items in %d requests, %v", len(items), w.Actions("DescribeImages"), err)
	}
}

func TestWhoMayNotListByTheAPIListsTags(t *testing.T) {
	w := newWorld(t)
	w.Allow(person, map[string][]string{"arn:aws:ecr:*:*:repository/*": {"ecr:ListImages"}})
	c := w.client(registry.Read)
	for range 2 {
		if _, offered, err := c.Inventory(t.Context(), w.prod.Repository("app")); offered || err != nil {
			t.Errorf("%v, %v", offered, err)
		}
	}
	_, _, err := w.client(registry.Promote).Inventory(t.Context(), w.prod.Repository("gone"))
	if !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestABusyECRIsAskedAgain(t *testing.T) {
	w := newWorld(t)
	w.push(t, w.prod, "v1")
	w.Throttle(1)
	items, _, err := w.client(registry.Read).Inventory(t.Context(), w.prod.Repository("app"))
	if err != nil || len(items) != 1 {
		t.Errorf("%v, %v", items, err)
	}
}

const day = 24 * time.Hour

func TestTheLifecyclePolicyTellsHowLongImagesStay(t *testing.T) {
	rule := func(priority int, selection string) string {
		return fmt.Sprintf(`{"rulePriority":%d,"selection":{%s},"action":{"type":"expire"}}`, priority, selection)
	}
	untagged := rule(1, `"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":14`)
	for name, c := range map[string]struct {
		rules []string
		want  registry.Retention
	}{
		"untagged for some days": {[]string{untagged}, registry.Retention{Untagged: 14 * day}},
		"the newest untagged":    {[]string{rule(1, `"tagStatus":"untagged","countType":"imageCountMoreThan","countNumber":10`)}, registry.Retention{UntaggedKept: 10}},
		"other tags only":        {[]string{rule(1, `"tagStatus":"tagged","tagPrefixList":["main-"],"countType":"imageCountMoreThan","countNumber":5`)}, registry.Retention{}},
		"everything, at last": {
			[]string{rule(9, `"tagStatus":"any","countType":"sinceImagePushed","countUnit":"days","countNumber":100`), untagged},
			registry.Retention{Untagged: 14 * day, Released: 100 * day},
		},
		"release tags by a pattern": {[]string{rule(1, `"tagStatus":"tagged","tagPatternList":["rel*"],"countType":"imageCountMoreThan","countNumber":30`)}, registry.Retention{ReleasedKept: 30}},
		"some release tags, then all": {[]string{
			rule(1, `"tagStatus":"tagged","tagPatternList":["release-a*"],"countType":"sinceImagePushed","countUnit":"days","countNumber":365`),
			rule(2, `"tagStatus":"any","countType":"sinceImagePushed","countUnit":"days","countNumber":200`),
		}, registry.Retention{Untagged: 200 * day, Released: 200 * day}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.prod.Change("app", func(r *ecrtest.Repository) { r.Lifecycle = `{"rules":[` + strings.Join(c.rules, ",") + `]}` })
			got, offered, err := w.client(registry.Read).Retention(t.Context(), w.prod.Repository("app"))
			must(t, err)
			if !strings.Contains(got.Detail, "lifecycle policy") || !got.Known || !offered {
				t.Errorf("%+v", got)
			}
			if got.Detail, got.Known = "", false; got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestWithoutALifecyclePolicyImagesStay(t *testing.T) {
	w := newWorld(t)
	got, _, err := w.client(registry.Read).Retention(t.Context(), w.prod.Repository("app"))
	if err != nil || !got.Known || got.Untagged != 0 || got.Released != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	w.Allow(person, map[string][]string{"arn:aws:ecr:*:*:repository/*": {"ecr:BatchGetImage"}})
	got, _, err = w.client(registry.Read).Retention(t.Context(), w.prod.Repository("app"))
	if err != nil || got.Known || !strings.Contains(got.Detail, "ecr:GetLifecyclePolicy") {
		t.Errorf("%+v, %v", got, err)
	}
	w.prod.Change("app", func(r *ecrtest.Repository) {
		r.Lifecycle = `{"rules":[{"rulePriority":1,"selection":{"countType":"tomorrow"}}]}`
	})
	_, _, err = w.client(registry.Promote).Retention(t.Context(), w.prod.Repository("app"))
	if err == nil || !strings.Contains(err.Error(), "tomorrow") {
		t.Errorf("a rule that is not understood is no rule that keeps: %v", err)
	}
}

func TestBlobsAreMountedWhereTheAccountAllowsIt(t *testing.T) {
	for name, mounting := range map[string]bool{"allowed": true, "not allowed": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.prod.Mounting = mounting
			w.prod.Create(ecrtest.Repository{Name: "canary"})
			m := w.push(t, w.prod, "v1")
			promote := w.client(registry.Promote)
			copied, err := registry.Copy(t.Context(), registry.CopyRequest{
				From: promote, Source: w.prod.Repository("app"), To: promote, Target: w.prod.Repository("canary"), Root: m.Descriptor.Digest,
			})
			must(t, err)
			if mounting != (copied.Mounted > 0) || mounting != (copied.Bytes == 0) {
				t.Errorf("%+v", copied)
			}
			must(t, registry.Complete(t.Context(), w.client(registry.Read), w.prod.Repository("canary"), m.Descriptor.Digest))
		})
	}
}

func TestTheSessionNamesPersonAndOperationHoweverLong(t *testing.T) {
	w := newWorld(t)
	w.push(t, w.prod, "v1")
	const operation = "20261124T050000.000001Z-ABCDEF"
	for who, want := range map[string]string{
		"a.very.long.name.of.a.person@department.example.com": "plimsoll-a.very.long.name.of.a.pe-" + operation,
		"Zoë \u202eevil": "plimsoll-Zo-evil-" + operation,
		"":               "plimsoll-" + operation,
	} {
		c := w.client(registry.Promote)
		_, err := c.Head(registry.WithErrand(t.Context(), registry.Errand{Person: who, Operation: operation}), w.prod.Repository("app"), "v1")
		must(t, err)
		if subject, _ := c.Identity(w.prod.Host); !strings.HasSuffix(subject, "/"+want) {
			t.Errorf("%s, want %s", subject, want)
		}
	}
}

func TestAPersonSignsInAtIdentityCenter(t *testing.T) {
	w := newWorld(t)
	w.push(t, w.prod, "v1")
	const start = "https://acme.awsapps.com/start"
	w.entries[w.prod.Host] = config.Registry{Read: &config.Identity{AWS: &config.AWSIdentity{Profile: "sso"}}}
	w.signInto(t, start, time.Now().Add(time.Hour))
	c := w.client(registry.Read)
	_, err := c.Head(t.Context(), w.prod.Repository("app"), "v1")
	must(t, err)
	if subject, _ := c.Identity(w.prod.Host); subject != "arn:aws:sts::222222222222:assumed-role/Reader/ada@example.com" {
		t.Errorf("%q", subject)
	}
	w.signInto(t, start, time.Now().Add(-time.Minute))
	_, err = w.client(registry.Read).Head(t.Context(), w.prod.Repository("app"), "v1")
	if fault.CodeOf(err) != fault.Usage || !strings.Contains(fault.HintOf(err), "aws sso login --profile sso") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
}
