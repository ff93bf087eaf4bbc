// Package harbor is what a Harbor adds to the registry client: its own API,
// beside the distribution protocol on the same host.
//
//	Provider ──► provider, for hosts with harbor: true          (harbor.go)
//	               │ the identity's user name and password, no token: its API takes none of the registry's
//	               ▼
//	GET /api/v2.0/projects/P/repositories/R/artifacts/DIGEST    state of the scan, findings (scan.go)
//	GET /api/v2.0/projects/P/immutabletagrules                  tags that cannot move       (rules.go)
//
// A robot account needs the permissions artifact:read, artifact-addition:read
// and immutable-tag:list for that, beside those to pull. Paths, forms and words are those of Harbor's
// api/v2.0/swagger.yaml and of its source (August 2026); everything was tried on
// harbortest, and nothing on a live Harbor.
//
// Files: harbor.go · scan.go · report.go the form of a report, for other sources
// too · rules.go · pattern.go how Harbor writes patterns.
package harbor
