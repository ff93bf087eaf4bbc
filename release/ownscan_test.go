package release_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
	"plimsoll/registry/ecr"
	"plimsoll/registry/ecr/ecrtest"
	"plimsoll/release"
)

// amazon is a world whose staging registry is ECR, with its own scanner.
type amazon struct {
	*world
	cloud *ecrtest.Cloud
	site  *ecrtest.Registry
	image digest.Digest // an index of two platforms
	scans int           // so far: each is a minute later than the one before
}

// serial is a test that changes its environment, so it does not run beside others.
type serial struct{ testing.TB }

func newAmazon(t *testing.T) *amazon {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIAADA", "AWS_SECRET_ACCESS_KEY": "a-secret-of-ada", "AWS_EC2_METADATA_DISABLED": "true", "AWS_PROFILE": "", "AWS_CA_BUNDLE": "", "AWS_ROLE_ARN": "", "AWS_SESSION_TOKEN": "",
		"AWS_CONFIG_FILE": filepath.Join(t.TempDir(), "config"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(t.TempDir(), "credentials"),
	} {
		t.Setenv(name, value)
	}
	a := &amazon{world: newWorld(serial{t})}
	a.cloud = ecrtest.New(t, &ecrtest.Principal{
		ARN: "arn:aws:iam::111111111111:user/ada", Key: "AKIAADA", Secret: "a-secret-of-ada",
		Allows: map[string][]string{"arn:aws:ecr:*:*:repository/*": ecrtest.Pull},
	})
	a.site = a.cloud.Add("111111111111", a.staging.Host)
	a.site.Create(ecrtest.Repository{Name: a.staging.Path})
	a.image = a.push(a.staging, "v1", image("one", a.now), image("one", a.now, arm64))
	for _, dg := range append(a.children(a.image), a.image) {
		m, err := a.writer.Manifest(t.Context(), a.staging, dg.String())
		if err != nil {
			t.Fatal(err)
		}
		a.site.Note(a.staging.Path, dg.String(), m)
	}
	a.config.Registries[a.site.Host] = a.cloud.Entry(config.Registry{Host: a.site.Host, Read: &config.Identity{AWS: &config.AWSIdentity{}}})
	a.config.Sources = map[string]config.Source{"own": {Name: "own", Registry: true, Keep: time.Minute, Timeout: 10 * time.Second}}
	s := &a.config.Services[0]
	s.Staging = a.site.Host + "/" + a.staging.Path
	s.Gates = config.Gates{Scan: &config.ScanGate{Sources: []string{"own"}, VEX: []string{"scanner"}, MaxSeverity: config.Medium, MaxAge: 24 * time.Hour}}
	a.desk = release.New(release.Options{
		Config: a.config, Store: a.store, Now: func() time.Time { return a.now }, Actor: "somebody", Version: "test",
		Client: func(p registry.Purpose) *registry.Client {
			return a.cloud.Client(p, a.config.Registries, ecr.Providers(ecr.Options{HTTP: a.cloud.HTTP()}))
		},
	})
	return a
}

// finds lets the scanner say something of one platform, a minute after it said something last.
func (a *amazon) finds(platform int, status string, findings ...string) {
	list := []any{}
	for _, f := range findings {
		id, severity, _ := strings.Cut(f, " ")
		list = append(list, map[string]any{"severity": severity, "status": "ACTIVE", "packageVulnerabilityDetails": map[string]any{
			"vulnerabilityId": id, "vulnerablePackages": []any{map[string]any{"name": "openssl", "version": "3.0.1", "fixedInVersion": "3.0.2"}},
		}})
	}
	a.scans++
	a.site.Image(a.staging.Path, a.children(a.image)[platform]).Scan = []map[string]any{{
		"imageScanStatus":   map[string]any{"status": status},
		"imageScanFindings": map[string]any{"imageScanCompletedAt": float64(a.now.Add(time.Duration(a.scans-60) * time.Minute).Unix()), "enhancedFindings": list},
	}}
}

func (a *amazon) scan(t *testing.T) gates.Check {
	t.Helper()
	v, err := a.desk.Gates(t.Context(), "chat", a.image)
	if err != nil {
		t.Fatal(err)
	}
	return check(t, v.Checks, gates.Scan)
}

func TestTheRegistrysOwnScanDecidesTheScanGate(t *testing.T) {
	a := newAmazon(t)
	expect := func(status gates.Status, says ...string) {
		t.Helper()
		c := a.scan(t)
		for _, word := range says {
			if !strings.Contains(c.Summary+" "+strings.Join(c.Reasons, " "), word) {
				t.Errorf("%+v does not say %q", c, word)
			}
		}
		if c.Status != status {
			t.Errorf("%+v", c)
		}
	}
	expect(gates.Missing, "knows nothing of linux/amd64", "linux/arm64")
	a.finds(0, "ACTIVE", "CVE-1 LOW")
	a.finds(1, "PENDING")
	expect(gates.Waiting, "linux/arm64")
	a.finds(1, "ACTIVE", "CVE-2 CRITICAL")
	expect(gates.Fail, "critical CVE-2", "linux/arm64", "fixed in 3.0.2")
	a.finds(1, "UNSUPPORTED_IMAGE")
	expect(gates.Error, "UNSUPPORTED_IMAGE")
	a.finds(1, "ACTIVE", "CVE-3 HIGH")
	expect(gates.Fail, "CVE-3")
	a.excuse(t, "CVE-3")
	expect(gates.Pass, "not_affected")
	a.now = a.now.Add(26 * time.Hour)
	expect(gates.Stale)
}

// excuse attaches an OpenVEX statement of the scanner's group to the image.
func (a *amazon) excuse(t *testing.T, id string) {
	t.Helper()
	a.sign(a.scanner, a.image, evidence.OpenVEX+"/v0.2.0", map[string]any{
		"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.com/vex/1", "author": "a", "timestamp": a.now.Add(-time.Minute).Format(time.RFC3339), "version": 1,
		"statements": []any{map[string]any{
			"vulnerability": map[string]any{"name": id}, "status": "not_affected", "justification": "vulnerable_code_not_in_execute_path",
			"products": []any{map[string]any{"@id": fmt.Sprintf("pkg:oci/chat@%s", strings.Replace(a.image.String(), ":", "%3A", 1))}},
		}},
	})
}

func TestOnlyThePlatformsOfThePolicyAreAskedAbout(t *testing.T) {
	a := newAmazon(t)
	a.config.Services[0].Platforms = []string{"linux/amd64"}
	a.finds(0, "ACTIVE")
	a.finds(1, "UNSUPPORTED_IMAGE")
	if c := a.scan(t); c.Status != gates.Pass {
		t.Errorf("%+v", c)
	}
	if _, err := a.desk.List(context.Background(), "chat"); err != nil {
		t.Error(err)
	}
}
