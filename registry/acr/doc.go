// Package acr is what Azure Container Registry adds to the registry client.
//
//	Providers ──► provider, one for each host of each client      (acr.go)
//	                │ Credential
//	                ▼
//	source: az, azd, a device code, a federated token …           (identity.go)
//	                │ token of Microsoft Entra, kept until shortly before its end
//	                ▼
//	POST /oauth2/exchange ─► refresh token of the registry        (token.go)
//	                │ the client itself: POST /oauth2/token, a token for each repository
//	                ▼
//	/acr/v1: manifests, locks, what was deleted softly            (list.go, lock.go, keep.go)
//	Resource Manager: import, retention, permissions              (arm.go, import.go, keep.go, rights.go)
//
// Identities for reading are shared by all registries of a run. That for
// promoting is made for one client, asked for a token at its first request, and forgotten by Close.
//
// Everything was tried on acrtest, which follows the documentation, and nothing
// on a live Azure: docs/azure.md lists what that leaves open.
//
// Files: acr.go · cloud.go Azure's clouds · identity.go · token.go · list.go ·
// lock.go · keep.go retention and the bin · arm.go Resource Manager · import.go ·
// rights.go what lets something in without the right to push.
package acr
