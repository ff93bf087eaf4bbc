#!/bin/sh
# Makes the scanners' reports beside this folder with the real Trivy v0.74.0 and
# Grype v0.121.2; ../README.md says how to build them. Needs trivy, grype and
# crane in PATH, Go, the Go module proxy, and an OCI registry on loopback that
# needs no credential. Nothing else is downloaded: the vulnerability databases
# are made here.
#
#   sh testdata/reports/make/make.sh 127.0.0.1:5000
set -eu
registry=$1
make=testdata/reports/make
out=$(pwd)/testdata/reports
work=/tmp/plimsoll-reports # a fixed place: Grype writes where its database lies
rm -rf "$work" && mkdir -p "$work/gateway" "$work/grypedb" "$work/db"

# The program in the images: the version of one dependency is all that matters.
cp "$make/gateway.go.txt" "$work/gateway/main.go"
for pair in v1:v0.45.0 v2:v0.30.0; do
	(
		cd "$work/gateway" && rm -f go.mod go.sum
		go mod init acme.example/gateway && go get "golang.org/x/net@${pair#*:}"
		for arch in amd64 arm64; do
			CGO_ENABLED=0 GOARCH=$arch go build -trimpath -ldflags '-s -w' -o "$work/gateway-${pair%:*}-$arch" .
		done
	)
done
go run "./$make/image" "$registry" "$work"

# The databases.
go run "./$make/trivydb" "$make/vulnerabilities.json" "$work/trivy"
cp "$make/grypedb.go.txt" "$work/grypedb/main.go"
(cd "$work/grypedb" && go mod init grypedb && go get github.com/anchore/grype@v0.121.2 && go build -mod=mod -o grypedb .)
"$work/grypedb/grypedb" "$make/vulnerabilities.json" "$work/db"
tar -C "$work/db" -cf "$work/grype.tar" vulnerability.db

export TRIVY_CACHE_DIR="$work/trivy" TRIVY_SKIP_DB_UPDATE=true TRIVY_OFFLINE_SCAN=true TRIVY_SKIP_VERSION_CHECK=true \
	TRIVY_DISABLE_TELEMETRY=true TRIVY_NON_SSL=true TRIVY_IMAGE_SRC=remote TRIVY_QUIET=true
export GRYPE_DB_CACHE_DIR="$work/grype" GRYPE_DB_AUTO_UPDATE=false GRYPE_DB_VALIDATE_AGE=false GRYPE_CHECK_FOR_APP_UPDATE=false \
	GRYPE_REGISTRY_INSECURE_USE_HTTP=true
cd "$work"
grype -q db import grype.tar

# As archives, one platform each: the reports then name no digest of a registry.
for version in v1 v2; do
	for arch in amd64 arm64; do
		crane pull --insecure --platform "linux/$arch" --format oci "$registry/acme/gateway:$version" "gateway-$version-$arch.oci"
	done
done
t() { trivy image --scanners vuln --format "$1" --output "$out/$2" --input "$3"; }
t json trivy.json gateway-v1-amd64.oci
t json trivy-arm64.json gateway-v1-arm64.oci
t json trivy-critical.json gateway-v2-amd64.oci
t cosign-vuln trivy-cosign-vuln.json gateway-v2-amd64.oci
t sarif trivy.sarif gateway-v2-amd64.oci
t cyclonedx trivy-cyclonedx.json gateway-v2-amd64.oci
t cyclonedx trivy-cyclonedx-clean.json gateway-v1-arm64.oci
trivy image --format cyclonedx --output "$out/trivy-sbom.json" --input gateway-v2-amd64.oci # a list of contents, nothing scanned
g() { grype -q "oci-dir:$3" -o "$1" --file "$out/$2"; }
g json grype.json gateway-v1-amd64.oci
g json grype-high.json gateway-v2-amd64.oci
g sarif grype.sarif gateway-v2-amd64.oci
g cyclonedx-json grype-cyclonedx.json gateway-v2-amd64.oci

# As people scan in CI: the index in the registry, one platform of it at a time.
image=$registry/acme/gateway@$(crane digest --insecure "$registry/acme/gateway:v2")
for arch in amd64 arm64; do
	trivy image --scanners vuln --platform "linux/$arch" --format json --output "$out/trivy-registry-$arch.json" "$image"
	grype -q --platform "linux/$arch" -o json --file "$out/grype-registry-$arch.json" "registry:$image"
done
trivy image --scanners vuln --platform linux/arm64 --format sarif --output "$out/trivy-registry-arm64.sarif" "$image"
trivy image --scanners vuln --platform linux/arm64 --format cyclonedx --output "$out/trivy-registry-arm64-cyclonedx.json" "$image"
grype -q --platform linux/arm64 -o sarif --file "$out/grype-registry-arm64.sarif" "registry:$image"
grype -q --platform linux/arm64 -o cyclonedx-json --file "$out/grype-registry-arm64-cyclonedx.json" "registry:$image"
rm -rf "$work"
