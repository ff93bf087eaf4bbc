// Package ecr is what Amazon Elastic Container Registry adds to the registry client.
//
//	Providers ──► provider, one for each host of each client      (ecr.go)
//	                │ Credential                                  (token.go)
//	                ▼
//	session: profile, SSO, web identity, AssumeRole               (session.go)
//	                │ credentials of AWS, kept by the SDK until shortly before their end
//	                ▼
//	GetAuthorizationToken ─► user AWS and a password of 12 hours, for basic authentication
//	ECR's own API: DescribeImages, tag mutability, lifecycle, scan findings
//	                                                              (list.go, ready.go, keep.go, scan.go)
//
// Identities for reading are shared by all registries of a run. That for
// promoting is made for one client, asked for at its first request under a name
// that tells the person and the operation, and forgotten by Close.
//
// Everything was tried on ecrtest, which follows the documentation, and nothing
// on a live AWS: docs/aws.md lists what that leaves open.
//
// Files: ecr.go · place.go host names · session.go · token.go · trouble.go
// errors · list.go · ready.go what would refuse a promotion half-way · keep.go
// retention · scan.go findings.
package ecr
