// Trivydb writes a vulnerability database for Trivy, schema version 2, as
// https://github.com/aquasecurity/trivy-db does: bbolt buckets with JSON.
//
//	go run ./testdata/reports/make/trivydb VULNERABILITIES CACHE
//
// CACHE becomes Trivy's --cache-dir.
package main

import (
	"encoding/json"
	"log"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
)

type vulnerability struct {
	ID, GHSA, Source, Module, Fixed, Severity, Title string
}

// severities are types.Severity of trivy-db.
var severities = map[string]int{"low": 1, "medium": 2, "high": 3, "critical": 4}

var scores = map[string]float64{"low": 3.3, "medium": 5.9, "high": 7.5, "critical": 9.8}

const (
	debian = "debian 12"
	golang = "go::GitHub Security Advisory Go"
)

// advisory is where the database keeps what a vulnerability does to a package.
func (v vulnerability) advisory() (path []string, value any) {
	if v.Module != "" {
		return []string{golang, v.Module, v.ID}, map[string]any{
			"VendorIDs": []string{v.GHSA}, "PatchedVersions": []string{v.Fixed}, "VulnerableVersions": []string{"< " + v.Fixed},
		}
	}
	if v.Fixed != "" {
		return []string{debian, v.Source, v.ID}, map[string]any{"FixedVersion": v.Fixed}
	}
	return []string{debian, v.Source, v.ID}, map[string]any{"Status": 2} // affected
}

func (v vulnerability) details() any {
	details := map[string]any{
		"Title": v.Title, "Description": v.Title + ".", "References": []string{"https://nvd.nist.gov/vuln/detail/" + v.ID},
		"PublishedDate": "2026-09-02T17:15:00Z", "LastModifiedDate": "2026-10-11T08:00:00Z",
	}
	if v.Severity != "" {
		source := "debian"
		if v.Module != "" {
			source = "ghsa"
		}
		details["VendorSeverity"] = map[string]int{"nvd": severities[v.Severity], source: severities[v.Severity]}
		details["CVSS"] = map[string]any{"nvd": map[string]any{"V3Vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", "V3Score": scores[v.Severity]}}
	}
	return details
}

func put(tx *bbolt.Tx, path []string, value any) error {
	bucket, err := tx.CreateBucketIfNotExists([]byte(path[0]))
	if err != nil {
		return err
	}
	for _, name := range path[1 : len(path)-1] {
		if bucket, err = bucket.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return bucket.Put([]byte(path[len(path)-1]), raw)
}

func fill(tx *bbolt.Tx, list []vulnerability) error {
	for key, source := range map[string][3]string{
		debian: {"debian", "Debian Security Tracker", "https://salsa.debian.org/security-tracker-team/security-tracker"},
		golang: {"ghsa", "GitHub Security Advisory Go", "https://github.com/advisories?query=type%3Areviewed+ecosystem%3Ago"},
	} {
		if err := put(tx, []string{"data-source", key}, map[string]string{"ID": source[0], "Name": source[1], "URL": source[2]}); err != nil {
			return err
		}
	}
	for _, v := range list {
		path, value := v.advisory()
		if err := put(tx, path, value); err != nil {
			return err
		}
		if err := put(tx, []string{"vulnerability", v.ID}, v.details()); err != nil {
			return err
		}
	}
	return nil
}

func run(from, cache string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var list []vulnerability
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	dir := filepath.Join(cache, "db")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	db, err := bbolt.Open(filepath.Join(dir, "trivy.db"), 0o600, nil)
	if err != nil {
		return err
	}
	if err := db.Update(func(tx *bbolt.Tx) error { return fill(tx, list) }); err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	now := time.Now().UTC()
	metadata, err := json.Marshal(map[string]any{"Version": 2, "NextUpdate": now.Add(24 * time.Hour), "UpdatedAt": now, "DownloadedAt": now})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "metadata.json"), metadata, 0o600)
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: trivydb VULNERABILITIES CACHE")
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}
