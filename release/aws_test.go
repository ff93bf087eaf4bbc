package release_test

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
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
	"plimsoll/release/doctor"
)

// The identities of the two accounts.
const (
	ada     = "arn:aws:iam::111111111111:user/ada"
	taking  = "arn:aws:iam::222222222222:role/plimsoll-promote"
	session = "arn:aws:sts::222222222222:assumed-role/plimsoll-promote/"
)

// amazon is a world whose registries are those of two accounts of AWS; that of
// staging has a scanner of its own.
type amazon struct {
	*world
	cloud        *ecrtest.Cloud
	site, target *ecrtest.Registry // staging, prod
	image        digest.Digest     // an index of two platforms
	scans        int               // so far: each is a minute later than the one before
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
	a.cloud = ecrtest.New(t,
		&ecrtest.Principal{ARN: ada, Key: "AKIAADA", Secret: "a-secret-of-ada", Allows: map[string][]string{"arn:aws:ecr:*:*:repository/*": ecrtest.Pull, "arn:aws:ecr:*:*:repository/*/*": ecrtest.Pull}},
		&ecrtest.Principal{ARN: taking, Trusts: []string{ada}, Allows: map[string][]string{"arn:aws:ecr:*:222222222222:repository/team/*": ecrtest.Push}},
	)
	a.site, a.target = a.cloud.Add("111111111111", a.staging.Host), a.cloud.Add("222222222222", a.prod.Host)
	a.site.Create(ecrtest.Repository{Name: a.staging.Path})
	a.target.Create(ecrtest.Repository{Name: a.prod.Path, Mutability: "IMMUTABLE_WITH_EXCLUSION", Excluded: []string{"live", "sha256-*"}})
	a.target.Create(ecrtest.Repository{Name: a.prod.Path + "-ledger", Mutability: "IMMUTABLE"})
	a.image = a.push(a.staging, "v1", image("one", a.now), image("one", a.now, arm64))
	for _, dg := range append(a.children(a.image), a.image) {
		m, err := a.writer.Manifest(t.Context(), a.staging, dg.String())
		if err != nil {
			t.Fatal(err)
		}
		a.site.Note(a.staging.Path, dg.String(), m)
	}
	own := &config.Identity{AWS: &config.AWSIdentity{}}
	a.config.Registries = map[string]config.Registry{
		a.site.Host:   a.cloud.Entry(config.Registry{Host: a.site.Host, Read: own}),
		a.target.Host: a.cloud.Entry(config.Registry{Host: a.target.Host, Read: own, Promote: &config.Identity{AWS: &config.AWSIdentity{Role: taking}}}),
	}
	a.config.Sources = map[string]config.Source{"own": {Name: "own", Registry: true, Keep: time.Minute, Timeout: 10 * time.Second}}
	s := &a.config.Services[0]
	s.Staging, s.Prod = a.site.Host+"/"+a.staging.Path, a.target.Host+"/"+a.prod.Path
	s.Ledger = s.Prod + "-ledger"
	s.Gates = config.Gates{Scan: &config.ScanGate{Sources: []string{"own"}, VEX: []string{"scanner"}, MaxSeverity: config.Medium, MaxAge: 24 * time.Hour}}
	a.desk = release.New(release.Options{
		Config: a.config, Store: a.store, Now: func() time.Time { return a.now }, Actor: "somebody", Version: "test",
		Client: func(p registry.Purpose) *registry.Client {
			return a.cloud.Client(p, a.config.Registries, ecr.Providers(ecr.Options{HTTP: a.cloud.HTTP()}))
		},
		Signer: func(context.Context) (evidence.Signer, error) { return a.signer.signer, nil },
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

func TestAPromotionOnAWSTakesItsRoleForThePersonAndTheOperation(t *testing.T) {
	a := newAmazon(t)
	a.finds(0, "ACTIVE")
	a.finds(1, "ACTIVE", "CVE-1 LOW")
	out, err := a.desk.Promote(t.Context(), release.PromoteRequest{Service: "chat", Digest: a.image, Reason: "story"}, nil)
	if err != nil || out.Unchanged || len(out.Warnings) != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	again, err := a.desk.Promote(t.Context(), release.PromoteRequest{Service: "chat", Digest: a.image, Reason: "story"}, nil)
	if err != nil || !again.Unchanged {
		t.Errorf("%+v, %v", again, err)
	}
	v, err := a.desk.Verify(t.Context(), a.config.Services[0].Prod+"@"+a.image.String())
	if err != nil || !v.Promoted || v.Identity == nil {
		t.Fatalf("%+v, %v", v, err)
	}
	wrote := map[string]bool{}
	for _, r := range a.cloud.Requests(".dkr.ecr." + ecrtest.Region + ".amazonaws.com") {
		if r.Method != "GET" && r.Method != "HEAD" && r.Status < 400 {
			wrote[r.Host+" "+r.Principal] = true
		}
	}
	if len(wrote) != 1 || !wrote[a.target.Host+" "+v.Identity.Subject] {
		t.Errorf("%v, and the record names %s", wrote, v.Identity.Subject)
	}
	if !regexp.MustCompile("^" + session + `plimsoll-owner@example\.com-[0-9]{8}T[0-9]{6}\.[0-9]{6}Z-[A-Z0-9]{6}$`).MatchString(v.Identity.Subject) {
		t.Errorf("the session is named %s", v.Identity.Subject)
	}
}

func TestAWarmListOnAWSReadsPagesInPlaceOfEachTag(t *testing.T) {
	a := newAmazon(t)
	for i := range 6 {
		dg := a.push(a.staging, fmt.Sprintf("v1.%d", i), image(fmt.Sprint(i), a.now))
		m, err := a.writer.Manifest(t.Context(), a.staging, dg.String())
		if err != nil {
			t.Fatal(err)
		}
		a.site.Note(a.staging.Path, fmt.Sprintf("v1.%d", i), m)
	}
	a.site.Change(a.staging.Path, func(*ecrtest.Repository) {})
	cold := len(a.list().Candidates)
	seen := len(a.cloud.Requests(a.site.Host))
	pages := a.cloud.Actions("DescribeImages")
	warm := a.list()
	heads := 0
	for _, r := range a.cloud.Requests(a.site.Host)[seen:] {
		if r.Method == "HEAD" {
			heads++
		}
	}
	if len(warm.Candidates) != 7 || cold != 7 || heads > 1 || a.cloud.Actions("DescribeImages") != pages+1 {
		t.Errorf("%d and %d candidates, %d HEADs, %d pages", cold, len(warm.Candidates), heads, a.cloud.Actions("DescribeImages")-pages)
	}
}

func TestTheCountdownOfARollbackTargetKnowsTheLifecyclePolicy(t *testing.T) {
	a := newAmazon(t)
	a.config.Services[0].Gates = config.Gates{}
	a.target.Change(a.prod.Path, func(r *ecrtest.Repository) {
		r.Lifecycle = `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"sinceImagePushed","countUnit":"days","countNumber":40},"action":{"type":"expire"}}]}`
	})
	first := a.now
	for _, dg := range []digest.Digest{a.image, a.push(a.staging, "v2", image("two", a.now))} {
		if _, err := a.desk.Promote(t.Context(), release.PromoteRequest{Service: "chat", Digest: dg, Reason: "story"}, nil); err != nil {
			t.Fatal(err)
		}
		a.now = a.now.Add(48 * time.Hour)
	}
	until := func() *time.Time {
		t.Helper()
		targets, err := a.desk.Targets(t.Context(), "chat")
		if err != nil || len(targets) != 1 || targets[0].Digest != a.image {
			t.Fatalf("%+v, %v", targets, err)
		}
		return targets[0].Until
	}
	if got, want := until(), first.Add(40*24*time.Hour); got == nil || got.Sub(want).Abs() > time.Hour {
		t.Errorf("%v, want about %v", got, want)
	}
	a.target.Change(a.prod.Path, func(r *ecrtest.Repository) { r.Lifecycle = "" })
	if got := until(); got != nil {
		t.Errorf("nothing is deleted, and it says %v", got)
	}
	a.cloud.Allow(ada, map[string][]string{"arn:aws:ecr:*:*:repository/*/*": {"ecr:BatchGetImage"}, "arn:aws:ecr:*:*:repository/*": {"ecr:BatchGetImage"}})
	if got := until(); got != nil {
		t.Errorf("it may not be known, and it says %v", got)
	}
}

func TestTheDoctorOnAWS(t *testing.T) {
	a := newAmazon(t)
	a.finds(0, "ACTIVE")
	a.finds(1, "ACTIVE")
	if _, err := a.desk.Promote(t.Context(), release.PromoteRequest{Service: "chat", Digest: a.image, Reason: "story"}, nil); err != nil {
		t.Fatal(err)
	}
	expect := func(id string, status doctor.Status, says string) {
		t.Helper()
		r, err := a.desk.Doctor(t.Context(), "chat", release.DoctorRequest{Promotion: true})
		if err != nil {
			t.Fatal(err)
		}
		if got, text := factOf(t, r, id); got != status || !strings.Contains(text, says) {
			t.Errorf("%s is %s, not %s (%q): %s", id, got, status, says, text)
		}
	}
	for id, says := range map[string]string{
		"everyday-write": "InitiateLayerUpload", "promotion-write": "", "promotion-staging": "InitiateLayerUpload", "promotion-lifetime": "hours",
		"promotion-separate": session, "retention": "nothing", "promoted-kept": "", "promoted-tagged": "", "channel": "", "tag-rules": "live can move",
	} {
		expect(id, doctor.OK, says)
	}
	a.target.Change(a.prod.Path, func(r *ecrtest.Repository) { r.Mutability, r.Excluded = "IMMUTABLE", nil })
	expect("tag-rules", doctor.Broken, "aws ecr put-image-tag-mutability --repository-name team/chat")
	a.target.Change(a.prod.Path, func(r *ecrtest.Repository) {
		r.Lifecycle = `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"sinceImagePushed","countUnit":"days","countNumber":20},"action":{"type":"expire"}}]}`
	})
	expect("retention", doctor.Broken, "20 days")
	a.cloud.Allow(ada, map[string][]string{"arn:aws:ecr:*:*:repository/*/*": {"ecr:BatchGetImage"}, "arn:aws:ecr:*:*:repository/*": {"ecr:BatchGetImage"}})
	expect("tag-rules", doctor.Unknown, "may not look")
	expect("retention", doctor.Unknown, "ecr:GetLifecyclePolicy")
}
