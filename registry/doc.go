// Package registry speaks the OCI distribution protocol with registries that
// it does not trust: it lists, resolves, reads, copies, tags and attaches.
//
//	Head, Manifest, Blob, Tags, Referrers … Attach, PutManifest   what callers ask for
//	        │ fetch: size and time limits, errors        (answer.go)
//	        ▼
//	      do / exchange: retry and read-only             (client.go, retry.go)
//	        ▼
//	   authorized: challenge, credential, token          (authorize.go, login.go, token.go)
//	        ▼
//	      send: connections, trace, clock, redirects     (transport.go)
//
// Whatever comes back is bounded in size and time, checked against its digest,
// and cleaned before it is kept as text. A credential goes to the host that it
// is for, and to no other.
//
// Files: registry.go the words and limits · client.go the Client and its
// low-level requests · host.go what is known of one host · transport.go ·
// retry.go · challenge.go WWW-Authenticate · credential.go where credentials
// come from · login.go, authorize.go, token.go proving an identity · answer.go
// errors · ruled.go what a repository's rules refuse · look.go what a client could do · provider.go, ready.go, scan.go what a cloud adds, wire.go its way here · manifest.go · blob.go · list.go tags and pages · referrers.go ·
// attach.go · copy*.go the copy engine.
package registry
