package ui

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
	"plimsoll/release"
	"plimsoll/release/diff"
	"plimsoll/release/doctor"
	"plimsoll/release/operation"
)

// noon is when every story starts.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// fake is a desk in memory. It fails the test when it is called from anywhere
// but a command: Update and View must never wait for it.
type fake struct {
	t      testing.TB
	inside *atomic.Int32 // commands that run now; nil: not checked

	mu       sync.Mutex
	calls    []string
	services []config.Service
	stored   map[string]release.ServiceView // snapshots
	lists    map[string]release.ServiceView
	listErr  error
	diffErr  error
	verdict  func(dg digest.Digest) (release.Verdict, error)
	targets  []release.Target
	entries  []release.Entry
	historyErr,
	targetsErr error
	pending  []operation.Pending
	through  map[string]string // pipelines by action
	allowed  release.Allowance
	verified release.Verification

	doctor    doctor.Report
	doctorErr error

	approved    []release.ApproveRequest
	approveErr  error
	quarantines []release.QuarantineRequest
	promotions  []release.PromoteRequest
	rollbacks   []release.RollbackRequest
	operate     operate // what promote and rollback do; nil: succeed at once
}

func (f *fake) call(what string) {
	if f.inside != nil && f.inside.Load() == 0 {
		f.t.Errorf("%s was called outside of a command", what)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, what)
}

func (f *fake) count(prefix string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, c := range f.calls {
		if strings.HasPrefix(c, prefix) {
			n++
		}
	}
	return n
}

func (f *fake) Services() []config.Service { return f.services }

func (f *fake) Through(_, action string) string { return f.through[action] }

func (f *fake) Pending() ([]operation.Pending, error) {
	f.call("pending")
	return f.pending, nil
}

func (f *fake) Snapshot(service string) (release.ServiceView, bool) {
	v, ok := f.stored[service]
	return v, ok
}

func (f *fake) SnapshotTargets(string) ([]release.Target, bool) {
	f.call("snapshot targets")
	return nil, false
}

func (f *fake) SnapshotHistory(string) ([]release.Entry, bool) {
	f.call("snapshot history")
	return nil, false
}

func (f *fake) List(_ context.Context, service string) (release.ServiceView, error) {
	f.call("list " + service)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lists[service], f.listErr
}

func (f *fake) Gates(_ context.Context, service string, dg digest.Digest) (release.Verdict, error) {
	f.call("gates " + service)
	if f.verdict != nil {
		return f.verdict(dg)
	}
	for _, c := range f.lists[service].Candidates {
		if c.Digest == dg {
			return release.Verdict{Service: service, Digest: dg, Verdict: c.Verdict, Checks: c.Checks, Bigger: c.Bigger}, nil
		}
	}
	return release.Verdict{}, registry.ErrNotFound
}

func (f *fake) Diff(_ context.Context, service string, from *digest.Digest, to digest.Digest) (diff.Diff, error) {
	f.call("diff " + service)
	return sampleDiff(from, to), f.diffErr
}

func (f *fake) Targets(_ context.Context, service string) ([]release.Target, error) {
	f.call("targets " + service)
	return f.targets, f.targetsErr
}

func (f *fake) History(_ context.Context, service string) ([]release.Entry, error) {
	f.call("history " + service)
	return f.entries, f.historyErr
}

func (f *fake) MayOverride(service string) (release.Allowance, error) {
	f.call("may override " + service)
	return f.allowed, nil
}

func (f *fake) Doctor(_ context.Context, service string, r release.DoctorRequest) (doctor.Report, error) {
	f.call("doctor " + service)
	if r != (release.DoctorRequest{}) {
		f.t.Errorf("the console asks for more than the everyday identity: %+v", r)
	}
	return f.doctor, f.doctorErr
}

func (f *fake) Verify(_ context.Context, reference string) (release.Verification, error) {
	f.call("verify " + reference)
	return f.verified, nil
}

func (f *fake) Approve(_ context.Context, r release.ApproveRequest) (release.SignOff, error) {
	f.call("approve")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.approved = append(f.approved, r)
	return release.SignOff{Reviewer: "owner@example.com", Decision: r.Decision}, f.approveErr
}

func (f *fake) Quarantine(_ context.Context, r release.QuarantineRequest) (release.Quarantined, error) {
	f.call("quarantine")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.quarantines = append(f.quarantines, r)
	return release.Quarantined{Digest: r.Digest, Reason: r.Reason, Lifted: r.Lift}, nil
}

func (f *fake) Promote(ctx context.Context, r release.PromoteRequest, report func(release.Progress)) (release.Outcome, error) {
	f.call("promote")
	f.mu.Lock()
	f.promotions = append(f.promotions, r)
	f.mu.Unlock()
	if f.operate != nil {
		return f.operate(ctx, report)
	}
	return release.Outcome{Action: "promote", Service: r.Service, Digest: r.Digest, Tags: []string{"release-7be144c09a1f0000", "live"}, Seconds: 2.5, Overrides: r.Overrides}, nil
}

func (f *fake) Rollback(ctx context.Context, r release.RollbackRequest, report func(release.Progress)) (release.Outcome, error) {
	f.call("rollback")
	f.mu.Lock()
	f.rollbacks = append(f.rollbacks, r)
	f.mu.Unlock()
	if f.operate != nil {
		return f.operate(ctx, report)
	}
	return release.Outcome{Action: "rollback", Service: r.Service, Digest: r.Digest}, nil
}

func (f *fake) Resume(ctx context.Context, id string, report func(release.Progress)) (release.Outcome, error) {
	f.call("resume " + id)
	if f.operate != nil {
		return f.operate(ctx, report)
	}
	return release.Outcome{}, nil
}

// hex makes a digest that starts with the given digits.
func hex(start string) digest.Digest {
	return digest.Digest("sha256:" + start + strings.Repeat("0", 64-len(start)))
}

func at(d time.Duration) *time.Time {
	t := noon.Add(-d)
	return &t
}

func check(gate string, status gates.Status, summary string, reasons ...string) gates.Check {
	return gates.Check{Gate: gate, Status: status, Summary: summary, Reasons: reasons, Evidence: []digest.Digest{}}
}

const (
	hour = time.Hour
	day  = 24 * time.Hour
)

var (
	running0 = hex("3f9a1c2b44d0")
	ready0   = hex("7be144c09a1f")
	blocked0 = hex("90ab33e1d7c2")
	waiting0 = hex("c0ffee12ab34")
	rotten0  = hex("dead00beef00")
	older0   = hex("11aa22bb33cc")
)

// sampleView is the service of the design's drawing.
func sampleView() release.ServiceView {
	dg, rec := running0, hex("aaaa")
	image := func(made time.Duration, version string) release.Image {
		return release.Image{Created: at(made), SizeBytes: 182_000_000, Platforms: []string{"linux/amd64", "linux/arm64"}, Revision: "4f2c9e1d7b6a", Version: version, Source: "https://git.example.com/acme/chat"}
	}
	pass := []gates.Check{check(gates.E2E, gates.Pass, "48/48"), check(gates.Scan, gates.Pass, "0C 0H 3M"), check(gates.BaseImage, gates.Pass, "pinned")}
	with := func(cs ...gates.Check) []gates.Check { return append(append([]gates.Check{}, pass...), cs...) }
	return release.ServiceView{
		Service: "chat-api", Staging: "staging.example.com/chat-api", At: noon.Add(-12 * time.Second), Total: 5,
		Prod: release.Prod{Reference: "prod.example.com/chat-api:live", Digest: &dg, Since: at(6 * day), By: "owner@example.com", Tags: []string{"v1.41.0", "release-3f9a1c2b44d00000"}, Record: &rec, Image: image(7*day, "v1.41.0")},
		Candidates: []release.Candidate{
			{
				Digest: ready0, Tags: []string{"v1.42.0", "main-77"}, Image: image(2*hour, "v1.42.0"), AddedBytes: 12_000_000, Verdict: gates.Ready, Bigger: []string{"the base image changed"},
				Checks: with(check(gates.SignOff, gates.Pass, "1 of 1", "qa.lead@example.com approved it 20 min ago: looks good"), check(gates.Soak, gates.Pass, "2 h")),
			},
			{
				Digest: waiting0, Tags: []string{"main-78"}, Image: image(hour, ""), AddedBytes: 14_000_000, Verdict: gates.Blocked, Bigger: []string{"the base image changed"},
				Checks: with(check(gates.SignOff, gates.Needed, "needed by 1 of qa-leads", "the base image changed", "nobody has signed yet")),
			},
			{
				Digest: blocked0, Tags: []string{"main-76"}, Image: image(5*hour, ""), AddedBytes: 11_000_000, Verdict: gates.Blocked,
				Checks: []gates.Check{check(gates.E2E, gates.Fail, "46/48", "suite api: 2 of 48 failed: TestLogin, TestLogout"), check(gates.Scan, gates.Pass, "0C 0H 3M"), check(gates.BaseImage, gates.Pass, "pinned"), check(gates.SignOff, gates.Missing, "no sign-off")},
			},
			{
				Digest: rotten0, Tags: []string{"main-70"}, Image: image(3*day, ""), AddedBytes: 300_000, Verdict: gates.Quarantined,
				Checks: with(check(gates.SignOff, gates.NotRequired, ""), check(gates.QuarantineOut, gates.Fail, "leaks memory")),
			},
			{
				Digest: running0, Tags: []string{"v1.41.0"}, Image: image(7*day, "v1.41.0"), Verdict: gates.InProd,
				Checks: with(check(gates.SignOff, gates.Pass, "1 of 1", "qa.lead@example.com approved it")),
			},
		},
	}
}

func sampleTargets() []release.Target {
	yes, no := true, false
	return []release.Target{
		{Digest: running0, At: noon.Add(-6 * day), Actor: "owner@example.com", Record: hex("aaaa"), Tags: []string{"v1.41.0"}, Present: &yes},
		{Digest: rotten0, At: noon.Add(-13 * day), Actor: "owner@example.com", Record: hex("bbbb"), Tags: []string{"v1.40.1"}, Quarantined: "leaks memory", Present: &yes},
		{Digest: older0, At: noon.Add(-20 * day), Actor: "oncall@example.com", Record: hex("cccc"), Tags: []string{"v1.40.0"}, LastGood: true, Present: &yes},
		{Digest: hex("0dd"), At: noon.Add(-100 * day), Actor: "owner@example.com", Record: hex("dddd"), Tags: []string{"v1.30.0"}, Present: &no},
	}
}

func sampleEntries() []release.Entry {
	a, b, c := hex("aaaa"), hex("bbbb"), older0
	return []release.Entry{
		{At: noon.Add(-6 * day), Action: "promote", Service: "chat-api", Digest: running0, Previous: &c, Actor: "owner@example.com", Reason: "weekly release", Record: &a, Verified: true, Seconds: 41.2, Number: 7, Tags: []string{"v1.41.0"}, Evidence: []digest.Digest{hex("e1"), hex("e2")}, PolicyHash: string(hex("f0")), Identity: &evidence.Principal{Registry: "acrprod.azurecr.io", Subject: "release@example.com", ExpiresOn: noon.Add(-6*day + time.Hour)}},
		{At: noon.Add(-13 * day), Action: "rollback", Service: "chat-api", Digest: older0, Actor: "oncall@example.com", Reason: "memory leak", Record: &b, Verified: true, Seconds: 3.1, Number: 6, Tags: []string{"v1.40.0"}},
		{At: noon.Add(-14 * day), Action: "promote", Service: "chat-api", Digest: rotten0, Actor: "somebody", Number: 5, Problem: "unfinished: the completion is missing"},
		{At: noon.Add(-20 * day), Action: "adopt", Service: "chat-api", Digest: older0, Actor: "owner@example.com", Number: 4},
	}
}

func sampleDiff(from *digest.Digest, to digest.Digest) diff.Diff {
	old, next, yes := "info", "debug", true
	return diff.Diff{
		From: from, To: to, Size: diff.Sizes{From: 180_000_000, To: 192_000_000}, CompareURL: "https://git.example.com/acme/chat/compare/aaa...bbb",
		Revision:        diff.Revisions{From: "aaa", To: "bbb"},
		BaseImage:       diff.BaseImage{From: "docker.io/library/debian:12.6", To: "docker.io/library/debian:12.7", Pinned: &yes},
		Config:          []diff.Change{{Field: "env", Name: "LOG_LEVEL", Platform: "linux/amd64", From: &old, To: &next}, {Field: "env", Name: "LOG_LEVEL", Platform: "linux/arm64", From: &old, To: &next}, {Field: "port", Name: "9090/tcp", Platform: "linux/amd64", To: &next}},
		Layers:          diff.Layers{Shared: 5, SharedBytes: 170_000_000, AddedBytes: 22_000_000, RemovedBytes: 10_000_000, Added: []diff.Layer{{Digest: hex("a1"), Bytes: 22_000_000, CreatedBy: "COPY app /app"}}, Removed: []diff.Layer{{Digest: hex("b1"), Bytes: 10_000_000, CreatedBy: "COPY app /app"}}},
		Vulnerabilities: diff.Vulnerabilities{Introduced: []diff.Finding{{ID: "CVE-2026-1111", Package: "openssl", Version: "3.0.1", Fixed: "3.0.2", Severity: "medium", Title: "a slow leak"}}, Fixed: []diff.Finding{{ID: "CVE-2025-9", Package: "zlib", Version: "1.2", Severity: "high"}}},
	}
}

func sampleService(name string) config.Service {
	return config.Service{Name: name, Staging: "staging.example.com/" + name, Prod: "prod.example.com/" + name, Ledger: "prod.example.com/" + name + "-ledger", Channel: "live", Window: 90 * day, Limit: 50}
}

// newFake is a desk with one full service.
func newFake(t testing.TB) *fake {
	return &fake{
		t: t, services: []config.Service{sampleService("chat-api")},
		lists: map[string]release.ServiceView{"chat-api": sampleView()}, stored: map[string]release.ServiceView{},
		targets: sampleTargets(), entries: sampleEntries(),
	}
}

// copying is a report from the middle of a promotion.
func copying() release.Progress {
	return release.Progress{
		Step: "copy the image", Index: 2, Steps: []string{"check prod", "evaluate the gates", "copy the image", "read it back", "put the release tag and the record", "move the channel", "deliver and complete the record"},
		Copy: &registry.Progress{
			Bytes: 64_000_000, Total: 192_000_000, Moved: 20_000_000, Blob: 2, Status: "copying sha256:a1",
			Blobs: []registry.BlobProgress{
				{Digest: hex("51"), Done: 44_000_000, Total: 44_000_000, State: registry.BlobSkipped},
				{Digest: hex("52"), Done: 8_000_000, Total: 8_000_000, State: registry.BlobCopied},
				{Digest: hex("a1"), Done: 12_000_000, Total: 130_000_000, State: registry.BlobMoving},
				{Digest: hex("a2"), Total: 10_000_000, State: registry.BlobWaiting},
			},
		},
	}
}

func samplePending() []operation.Pending {
	return []operation.Pending{{
		ID: "op-1", Service: "chat-api", Action: "promote", Digest: ready0, Started: noon.Add(-hour), Step: "deliver",
		Prod: operation.After, Owed: []string{"the completion in the ledger"}, Problem: "the connection was lost", Command: "plimsoll promote chat-api " + string(ready0),
	}}
}
