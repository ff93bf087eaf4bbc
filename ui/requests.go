package ui

import (
	"github.com/opencontainers/go-digest"

	"plimsoll/release/operation"
)

// What the backend is asked to write.
type (
	approveRequest = struct {
		Service  string
		Digest   digest.Digest
		Decision string
		Comment  string
		Expect   *string
	}
	signOff = struct {
		Evidence, Digest            digest.Digest
		Service, Decision, Reviewer string
	}
	quarantineRequest = operation.QuarantineRequest
	quarantined       = operation.Quarantined
	promoteRequest    = operation.PromoteRequest
	rollbackRequest   = operation.RollbackRequest
)
