#!/bin/sh
# Makes the bundles beside it with the real cosign v3.1.3 and crane, with the
# key of ../../evidence/testdata/cosign, against any OCI registry that needs no
# credential. Each is the layer of the referrer that cosign attest writes.
#
#   sh make.sh 127.0.0.1:5000
set -eu
registry=$1
here=$(cd "$(dirname "$0")" && pwd)
key=$here/../../evidence/testdata/cosign/p256.key
reports=$here/../../../testdata/reports
export COSIGN_PASSWORD=fixture-password
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cosign signing-config create --out "$work/none.json" # no transparency log, no timestamps: works offline

mkdir "$work/layer" && echo hi >"$work/layer/hi"
tar -C "$work/layer" --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - hi | gzip -n >"$work/layer.tgz"
attest() { # name, cosign's --type, predicate
	image=$registry/$1
	crane append --insecure -f "$work/layer.tgz" -t "$image:v1"
	digest=$(crane digest --insecure "$image:v1")
	cosign attest --key "$key" --type "$2" --predicate "$3" --signing-config "$work/none.json" -y "$image@$digest"
	manifest=$(crane manifest --insecure "$image:$(echo "$digest" | tr : -)" | jq -r '.manifests[0].digest')
	layer=$(crane manifest --insecure "$image@$manifest" | jq -r '.layers[0].digest')
	crane blob --insecure "$image@$layer" >"$here/$1.bundle.json"
	echo "$digest" >"$here/digest" # the same for all
}
attest e2e https://in-toto.io/attestation/test-result/v0.1 "$here/e2e.json"
attest vuln vuln "$reports/trivy-cosign-vuln.json"
attest openvex openvex "$here/openvex.json"
attest provenance https://slsa.dev/provenance/v1 "$here/provenance.json"
