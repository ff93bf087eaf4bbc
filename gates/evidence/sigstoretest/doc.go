// Package sigstoretest is a Sigstore in process, for tests: a certificate
// authority that gives workflows their certificates, a log and a timestamp
// authority, over the virtual Sigstore of sigstore-go, and the bundles that
// cosign and GitHub make with the real one. Its certificates are not in a
// certificate transparency log.
package sigstoretest
