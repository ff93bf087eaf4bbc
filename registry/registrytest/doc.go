// Package registrytest gives tests real registries on loopback.
//
//	Embedded(t)      ─► olareg in this process: referrers API, faults by embedded.Options.Wrap
//	Distribution(t)  ─► the CNCF distribution registry as a process of its own:
//	                     no referrers API, files in t.TempDir(), optionally a
//	                     login (htpasswd) and TLS from a CA made for the test
//	Client(t)        ─► a registry.Client that speaks plain HTTP to loopback
//
// Both end with the test. What a registry process logged is shown if the test
// failed.
//
// Files: registrytest.go Embedded and Client; distribution.go the process and
// its configuration; process*.go how it starts and dies; ca.go the certificate
// authority; tool.go finding and installing pinned programs.
package registrytest
