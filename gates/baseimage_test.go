package gates_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
)

func baseWorld(t testing.TB) *world {
	return newWorld(t).gates(config.Gates{BaseImage: &config.BaseImageGate{Signers: []string{ci}, Pinned: true}})
}

func TestBuildKitsProvenanceCountsOnceCISignedTheIndex(t *testing.T) {
	w := baseWorld(t)
	w.add(w.buildKit(provenance(time.Hour, pinnedBase, frontend, gitContext), amd64), w.buildKit(provenance(time.Hour, pinnedBase), arm64))
	w.expect(gates.BaseImage, gates.Missing, "none", "counts once ci signed")
	w.add(w.tests(mallory, "smoke", time.Hour), w.sign(ci, evidence.TestResult, map[string]any{"result": "PASSED"}, elsewhere))
	w.expect(gates.BaseImage, gates.Missing)
	voucher := w.tests(ci, "smoke", time.Hour, "whatever it says")
	w.add(voucher)
	w.expect(gates.BaseImage, gates.Pass, "pinned", "built from debian:12-slim@sha256:aaaa", "inside the index that ci signed")
	if c := check(w.judge(), gates.BaseImage); len(c.Evidence) != 3 || !slices.Contains(c.Evidence, voucher.Manifest) {
		t.Errorf("what the check rests on does not hold the statement that vouches: %v", c.Evidence)
	}
}

func TestBuildKitsProvenanceOfTomorrowBlocks(t *testing.T) {
	w := baseWorld(t)
	w.in.Platforms = w.in.Platforms[:1]
	w.add(w.buildKit(provenance(-4*time.Minute, pinnedBase), amd64), w.tests(ci, "smoke", time.Hour))
	w.expect(gates.BaseImage, gates.Pass)
	w.add(w.buildKit(provenance(-day, pinnedBase), amd64))
	w.expect(gates.BaseImage, gates.Error, "inside the index is dated 2026-11-25 12:00 UTC, which is in the future")
}

// TestTheBuildersProvenanceIsNoNewsBesideAnAnswer: both gates read provenance, each of its own signers.
func TestTheBuildersProvenanceIsNoNewsBesideAnAnswer(t *testing.T) {
	w := baseWorld(t)
	w.in.Platforms = w.in.Platforms[:1]
	w.policy.Service.Gates.Provenance = &config.ProvenanceGate{Signers: []string{scanner}, Source: "https://github.com/acme/chat"}
	w.add(w.sign(scanner, evidence.SLSA1, provenance(time.Hour, gitContext), candidate))
	w.expect(gates.BaseImage, gates.Missing, "signed by scanner, and asked for is ci")
	w.add(w.sign(ci, evidence.SLSA1, provenance(time.Hour, pinnedBase), candidate))
	if c := w.expect(gates.BaseImage, gates.Pass); strings.Contains(strings.Join(c.Reasons, " "), "does not count") {
		t.Errorf("%q", c.Reasons)
	}
}

func TestBaseImageNamesWhatIsNotPinned(t *testing.T) {
	w := baseWorld(t)
	w.add(w.sign(ci, evidence.SLSA1, provenance(time.Hour, pinnedBase), amd64), w.sign(ci, evidence.SLSA1, provenance(time.Hour, pinnedBase, looseBase), arm64))
	w.expect(gates.BaseImage, gates.Fail, "1 not pinned", "linux/arm64/v8: alpine:3.22 is not pinned by digest; it resolved to sha256:bbbb",
		"write FROM alpine:3.22@sha256:"+strings.Repeat("b", 64))
	w.policy.Service.Gates.BaseImage.Pinned = false
	w.expect(gates.BaseImage, gates.Pass, "not pinned")
}

func TestBaseImageNeedsEveryPlatform(t *testing.T) {
	w := baseWorld(t)
	w.add(w.sign(ci, evidence.SLSA1, provenance(time.Hour, pinnedBase), candidate)) // names linux/amd64 by its purl
	w.expect(gates.BaseImage, gates.Missing, "no linux/arm64/v8")
	cross := pinnedBase
	cross.URI = strings.Replace(cross.URI, "amd64", "arm64", 1)
	w.in.Evidence = nil
	w.add(w.sign(ci, evidence.SLSA1, provenance(time.Hour, pinnedBase, cross), candidate))
	w.expect(gates.BaseImage, gates.Missing, "none")
}

func TestProvenanceV02Counts(t *testing.T) {
	w := baseWorld(t)
	w.in.Platforms = w.in.Platforms[:1]
	w.add(w.sign(ci, evidence.SLSA02, map[string]any{
		"buildType": "https://mobyproject.org/buildkit@v1", "materials": []any{pinnedBase}, "metadata": map[string]any{"buildFinishedOn": now.Format(time.RFC3339)},
	}, candidate))
	w.expect(gates.BaseImage, gates.Pass)
}

func TestProvenanceThatSeesNoDockerfileDoesNotCount(t *testing.T) {
	w := baseWorld(t)
	w.in.Platforms = w.in.Platforms[:1]
	w.add(w.sign(ci, evidence.SLSA1, map[string]any{"buildDefinition": map[string]any{
		"buildType": "https://actions.github.io/buildtypes/workflow/v1", "resolvedDependencies": []any{gitContext},
	}}, candidate))
	w.expect(gates.BaseImage, gates.Missing, "lists no image that the build began from")
	w.add(w.sign(ci, evidence.SLSA1, provenance(time.Hour, gitContext), candidate))
	w.expect(gates.BaseImage, gates.Pass, "from scratch")
}

// image is a material of BuildKit.
func image(purl string) dependency {
	return dependency{purl, map[string]string{"sha256": strings.Repeat("e", 64)}}
}

func TestBaseImagesComeFromAllowedRepositories(t *testing.T) {
	pin := "digest=sha256:" + strings.Repeat("e", 64)
	for purl, c := range map[string]struct {
		allowed []string
		want    gates.Status
	}{
		"pkg:docker/debian@12?" + pin:                                                  {[]string{"docker.io/library/*"}, gates.Pass},
		"pkg:docker/grafana/grafana@12?" + pin:                                         {[]string{"docker.io/library/*"}, gates.Fail},
		"pkg:docker/mcr.microsoft.com/dotnet/runtime@10?" + pin:                        {[]string{"docker.io/library/*", "mcr.microsoft.com/**"}, gates.Pass},
		"pkg:docker/mcr.microsoft.com.evil.example/dotnet/x@10?" + pin:                 {[]string{"mcr.microsoft.com/**"}, gates.Fail},
		"pkg:docker/localhost/debian@12?" + pin:                                        {[]string{"docker.io/**"}, gates.Fail},
		"pkg:docker/acme/base@1?repository_url=ghcr.io&" + pin:                         {[]string{"ghcr.io/acme/base"}, gates.Pass},
		"pkg:oci/debian@sha256%3Aee?repository_url=docker.io/library/debian&" + pin:    {[]string{"docker.io/library/debian"}, gates.Pass},
		"pkg:oci/debian@sha256%3Aee?repository_url=evil.example/library/debian&" + pin: {[]string{"docker.io/library/debian"}, gates.Fail},
		"pkg:docker/docker/dockerfile@1":                                               {[]string{"docker.io/library/*"}, gates.Pass}, // Docker's own frontend
		"pkg:docker/evil.example/docker/dockerfile@1?" + pin:                           {[]string{"docker.io/library/*"}, gates.Fail},
		"pkg:docker/acme/frontend@1?" + pin:                                            {[]string{"docker.io/library/*"}, gates.Fail}, // another's frontend counts
		"pkg:docker/acme/file@1?ref_type=blob":                                         {[]string{"docker.io/library/*"}, gates.Pass},
		"pkg:docker/debian@13?" + pin:                                                  {[]string{"[", "docker.io/*"}, gates.Fail},
	} {
		w := baseWorld(t)
		w.policy.Service.Gates.BaseImage.Repositories = c.allowed
		w.in.Platforms = w.in.Platforms[:1]
		w.add(w.sign(ci, evidence.SLSA1, provenance(time.Hour, image(purl)), candidate))
		if got := check(w.judge(), gates.BaseImage); got.Status != c.want {
			t.Errorf("%s is %s, want %s: %v", purl, got.Status, c.want, got.Reasons)
		}
	}
	w := baseWorld(t)
	w.policy.Service.Gates.BaseImage.Repositories = []string{"mcr.microsoft.com/**"}
	w.add(w.sign(ci, evidence.SLSA1, provenance(time.Hour, pinnedBase), amd64, arm64))
	w.expect(gates.BaseImage, gates.Fail, "1 not allowed", "is of docker.io/library/debian, which is not allowed; base images may come from mcr.microsoft.com/**")
}

func TestABaseImageGrowsOld(t *testing.T) {
	w := baseWorld(t)
	w.policy.Service.Gates.BaseImage.MaxAge = 90 * 24 * time.Hour
	w.add(w.buildKit(provenance(100*24*time.Hour, pinnedBase), amd64), w.buildKit(provenance(time.Hour, pinnedBase), arm64), w.tests(ci, "smoke", time.Hour))
	w.expect(gates.BaseImage, gates.Stale, "old", "100 d old", "Build again")
}

func TestMalformedProvenanceInsideTheIndexBlocks(t *testing.T) {
	w := baseWorld(t)
	bad := w.buildKit(provenance(time.Hour, pinnedBase), amd64)
	bad.Raw = bad.Raw[:20]
	w.add(bad, w.sign(ci, evidence.SLSA1, provenance(time.Hour, pinnedBase), amd64, arm64))
	w.expect(gates.BaseImage, gates.Error, "malformed")
}

func TestBaseImagesForTheDiff(t *testing.T) {
	w := newWorld(t)
	w.add(w.buildKit(provenance(time.Hour, looseBase), amd64))
	if got := gates.BaseImages(w.policy, w.in); len(got.Images) != 0 || len(got.Missing) != 2 {
		t.Errorf("unsigned provenance gave %+v", got)
	}
	w.add(w.tests(ci, "smoke", time.Hour))
	got := gates.BaseImages(w.policy, w.in)
	if len(got.Images) != 1 || !slices.Equal(got.Platforms, []string{"linux/amd64"}) || len(got.Missing) != 1 ||
		got.Images[0].String() != "alpine:3.22@sha256:"+strings.Repeat("b", 64) || got.Images[0].Pinned {
		t.Errorf("got %+v", got)
	}
}
