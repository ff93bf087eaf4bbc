#!/bin/sh
# Makes the files beside it with the real cosign v3.1.3 (go install
# github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3), crane and openssl, against
# any OCI registry that needs no credential, such as the CNCF distribution
# registry v3.1.2. New keys are made each time, so all files change together.
#
#   sh make.sh 127.0.0.1:5000
set -eu
registry=$1
export COSIGN_PASSWORD=fixture-password
type=https://in-toto.io/attestation/test-result/v0.1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$work/p256.pem"
openssl ecparam -name secp384r1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$work/p384.pem"
openssl genpkey -algorithm ed25519 -out "$work/ed25519.pem"
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$work/rsa.pem"
cosign signing-config create --out "$work/none.json" # no transparency log, no timestamps: works offline

mkdir "$work/layer" && echo hi >"$work/layer/hi"
tar -C "$work/layer" --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - hi | gzip -n >"$work/layer.tgz"
for key in p256 p384 ed25519 rsa; do
	rm -f $key.key $key.pub
	cosign import-key-pair --key "$work/$key.pem" --output-key-prefix $key
	for format in bundle att; do
		crane append --insecure -f "$work/layer.tgz" -t "$registry/$key-$format:v1"
		digest=$(crane digest --insecure "$registry/$key-$format:v1")
		echo "$digest" >digest # the same for all
		tag=$(echo "$digest" | tr : -)
		image=$registry/$key-$format@$digest
		if [ $format = bundle ]; then
			cosign attest --key $key.key --type $type --predicate predicate.json \
				--signing-config "$work/none.json" -y "$image"
			manifest=$(crane manifest --insecure "$registry/$key-$format:$tag" | jq -r '.manifests[0].digest')
			manifest=$registry/$key-$format@$manifest
		else
			cosign attest --key $key.key --type $type --predicate predicate.json \
				--new-bundle-format=false --use-signing-config=false --tlog-upload=false -y "$image"
			manifest=$registry/$key-$format:$tag.att
		fi
		layer=$(crane manifest --insecure "$manifest" | jq -r '.layers[0].digest')
		crane blob --insecure "$registry/$key-$format@$layer" >$key.$format.json
	done
done
