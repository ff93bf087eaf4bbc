// Package trust makes a configuration's trust complete with what is not in
// files: public keys that a key service holds (azurekms://, awskms://) and the
// trusted root of Sigstore, which TUF distributes. It also opens signers whose
// private key never leaves a key service.
//
//	config.Config ─► Complete ─► config.Config with keys and root, or with why not
//	                   │  ▲
//	        key service│  │ the store: a key is pinned at first use, by its reference
//	               TUF │  │ the state directory: the root, until its metadata expires
//	                   ▼  │
//	                 network: only for what is not there, or was asked for by a person
//
// A key that is pinned is never asked for again by itself: a key that changes
// behind an unchanged reference is what an attacker with rights in the key
// service would make, and what a rotation looks like. `plimsoll trust` asks
// again and shows the difference. What cannot be had is a Problem of the key or of
// the group, and evidence that needs it is unreadable, never passed over.
//
// Sources: TUF (https://theupdateframework.github.io/specification/latest/), how
// Sigstore uses it (https://github.com/sigstore/root-signing), references of keys
// as cosign writes them (https://docs.sigstore.dev/cosign/key_management/overview/).
//
//	trust.go   Complete
//	keys.go    public keys of key services, pinned
//	kms.go     the two key services
//	signer.go  signing with them
//	root.go    the trusted root: kept, renewed, expired
//	tuf.go     one conversation with a TUF repository
package trust
