// Package evidence signs and verifies statements about images. It is pure: no
// network, no file, no clock.
//
//	registry bytes ─► Open ─► Envelope ─► Verify(keys of one group) ─► Verified ─► About(digest)
//	                  strict   one signature   ECDSA, ed25519, RSA      parsed only now
//	predicate ─► NewStatement ─► Sign(key) ─► bundle ─► Manifest ─► what a registry stores
//
// The order is the security of it: nothing of a statement is parsed before its
// signature was checked with the keys that the caller trusts for that purpose,
// and everything that is not verified is an error with one of the reasons below.
//
// A signature by a certificate (keyless) takes another road behind Open: is it a
// workflow of the group that the certificate names? Then sigstore-go proves, with
// the group's trusted root, that it is genuine and was valid when the log or a
// timestamp authority saw the signature; then the statement is parsed.
//
// Formats and where they are written down:
//   - in-toto statement v1 and v0.1: https://github.com/in-toto/attestation/tree/main/spec
//   - DSSE: https://github.com/secure-systems-lab/dsse
//   - Sigstore bundle v0.1 to v0.3: https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto
//   - how cosign v3 stores bundles as OCI referrers, and v2 envelopes under the
//     .att tag: https://github.com/sigstore/cosign/tree/main/specs
//
// Files: evidence.go (words), predicates.go (our predicates), strict.go (what
// JSON may look like), envelope.go (bundle and DSSE), verify.go, keyless.go
// (certificates), signedtime.go, keys.go, sign.go, manifest.go, memo.go (no
// signature is checked twice), simplesigning.go (cosign v2's bare signatures).
package evidence
