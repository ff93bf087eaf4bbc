package release_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
	"plimsoll/release"
)

// patience is how long the console may wait for one service, whatever lies in the registry.
const patience = 20 * time.Second

// bundleOf is a good test result about a candidate, as bytes.
func (w *world) bundleOf(p person, about digest.Digest) string {
	w.t.Helper()
	statement, err := evidence.NewStatement(evidence.TestResult, w.staging.String(), about, map[string]any{
		"result": "PASSED", "configuration": []map[string]any{{"name": "smoke"}}, "passedTests": []string{"a"},
		evidence.FinishedOn: w.now.Add(-time.Minute).Format(time.RFC3339),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	bundle, err := evidence.Sign(w.t.Context(), p.signer, statement)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(bundle)
}

// lay attaches any bytes as if they were a bundle.
func (w *world) lay(about digest.Digest, bundle string) {
	w.t.Helper()
	desc, err := w.writer.Head(w.t.Context(), w.staging, about.String())
	if err != nil {
		w.t.Fatal(err)
	}
	raw, _ := evidence.Manifest([]byte(bundle), evidence.TestResult, &desc, w.now)
	w.attach(raw, evidence.EmptyConfig(), []byte(bundle))
}

// TestBadEvidenceInTheRegistryNeverPasses lays each kind beside a candidate
// that lacks nothing but the test result, and looks at it as the console does.
func TestBadEvidenceInTheRegistryNeverPasses(t *testing.T) {
	for name, spoil := range map[string]func(w *world, good string, other digest.Digest) string{
		"good, for comparison": func(_ *world, good string, _ digest.Digest) string { return good },
		"truncated":            func(_ *world, good string, _ digest.Digest) string { return good[:len(good)/2] },
		"oversized": func(_ *world, good string, _ digest.Digest) string {
			return good[:len(good)-1] + `,"padding":"` + strings.Repeat("x", registry.MaxBundle) + `"}`
		},
		"deeply nested": func(_ *world, good string, _ digest.Digest) string {
			return good[:len(good)-1] + `,"x":` + strings.Repeat("[", 1_000_000) + strings.Repeat("]", 1_000_000) + "}"
		},
		"a key twice": func(_ *world, good string, _ digest.Digest) string {
			return strings.Replace(good, `"payloadType"`, `"payload":"e30=","payloadType"`, 1)
		},
		"wrong type": func(_ *world, good string, _ digest.Digest) string {
			return strings.Replace(good, `"dsseEnvelope":{`, `"dsseEnvelope":7,"x":{`, 1)
		},
		"two signatures": func(_ *world, good string, _ digest.Digest) string {
			start := strings.Index(good, `{"sig"`)
			sig := good[start : start+strings.Index(good[start:], "}")+1]
			return strings.Replace(good, sig, sig+","+sig, 1)
		},
		"for another digest": func(w *world, _ string, other digest.Digest) string { return w.bundleOf(w.ci, other) },
		"by a stranger":      func(w *world, _ string, other digest.Digest) string { return w.bundleOf(w.stranger, other) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			dg, other := w.push(w.staging, "v1", image("app", w.now)), w.push(w.staging, "v2", image("other", w.now))
			w.scanned(w.scanner, dg)
			w.approve(dg, evidence.Approved)
			w.lay(dg, spoil(w, w.bundleOf(w.ci, dg), other))
			start := time.Now()
			c, v := candidate(t, w.list(), dg), w.gates(dg)
			if took := time.Since(start); took > patience {
				t.Errorf("the console waited %v", took)
			}
			good := strings.HasPrefix(name, "good")
			if e2e := check(t, v.Checks, gates.E2E); good != (e2e.Status == gates.Pass) || good != (v.Verdict == gates.Ready) || good != (c.Verdict == gates.Ready) {
				t.Errorf("e2e is %s (%s), the verdict %s, in the list %s\n%s", e2e.Status, e2e.Summary, v.Verdict, c.Verdict, strings.Join(e2e.Reasons, "\n"))
			}
			_, err := w.desk.Promote(t.Context(), release.PromoteRequest{Service: "chat", Digest: dg}, nil)
			if good != (err == nil) {
				t.Errorf("promoting ended with %v", err)
			}
		})
	}
}

// manyReferrers makes staging list n of them on pages of 100, each of its own
// digest, served with its bundle: all good, but not signed by ci.
func (w *world) manyReferrers(about digest.Digest, n int) {
	w.t.Helper()
	desc, err := w.writer.Head(w.t.Context(), w.staging, about.String())
	if err != nil {
		w.t.Fatal(err)
	}
	raw, _ := evidence.Manifest([]byte(w.bundleOf(w.stranger, about)), evidence.TestResult, &desc, w.now)
	manifests := map[string][]byte{}
	var list []ocispec.Descriptor
	for i := range n {
		one := strings.Replace(string(raw), `"annotations":{`, fmt.Sprintf(`"annotations":{"n":"%d",`, i), 1)
		dg := digest.FromString(one)
		manifests[dg.String()] = []byte(one)
		list = append(list, ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: dg, Size: int64(len(one))})
	}
	w.stagingFaults = func(rw http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/referrers/"+about.String()) {
			w.page(rw, r, list)
			return true
		}
		_, name, _ := strings.Cut(r.URL.Path, "/manifests/")
		m, ok := manifests[name]
		if ok {
			rw.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
			_, _ = rw.Write(m)
		}
		return ok
	}
}

// page answers a hundred referrers, and where the next are.
func (w *world) page(rw http.ResponseWriter, r *http.Request, list []ocispec.Descriptor) {
	from := 0
	_, _ = fmt.Sscanf(r.URL.Query().Get("from"), "%d", &from)
	to := min(from+100, len(list))
	rw.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
	if to < len(list) {
		rw.Header().Set("Link", fmt.Sprintf(`<%s?from=%d>; rel="next"`, r.URL.Path, to))
	}
	raw, err := json.Marshal(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: list[from:to]})
	if err != nil {
		w.t.Error(err)
	}
	_, _ = rw.Write(raw)
}

// TestFiveThousandReferrersBlockInTime: the console answers, and says why nothing passes.
func TestFiveThousandReferrersBlockInTime(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.good(dg)
	w.approve(dg, evidence.Approved)
	w.manyReferrers(dg, 5000)
	w.requests()
	start := time.Now()
	c := candidate(t, w.list(), dg)
	v := w.gates(dg)
	if took := time.Since(start); took > patience {
		t.Errorf("the console waited %v", took)
	}
	if n := count(w.requests(), "GET"); n > 200 {
		t.Errorf("%d requests for referrers that are too many", n)
	}
	if e2e := check(t, v.Checks, gates.E2E); e2e.Status != gates.Error || c.Verdict == gates.Ready {
		t.Errorf("%s, %+v", c.Verdict, e2e)
	}
}

// TestReferrersUpToTheLimitAreReadAllOfThem: the limit itself does not hide what counts.
func TestReferrersUpToTheLimitAreReadAllOfThem(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.manyReferrers(dg, registry.MaxPerDigest)
	bundle := []byte(w.bundleOf(w.stranger, dg))
	if err := w.writer.PutBlob(t.Context(), w.staging, bundle); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	e2e := check(t, w.gates(dg).Checks, gates.E2E)
	if took := time.Since(start); took > patience {
		t.Errorf("the console waited %v", took)
	}
	if e2e.Status == gates.Pass {
		t.Errorf("%+v", e2e)
	}
}

// TestAClockAnHourOffPromotesNothing, in either direction, whichever registry says so.
func TestAClockAnHourOffPromotesNothing(t *testing.T) {
	for name, off := range map[string]time.Duration{"behind": time.Hour, "ahead": -time.Hour} {
		for _, where := range []string{"staging", "prod"} {
			t.Run(name+" of "+where, func(t *testing.T) {
				w := newWorld(t)
				dg := w.push(w.staging, "v1", image("app", w.now))
				w.good(dg)
				w.approve(dg, evidence.Approved)
				theirs := func(rw http.ResponseWriter, _ *http.Request) bool {
					rw.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
					return false
				}
				if w.stagingFaults = theirs; where == "prod" {
					w.stagingFaults, w.prodFaults = nil, theirs
				}
				if _, err := w.desk.Promote(t.Context(), release.PromoteRequest{Service: "chat", Digest: dg}, nil); err == nil || !strings.Contains(err.Error(), "clock") {
					t.Errorf("promoting by a clock that is wrong ended with %v", err)
				}
				if now, err := w.desk.Current(t.Context(), "chat"); err != nil || now != nil {
					t.Errorf("prod has %v, %v", now, err)
				}
			})
		}
	}
}

// TestEvidenceDatedTomorrowBlocksTheDesk: a good result does not outweigh it, either.
func TestEvidenceDatedTomorrowBlocksTheDesk(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.good(dg)
	w.approve(dg, evidence.Approved)
	if v := w.gates(dg); v.Verdict != gates.Ready {
		t.Fatalf("%+v", v.Checks)
	}
	w.now = w.now.Add(24 * time.Hour)
	w.tested(w.ci, dg, "PASSED")
	w.now = w.now.Add(-24 * time.Hour)
	v := w.gates(dg)
	if e2e := check(t, v.Checks, gates.E2E); e2e.Status != gates.Error || v.Verdict != gates.Blocked {
		t.Errorf("%s, %+v", v.Verdict, e2e)
	}
}

// TestAPersonWhoWasTakenOutOfTrustPromotesNothing: what they approved counts no more.
func TestAPersonWhoWasTakenOutOfTrustPromotesNothing(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now))
	w.config.Services[0].Gates.SignOff.When = config.Always
	w.good(dg)
	w.approve(dg, evidence.Approved)
	if v := w.gates(dg); v.Verdict != gates.Ready {
		t.Fatalf("%+v", v.Checks)
	}
	w.config.Trust["qa-leads"] = newPerson(t, "new.lead@example.com").group("qa-leads")
	v := w.gates(dg)
	if c := check(t, v.Checks, gates.SignOff); c.Status == gates.Pass || v.Verdict != gates.Blocked {
		t.Errorf("%s, %+v", v.Verdict, c)
	}
	if _, err := w.desk.Promote(t.Context(), release.PromoteRequest{Service: "chat", Digest: dg}, nil); err == nil {
		t.Error("promoted on the word of somebody who was taken out")
	}
}

// TestAScanOfOneOfTwoPlatformsBlocksTheIndex at the desk, with reports that name theirs.
func TestAScanOfOneOfTwoPlatformsBlocksTheIndex(t *testing.T) {
	w := newWorld(t)
	dg := w.push(w.staging, "v1", image("app", w.now), image("app", w.now, arm64))
	w.tested(w.ci, dg, "PASSED")
	w.approve(dg, evidence.Approved)
	w.scanned(w.scanner, w.children(dg)[0])
	v := w.gates(dg)
	if c := check(t, v.Checks, gates.Scan); c.Status != gates.Missing || v.Verdict != gates.Blocked {
		t.Errorf("%s, %+v", v.Verdict, c)
	}
	w.scanned(w.scanner, w.children(dg)[1])
	if v := w.gates(dg); v.Verdict != gates.Ready {
		t.Errorf("%s, %+v", v.Verdict, v.Checks)
	}
}
