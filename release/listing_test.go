package release_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/gates"
	"plimsoll/registry"
	"plimsoll/registry/embedded"
	"plimsoll/store"
)

func TestOneRowForEachDigestWithAllItsTags(t *testing.T) {
	w := newWorld(t)
	old := w.push(w.staging, "v1.9.0 main-76", image("old", w.now.Add(-2*time.Hour)))
	young := w.push(w.staging, "v1.10.0 main-77 nightly", image("young", w.now.Add(-time.Hour)), image("young", w.now.Add(-time.Hour), arm64))
	v := w.list()
	if len(v.Candidates) != 2 || v.Candidates[0].Digest != young || v.Candidates[1].Digest != old || v.Total != 2 {
		t.Fatalf("%+v", v.Candidates)
	}
	c := v.Candidates[0]
	if got := strings.Join(c.Tags, " "); got != "v1.10.0 main-77" {
		t.Errorf("tags %q: the rule does not select nightly", got)
	}
	if got := strings.Join(c.Platforms, " "); got != "linux/amd64 linux/arm64" {
		t.Errorf("platforms %q", got)
	}
	if c.Created == nil || c.SizeBytes == 0 || !strings.HasPrefix(c.Revision, "aaaa") || c.Source != "https://github.com/acme/chat" {
		t.Errorf("%+v", c.Image)
	}
	if v.Prod.Digest != nil || v.Prod.Reference != w.prod.String()+":live" || c.AddedBytes != c.SizeBytes {
		t.Errorf("nothing is in prod yet: %+v, added %d of %d", v.Prod, c.AddedBytes, c.SizeBytes)
	}
}

func TestWhatIsNoImageIsNoCandidate(t *testing.T) {
	for name, options := range map[string][]option{"referrers API": nil, "fallback tags": {withoutReferrers}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, options...)
			w.config.Services[0].Tags = nil
			dg := w.push(w.staging, "v1", image("app", w.now))
			w.good(dg)
			hex := "sha256-" + dg.Encoded()
			for _, tag := range []string{hex + ".sig", hex + ".att"} {
				w.artifact("application/vnd.dev.cosign.simplesigning.v1+json", nil, tag)
			}
			w.artifact("application/vnd.cncf.helm.chart", nil, "chart-1")
			v := w.list()
			if len(v.Candidates) != 1 || v.Candidates[0].Digest != dg {
				t.Errorf("%+v", v.Candidates)
			}
		})
	}
}

// artifact pushes something that is no image.
func (w *world) artifact(kind string, subject *ocispec.Descriptor, tags ...string) digest.Digest {
	w.t.Helper()
	a, err := embedded.Artifact(kind, kind, []byte("content "+strings.Join(tags, "")), subject, nil)
	if err == nil {
		err = a.Push(w.t.Context(), w.writer, w.staging, tags...)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return a.Descriptor().Digest
}

func TestTheLimitCountsDigestsAfterTheOrder(t *testing.T) {
	w := newWorld(t)
	w.config.Services[0].Limit = 2
	var newest []digest.Digest
	for i := range 5 {
		dg := w.push(w.staging, fmt.Sprintf("v1.%d main-%d", i, i), image(fmt.Sprint(i), w.now.Add(time.Duration(i-10)*time.Hour)))
		newest = append([]digest.Digest{dg}, newest...)
	}
	v := w.list()
	if len(v.Candidates) != 2 || v.Total != 5 || v.Candidates[0].Digest != newest[0] || v.Candidates[1].Digest != newest[1] {
		t.Errorf("total %d: %+v", v.Total, v.Candidates)
	}
}

func TestWithoutACreationTimeTheHighestTagComesFirst(t *testing.T) {
	w := newWorld(t)
	undated := func(img *embedded.Image) { img.Config.Created = nil }
	for _, v := range []string{"v1.9.0", "v1.10.0-rc.1", "v1.10.0", "v1.2.0"} {
		w.push(w.staging, v, image(v, w.now, undated))
	}
	var got []string
	for _, c := range w.list().Candidates {
		got = append(got, c.Tags...)
	}
	if strings.Join(got, " ") != "v1.10.0 v1.10.0-rc.1 v1.9.0 v1.2.0" {
		t.Error(got)
	}
}

func TestAWarmRefreshAsksForWhatMayChangeAndNothingElse(t *testing.T) {
	w := newWorld(t)
	for i := range 4 {
		dg := w.push(w.staging, fmt.Sprintf("v1.%d main-%d", i, i), image(fmt.Sprint(i), w.now.Add(time.Duration(i-10)*time.Hour)), image(fmt.Sprint(i), w.now, arm64))
		w.good(dg)
	}
	cold := w.list()
	w.requests()
	warm := w.list()
	asked := w.requests()
	staging := w.staging.String()
	staging = strings.Replace(staging, "/team", "/v2/team", 1)
	for what, n := range map[string][2]int{
		"tag list":           {count(asked, "GET "+staging+"/tags/list"), 1},
		"HEADs of tags":      {count(asked, "HEAD "+staging+"/manifests/"), 8},
		"referrers listings": {count(asked, "GET "+staging+"/referrers/"), 4},
		"all of staging":     {count(asked, staging), 13},
		"HEAD of channel":    {count(asked, "HEAD "+strings.Replace(w.prod.String(), "/team", "/v2/team", 1)+"/manifests/live"), 1},
		"all requests":       {len(asked), 15}, // and the ledger's tag list
	} {
		if n[0] != n[1] {
			t.Errorf("%s: %d, not %d: %s", what, n[0], n[1], strings.Join(asked, "\n"))
		}
	}
	warm.At, cold.At = time.Time{}, time.Time{}
	if a, b := asJSON(t, cold), asJSON(t, warm); a != b {
		t.Errorf("the warm list differs:\n%s\n%s", a, b)
	}
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestAColdListStaysWithinItsRequests(t *testing.T) {
	w := newWorld(t)
	const tags = 40
	w.config.Services[0].Limit = tags
	for i := range tags {
		w.push(w.staging, fmt.Sprintf("v1.%d", i), image(fmt.Sprint(i), w.now.Add(time.Duration(i)*time.Minute)))
	}
	w.requests()
	w.list()
	asked := w.requests()
	staging := count(asked, w.staging.Host+"/v2/team/chat/")
	if most := 1 + tags + 3*tags; staging > most {
		t.Errorf("%d requests for %d tags, at most %d", staging, tags, most)
	}
}

func TestAFirstListReadsAnImageInTwoRequests(t *testing.T) {
	w := newWorld(t)
	const tags = 8
	for i := range tags {
		w.push(w.staging, fmt.Sprintf("v1.%d", i), image(fmt.Sprint(i), w.now.Add(time.Duration(i)*time.Minute)))
	}
	w.requests()
	w.list()
	asked := w.requests()
	for what, n := range map[string][2]int{
		"HEADs":     {count(asked, "HEAD", w.staging.Host, "/manifests/"), 0},
		"manifests": {count(asked, "GET", w.staging.Host, "/manifests/v1."), tags},
		"again":     {count(asked, "GET", w.staging.Host, "/manifests/sha256:"), 0},
		"blobs":     {count(asked, "GET", w.staging.Host, "/blobs/"), tags},
	} {
		if n[0] != n[1] {
			t.Errorf("%s: %d, not %d: %s", what, n[0], n[1], strings.Join(asked, "\n"))
		}
	}
}

func TestTagsOutOfViewAreAskedOnceAMinuteAndThoseInViewAlways(t *testing.T) {
	w := newWorld(t)
	w.config.Services[0].Limit = 2
	for i := range 6 {
		w.push(w.staging, fmt.Sprintf("v1.%d", i), image(fmt.Sprint(i), w.now.Add(time.Duration(i-10)*time.Hour)))
	}
	w.list()
	w.requests()
	w.list()
	if n := count(w.requests(), "HEAD", w.staging.Host); n != 2 {
		t.Errorf("%d HEADs for 2 tags in view", n)
	}
	moved := w.push(w.staging, "v1.5", image("pushed again", w.now))
	if v := w.list(); v.Candidates[0].Digest != moved {
		t.Errorf("a tag in view that was pushed again is not seen: %+v", v.Candidates)
	}
	late := w.push(w.staging, "v1.0", image("out of view, pushed again", w.now.Add(time.Minute)))
	w.now = w.now.Add(2 * time.Minute)
	if v := w.list(); v.Candidates[0].Digest != late {
		t.Errorf("a tag out of view that was pushed again is not seen after a minute: %+v", v.Candidates)
	}
}

func TestADeletedTagBringsTheNextCandidateIntoView(t *testing.T) {
	w := newWorld(t)
	w.config.Services[0].Limit = 1
	old := w.push(w.staging, "v1.0", image("old", w.now.Add(-2*time.Hour)))
	young := w.push(w.staging, "v1.1", image("young", w.now.Add(-time.Hour)))
	if v := w.list(); v.Candidates[0].Digest != young {
		t.Fatalf("%+v", v.Candidates)
	}
	w.delete(young)
	if v := w.list(); len(v.Candidates) != 1 || v.Candidates[0].Digest != old {
		t.Errorf("%+v", v.Candidates)
	}
}

// delete removes a manifest from staging, as a retention rule would.
func (w *world) delete(dg digest.Digest) { w.deleteFrom(w.staging, dg) }

func (w *world) deleteFrom(repo registry.Repository, dg digest.Digest) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodDelete, "http://"+repo.Host+"/v2/"+repo.Path+"/manifests/"+dg.String(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode >= 300 {
		w.t.Fatalf("delete %s: %s", dg, resp.Status)
	}
}

// deleteTagFrom removes a manifest with all its tags from a repository, by name.
func (w *world) deleteTagFrom(repository string, dg digest.Digest) {
	w.t.Helper()
	repo, err := registry.ParseRepository(repository)
	if err != nil {
		w.t.Fatal(err)
	}
	w.deleteFrom(repo, dg)
}

func TestOneUnreadableCandidateIsAnErrorOfItsRow(t *testing.T) {
	w := newWorld(t)
	good := w.push(w.staging, "v1.0", image("good", w.now.Add(-time.Hour)))
	bad := w.push(w.staging, "v1.1", image("bad", w.now))
	w.stagingFaults = func(rw http.ResponseWriter, r *http.Request) bool {
		byTag := strings.HasSuffix(r.URL.Path, "/manifests/v1.1")
		if r.Method == http.MethodGet && (byTag || strings.HasSuffix(r.URL.Path, "/manifests/"+bad.String())) {
			rw.Header().Set("Docker-Content-Digest", bad.String())
			_, _ = rw.Write([]byte(`{"schemaVersion":2}`)) // not what the digest names
			return true
		}
		return false
	}
	v := w.list()
	if c := candidate(t, v, bad); c.Error == "" || c.Verdict != gates.Blocked {
		t.Errorf("%+v", c)
	}
	if c := candidate(t, v, good); c.Error != "" {
		t.Errorf("%+v", c)
	}
}

func TestAnUnreadableServiceSaysSoAndKeepsWhatCouldBeRead(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.prod, "live", image("in prod", w.now))
	w.stagingFaults = func(rw http.ResponseWriter, _ *http.Request) bool {
		rw.WriteHeader(http.StatusForbidden)
		return true
	}
	v, err := w.desk.List(t.Context(), "chat")
	if err == nil || v.Error == "" || v.Hint == "" {
		t.Fatalf("%v: %+v", err, v)
	}
	if v.Prod.Digest == nil || *v.Prod.Digest != dg || v.Candidates == nil {
		t.Errorf("what prod runs could be read: %+v", v.Prod)
	}
}

func TestProdThatCannotBeReadBlocksEveryCandidate(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.good(dg)
	w.prodFaults = func(rw http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/manifests/live") {
			rw.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	}
	v, err := w.desk.List(t.Context(), "chat")
	if err == nil || candidate(t, v, dg).Verdict != gates.Blocked {
		t.Errorf("%v: %+v", err, v.Candidates)
	}
}

func TestTextOfARegistryCannotReachTheTerminal(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now, func(img *embedded.Image) {
		img.Config.Config.Labels = map[string]string{
			"org.opencontainers.image.version": "1\x1b]52;c;ZXZpbA==\x07.0\u202e", "org.opencontainers.image.revision": "\x1b[2J",
			"org.opencontainers.image.source": "javascript:alert(1)",
		}
	}))
	c := candidate(t, w.list(), dg)
	if raw := asJSON(t, c); strings.Contains(raw, `\u001b`) || strings.Contains(raw, `\u0007`) || strings.Contains(raw, "\u202e") || strings.Contains(raw, "javascript") {
		t.Errorf("%s", raw)
	}
}

func TestTheFirstFrameComesFromTheStore(t *testing.T) {
	w := newWorld(t)
	if _, ok := w.desk.Snapshot("chat"); ok {
		t.Error("there is a view before the first list")
	}
	w.push(w.staging, "v1", image("app", w.now))
	v := w.list()
	w.requests()
	again, ok := w.newDesk(w.store).Snapshot("chat")
	if !ok || asJSON(t, again) != asJSON(t, v) || len(w.requests()) != 0 {
		t.Errorf("%+v", again)
	}
}

func TestAProdWithoutARecordIsShownLoudly(t *testing.T) {
	w := newWorld(t)
	w.push(w.staging, "v1", image("app", w.now))
	w.push(w.prod, "live", image("pushed past the gate", w.now))
	v := w.list()
	if v.Prod.Record != nil || v.Prod.Unrecorded == "" || !slices.ContainsFunc(v.Warnings, func(s string) bool { return strings.Contains(s, "no valid record") }) {
		t.Errorf("%+v: %q", v.Prod, v.Warnings)
	}
}

func TestAClockThatIsOffIsAWarning(t *testing.T) {
	w := newWorld(t)
	w.push(w.staging, "v1", image("app", w.now))
	w.stagingFaults = func(rw http.ResponseWriter, _ *http.Request) bool {
		rw.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		return false
	}
	if v := w.list(); !slices.ContainsFunc(v.Warnings, func(s string) bool { return strings.Contains(s, "clock") }) {
		t.Errorf("%q", v.Warnings)
	}
}

func TestAListEndsWithItsContext(t *testing.T) {
	w := newWorld(t)
	w.push(w.staging, "v1", image("app", w.now))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.desk.List(ctx, "chat"); err == nil {
		t.Error("no error")
	}
	if _, ok := w.desk.Snapshot("chat"); ok {
		t.Error("a list that was cut off became the first frame")
	}
}

func TestAnIndexOfNothingIsNoCandidate(t *testing.T) {
	w := newWorld(t)
	raw, _ := json.Marshal(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{}})
	m := registry.Manifest{Raw: raw, Descriptor: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: digest.FromBytes(raw), Size: int64(len(raw))}}
	if err := w.writer.PutManifest(t.Context(), w.staging, "v1", m); err != nil {
		t.Fatal(err)
	}
	if v := w.list(); len(v.Candidates) != 0 {
		t.Errorf("%+v", v.Candidates)
	}
}

func TestAnUnknownServiceNamesTheOthers(t *testing.T) {
	w := newWorld(t)
	_, err := w.desk.List(t.Context(), "chta")
	if err == nil || !regexp.MustCompile(`chta`).MatchString(err.Error()) {
		t.Error(err)
	}
}

func TestATagThatWasPushedAgainAfterItsPromotionIsShownLoudly(t *testing.T) {
	w := newWorld(t)
	first := w.push(w.staging, "v1", image("one", w.now))
	w.good(first)
	w.approve(first, "APPROVED")
	w.promote(first)
	if v := w.list(); len(v.Warnings) != 0 {
		t.Errorf("%q", v.Warnings)
	}
	second := w.push(w.staging, "v1", image("two", w.now))
	v := w.list()
	if !slices.ContainsFunc(v.Warnings, func(s string) bool {
		return strings.Contains(s, "v1 was pushed again") && strings.Contains(s, first.Encoded()[:12]) && strings.Contains(s, second.Encoded()[:12])
	}) {
		t.Errorf("%q", v.Warnings)
	}
}

// TestADamagedStoreIsSaidOnce damages the file under a desk: the list goes on,
// blocks everything, and says what is wrong once for each consequence.
func TestADamagedStoreIsSaidOnce(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.good(dg)
	w.list()
	if err := os.WriteFile(w.store.Path(), []byte(strings.Repeat("damaged", 10_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := w.desk.List(t.Context(), "chat")
	if err != nil || len(v.Candidates) != 1 || v.Candidates[0].Verdict != gates.Blocked {
		t.Errorf("%v: %+v", err, v.Candidates)
	}
	if len(v.Warnings) == 0 {
		t.Error("no warning")
	}
	for _, warning := range v.Warnings {
		if strings.Count(warning, store.ErrCorrupt.Error()) > 1 {
			t.Error(warning)
		}
	}
}
