// Package harbortest is a Harbor for tests: a TLS listener under the name
// Host, in front of a real registry on loopback.
//
//	/service/token    tokens.go   the token service: a token for each scope, for /v2 only
//	/v2/…             registry.go tokens and permissions enforced, immutable tags (412), quota (403), vulnerable images (412)
//	/api/v2.0/…       api.go      basic authentication and permissions enforced: artifacts, reports, immutability rules
//
// Answers follow Harbor's api/v2.0/swagger.yaml and its source (August 2026).
// Nothing here was compared with a live Harbor.
package harbortest
