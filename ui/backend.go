package ui

import (
	"context"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/release"
	"plimsoll/release/diff"
	"plimsoll/release/doctor"
	"plimsoll/release/operation"
)

// Backend is what the console asks of the release desk. Everything but
// Services may wait for a disk or a network and is called from commands only;
// implementations are safe for concurrent use.
type Backend interface {
	Services() []config.Service
	// Through names the pipeline that an action of a service goes through, "" if
	// this machine does it; it asks nobody.
	Through(service, action string) string
	Pending() ([]operation.Pending, error)
	// MayOverride tells who may go past which gate; it asks no network.
	MayOverride(service string) (release.Allowance, error)

	Snapshot(service string) (release.ServiceView, bool)
	SnapshotTargets(service string) ([]release.Target, bool)
	SnapshotHistory(service string) ([]release.Entry, bool)

	List(ctx context.Context, service string) (release.ServiceView, error)
	Gates(ctx context.Context, service string, dg digest.Digest) (release.Verdict, error)
	Diff(ctx context.Context, service string, from *digest.Digest, to digest.Digest) (diff.Diff, error)
	Targets(ctx context.Context, service string) ([]release.Target, error)
	History(ctx context.Context, service string) ([]release.Entry, error)
	// Doctor finds out whether the isolation of a service is real.
	Doctor(ctx context.Context, service string, r release.DoctorRequest) (doctor.Report, error)
	Verify(ctx context.Context, reference string) (release.Verification, error)

	Approve(ctx context.Context, r release.ApproveRequest) (release.SignOff, error)
	Quarantine(ctx context.Context, r release.QuarantineRequest) (release.Quarantined, error)
	Promote(ctx context.Context, r release.PromoteRequest, report func(release.Progress)) (release.Outcome, error)
	// Resume finishes an operation that an earlier start left open.
	Resume(ctx context.Context, id string, report func(release.Progress)) (release.Outcome, error)
	Rollback(ctx context.Context, r release.RollbackRequest, report func(release.Progress)) (release.Outcome, error)
}
