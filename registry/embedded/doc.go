// Package embedded runs OCI registries in this process and fills them with
// real images, for the demo and for tests. No ordinary command imports it.
//
//	Start ─► olareg behind an http.Server on loopback ─► Registry.Host
//	                  ▲ Options.Wrap: faults, counting, refusals
//	Image ─► Build ─► Built (manifests, blobs, children first)
//	                    └─► Built.Push, or Push for both at once
//
// The images are what real tools make: layers are tar archives (plain, gzip or
// zstd), configurations name their diff IDs and history, an index can carry
// BuildKit's attestation manifests. Everything is deterministic: the same
// Image has the same digest on every machine with the same Go release.
// A layer of any size is made while it is sent; it never lies in memory.
//
// Files: embedded.go the server; images.go what an image is and how it is
// built; layer.go layers; provenance.go BuildKit's attestations; push.go how
// they reach a registry.
package embedded
