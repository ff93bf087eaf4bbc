// Image pushes the two images that the scanners look at: chat:v1, with
// vulnerabilities up to medium, and chat:v2, with a critical and a high one.
// Both are an index of linux/amd64 and linux/arm64.
//
//	go run ./testdata/reports/make/image HOST DIRECTORY
//
// DIRECTORY holds the program: gateway-v1-amd64, gateway-v1-arm64, and so on.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config"
	"plimsoll/registry"
	"plimsoll/registry/embedded"
)

// osRelease is that of Debian 12.
const osRelease = `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
`

// packages are name, version and source package of what dpkg installed.
func packages(version, architecture string) [][3]string {
	list := [][3]string{
		{"apt", "2.6.1", "apt"},
		{"coreutils", "9.1-1", "coreutils"},
		{"libc6", "2.36-9+deb12u10", "glibc"},
		{"libssl3", map[string]string{"v1": "3.0.17-1~deb12u3", "v2": "3.0.17-1~deb12u2"}[version], "openssl"},
		{"libsystemd0", "252.39-1~deb12u1", "systemd"},
		{"libtiff6", "4.5.0-6+deb12u3", "tiff"},
	}
	if architecture == "amd64" {
		list = append(list, [3]string{"libexpat1", "2.5.0-1+deb12u2", "expat"}, [3]string{"libsqlite3-0", "3.40.1-2+deb12u2", "sqlite3"})
	}
	return list
}

// status is /var/lib/dpkg/status.
func status(version, architecture string) []byte {
	var b strings.Builder
	for _, p := range packages(version, architecture) {
		fmt.Fprintf(&b, "Package: %s\nStatus: install ok installed\nPriority: optional\nSection: libs\nMaintainer: Debian <debian@example.com>\nArchitecture: %s\n", p[0], architecture)
		if p[2] != p[0] {
			fmt.Fprintf(&b, "Source: %s\n", p[2])
		}
		fmt.Fprintf(&b, "Version: %s\nDescription: %s\n\n", p[1], p[0])
	}
	return []byte(b.String())
}

func image(dir, version, architecture string) (embedded.Image, error) {
	program, err := os.ReadFile(filepath.Join(dir, "gateway-"+version+"-"+architecture))
	if err != nil {
		return embedded.Image{}, err
	}
	created := time.Date(2026, 11, 23, 8, 40, 11, 0, time.UTC)
	platform := ocispec.Platform{OS: "linux", Architecture: architecture}
	if architecture == "arm64" {
		platform.Variant = "v8"
	}
	return embedded.Image{
		Layers: []embedded.Layer{
			{CreatedBy: "ADD rootfs.tar.xz / # buildkit", Files: []embedded.File{
				{Path: "etc/os-release", Content: []byte(osRelease)},
				{Path: "etc/debian_version", Content: []byte("12.12\n")},
				{Path: "var/lib/dpkg/status", Content: status(version, architecture)},
			}},
			{CreatedBy: "COPY gateway /usr/bin/gateway # buildkit", Files: []embedded.File{{Path: "usr/bin/gateway", Mode: 0o755, Content: program}}},
		},
		Config: ocispec.Image{
			Created: &created, Platform: platform,
			Config: ocispec.ImageConfig{Entrypoint: []string{"/usr/bin/gateway"}, User: "65532"},
		},
	}, nil
}

func run(host, dir string) error {
	client := registry.New(registry.Options{Purpose: registry.Promote, Registries: func(host string) config.Registry {
		anonymous := &config.Identity{Anonymous: true}
		return config.Registry{Host: host, PlainHTTP: true, Listed: true, Read: anonymous, Promote: anonymous}
	}})
	defer client.Close()
	for _, version := range []string{"v1", "v2"} {
		var images []embedded.Image
		for _, architecture := range []string{"amd64", "arm64"} {
			img, err := image(dir, version, architecture)
			if err != nil {
				return err
			}
			images = append(images, img)
		}
		repo := registry.Repository{Host: host, Path: "acme/gateway"}
		dg, err := embedded.Push(context.Background(), client, repo, []string{version}, images...)
		if err != nil {
			return err
		}
		fmt.Println(version, dg)
	}
	return nil
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: image HOST DIRECTORY")
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}
