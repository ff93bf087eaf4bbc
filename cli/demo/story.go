package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/registry"
	"plimsoll/registry/embedded"
	"plimsoll/release"
)

var (
	both  = []string{"linux/amd64", "linux/arm64"}
	amd64 = both[:1]
)

// event is something that happened: CI pushed a build; what it showed; whether it went to prod.
type event struct {
	ago    time.Duration // when CI pushed it
	build  build
	failed []string  // E2E tests that failed
	tested int       // E2E tests in all; 0: none ran
	scan   []finding // nil: not scanned
	signed bool      // the QA lead signed it off
	prod   bool      // it was promoted
}

// The story: one candidate ready, one with failing tests, one with a critical
// vulnerability that runs as root, too, one that waits for a sign-off, one tag
// pushed again, and that in a freeze, which its owner may go past.
func story() []event {
	gateway := func(version string, tags []string, seed uint64) build {
		return build{service: "ai-gateway", version: version, tags: tags, platforms: both, base: "debian:12.9-slim", appSeed: seed, appBytes: 3 << 20}
	}
	model := func(version string, seed uint64) build {
		return build{service: "model-server", version: version, tags: []string{version}, platforms: amd64, base: "nvidia/cuda:13.1", appSeed: seed, appBytes: 2 << 20, weights: 48 << 20}
	}
	web := func(version string, seed uint64) build {
		return build{service: "web", version: version, tags: []string{version}, platforms: both, base: "nginx:1.29-alpine", appSeed: seed, appBytes: 900 << 10}
	}
	rooted := model("v2.4.0", 2)
	rooted.root = true
	retrained := model("v2.3.1", 3)
	retrained.model = 1 // weights of its own, so that its promotion has something to copy
	waiting := gateway("v1.43.0", []string{"v1.43.0", "main-78"}, 5)
	waiting.base, waiting.env = "debian:13.2-slim", []string{"MODEL_ROUTE=eu-2"}
	return []event{
		{ago: 34 * day, build: gateway("v1.40.0", []string{"v1.40.0"}, 1), tested: 47, scan: usual, signed: true, prod: true},
		{ago: 33 * day, build: web("v3.7.2", 1), tested: 48, scan: fewer, signed: true, prod: true},
		{ago: 21 * day, build: model("v2.3.0", 1), tested: 48, scan: usual, signed: true, prod: true},
		{ago: 11 * day, build: web("v3.8.0", 2), tested: 48, scan: fewer, prod: true},
		{ago: 6 * day, build: gateway("v1.41.0", []string{"v1.41.0", "main-70"}, 2), tested: 48, scan: usual, prod: true},
		{ago: 9 * time.Hour, build: web("v3.8.0", 3), tested: 48, scan: fewer}, // the tag was pushed again
		{ago: 7 * time.Hour, build: rooted, tested: 48, scan: critical},
		{ago: 5 * time.Hour, build: gateway("v1.42.0-rc1", []string{"main-76"}, 3), tested: 48, failed: []string{"streams a long answer", "retries on 429"}, scan: usual},
		{ago: 3 * time.Hour, build: retrained, tested: 48, scan: usual, signed: true},
		{ago: 2 * time.Hour, build: gateway("v1.42.0", []string{"v1.42.0", "main-77"}, 4), tested: 48, scan: fewer},
		{ago: 40 * time.Minute, build: waiting, tested: 48, scan: usual},
	}
}

// tell lets the story happen.
func (d *Demo) tell(ctx context.Context, report func(string)) error {
	defer d.clock.set(0)
	for _, e := range story() {
		report(e.build.service + " " + strings.Join(e.build.tags, " "))
		if err := d.happen(ctx, e); err != nil {
			return fmt.Errorf("demo: %s %s: %w", e.build.service, e.build.version, err)
		}
	}
	return nil
}

func (d *Demo) happen(ctx context.Context, e event) error {
	d.clock.set(e.ago)
	repo := registry.Repository{Host: d.Staging, Path: "acme/" + e.build.service}
	dg, err := embedded.Push(ctx, d.client(registry.Evidence), repo, e.build.tags, e.build.images(d.clock.Now().UTC().Truncate(time.Second))...)
	if err != nil {
		return err
	}
	d.clock.set(e.ago - 20*time.Minute)
	if err := d.attest(ctx, e, repo, dg); err != nil {
		return err
	}
	if e.signed {
		d.clock.set(e.ago - 30*time.Minute)
		if _, err := d.desk(keyQA).Approve(ctx, release.ApproveRequest{
			Service: e.build.service, Digest: dg, Decision: "APPROVED", Comment: "looked at staging, fine",
		}); err != nil {
			return err
		}
	}
	if !e.prod {
		return nil
	}
	d.clock.set(e.ago - 35*time.Minute)
	_, err = d.desk(keyYou).Promote(ctx, release.PromoteRequest{Service: e.build.service, Digest: dg, Reason: "release " + e.build.version}, func(release.Progress) {})
	return err
}

// attest signs what CI and the scanner found.
func (d *Demo) attest(ctx context.Context, e event, repo registry.Repository, dg digest.Digest) error {
	now := d.clock.Now().UTC().Truncate(time.Second)
	if e.build.service == "ai-gateway" { // the only one whose policy asks
		if err := d.vouch(ctx, e.build, repo, dg); err != nil {
			return err
		}
	}
	if e.tested > 0 {
		_, err := d.desk(keyCI).Attest(ctx, release.AttestRequest{
			Gate: "e2e", Reference: repo.At(dg), Suite: "smoke", Result: junit(e.tested-len(e.failed), e.failed, now),
			URL: "https://github.com/acme/" + e.build.service + "/actions", Finished: now,
		})
		if err != nil {
			return err
		}
	}
	if e.scan == nil {
		return nil
	}
	for _, platform := range e.build.platforms {
		report, err := trivy(repo, dg, platform, e.scan)
		if err != nil {
			return err
		}
		_, err = d.desk(keyScanner).Attest(ctx, release.AttestRequest{Gate: "scan", Reference: repo.At(dg), Result: report, Finished: now})
		if err != nil {
			return err
		}
	}
	return nil
}
