package ecr_test

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/registry"
	"plimsoll/registry/ecr"
	"plimsoll/registry/ecr/ecrtest"
	"plimsoll/registry/embedded"
	"plimsoll/registry/registrytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	person  = "arn:aws:iam::111111111111:user/ada"
	release = "arn:aws:iam::222222222222:role/plimsoll/release"
	reader  = "arn:aws:iam::222222222222:role/Reader"
	canary  = "canary-5e1c9a-secret"
)

// world is two accounts with a registry each, a person who may read both, and a
// role that may write prod.
type world struct {
	*ecrtest.Cloud
	staging, prod *ecrtest.Registry
	entries       map[string]config.Registry
	options       ecr.Options
}

func newWorld(t *testing.T) *world {
	t.Helper()
	everything := "arn:aws:ecr:*:*:repository/*"
	w := &world{Cloud: ecrtest.New(t,
		&ecrtest.Principal{ARN: person, Key: "AKIAADA", Secret: canary, Allows: map[string][]string{everything: ecrtest.Pull}},
		&ecrtest.Principal{ARN: release, Trusts: []string{person}, Token: canary + "-web", Allows: map[string][]string{
			"arn:aws:ecr:*:222222222222:repository/*": ecrtest.Push, "arn:aws:ecr:*:111111111111:repository/*": ecrtest.Pull,
		}},
		&ecrtest.Principal{ARN: reader, Portal: canary + "-sso", Allows: map[string][]string{everything: ecrtest.Pull}},
	)}
	w.staging = w.Add("111111111111", registrytest.Embedded(t))
	w.prod = w.Add("222222222222", registrytest.Embedded(t))
	w.staging.Create(ecrtest.Repository{Name: "app"})
	w.prod.Create(ecrtest.Repository{Name: "app", Mutability: "IMMUTABLE_WITH_EXCLUSION", Excluded: []string{"live", "sha256-*"}})
	read := &config.Identity{AWS: &config.AWSIdentity{Profile: "ro"}}
	w.entries = map[string]config.Registry{
		w.staging.Host: {Read: read},
		w.prod.Host:    {Read: read, Promote: &config.Identity{AWS: &config.AWSIdentity{Profile: "ro", Role: release}}},
	}
	w.options = ecr.Options{HTTP: w.HTTP()}
	environment(t)
	return w
}

// environment is a machine with one profile and nothing else of AWS.
func environment(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ROLE_SESSION_NAME", "AWS_CA_BUNDLE",
	} {
		t.Setenv(name, "")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config"), "[profile ro]\nregion = us-east-1\n")
	write(t, filepath.Join(dir, "credentials"), "[ro]\naws_access_key_id = AKIAADA\naws_secret_access_key = "+canary+"\n")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "credentials"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// signInto is what aws sso login leaves behind, for a profile named sso.
func (w *world) signInto(t *testing.T, start string, ends time.Time) {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	write(t, os.Getenv("AWS_CONFIG_FILE"), "[profile ro]\nregion = us-east-1\n[profile sso]\nsso_start_url = "+start+
		"\nsso_region = "+ecrtest.Region+"\nsso_account_id = 222222222222\nsso_role_name = Reader\n")
	cache := filepath.Join(home, ".aws", "sso", "cache")
	must(t, os.MkdirAll(cache, 0o700))
	sum := sha1.Sum([]byte(start))
	write(t, filepath.Join(cache, hex.EncodeToString(sum[:])+".json"),
		`{"accessToken":"`+canary+`-sso","expiresAt":"`+ends.UTC().Format(time.RFC3339)+`","startUrl":"`+start+`","region":"`+ecrtest.Region+`"}`)
}

func (w *world) client(purpose registry.Purpose, more ...func(*registry.Options)) *registry.Client {
	return w.Client(purpose, w.entries, ecr.Providers(w.options), more...)
}

// push puts an image into a registry, past the front, but known to it.
func (w *world) push(t *testing.T, s *ecrtest.Registry, tag string, files ...string) registry.Manifest {
	t.Helper()
	c := registrytest.Client(t)
	image := embedded.Image{Layers: []embedded.Layer{{Files: []embedded.File{{Path: "app-" + tag, Content: []byte(tag + strings.Join(files, " "))}}}}}
	_, err := embedded.Push(t.Context(), c, s.Behind("app"), []string{tag}, image)
	must(t, err)
	m, err := c.Manifest(t.Context(), s.Behind("app"), tag)
	must(t, err)
	s.Note("app", tag, m)
	return m
}

func TestEachPurposeShowsItsOwnIdentityAndNoOther(t *testing.T) {
	w := newWorld(t)
	image := w.push(t, w.staging, "v1")
	read := w.client(registry.Read)
	_, err := read.Head(t.Context(), w.staging.Repository("app"), "v1")
	must(t, err)
	if subject, expires := read.Identity(w.staging.Host); subject != person || time.Until(expires) < 11*time.Hour {
		t.Errorf("identity %q until %v", subject, expires)
	}
	promote := w.client(registry.Promote)
	ctx := registry.WithErrand(t.Context(), registry.Errand{Person: "Owner <owner@example.com>", Operation: "20261124T050000.000001Z-ABCDEF"})
	_, err = registry.Copy(ctx, registry.CopyRequest{
		From: read, Source: w.staging.Repository("app"), To: promote, Target: w.prod.Repository("app"), Root: image.Descriptor.Digest,
	})
	must(t, err)
	must(t, registry.Complete(t.Context(), read, w.prod.Repository("app"), image.Descriptor.Digest))
	const session = "arn:aws:sts::222222222222:assumed-role/release/plimsoll-Owner-owner@example.com-20261124T050000.000001Z-ABCDEF"
	if subject, _ := promote.Identity(w.prod.Host); subject != session {
		t.Errorf("promoted as %q", subject)
	}
	promote.Close()
	if subject, _ := promote.Identity(w.prod.Host); subject != "" {
		t.Errorf("%q is still known after Close", subject)
	}
	for _, r := range w.Requests(".dkr.ecr." + ecrtest.Region + ".amazonaws.com") {
		write := r.Method != "GET" && r.Method != "HEAD"
		if write && r.Status < 400 && (r.Host != w.prod.Host || r.Principal != session) || r.Host == w.staging.Host && r.Principal == session {
			t.Errorf("%s", r)
		}
	}
}

func TestTheEverydayIdentityCannotWriteProd(t *testing.T) {
	w := newWorld(t)
	read := w.client(registry.Read)
	err := read.CanPush(t.Context(), w.prod.Repository("app"))
	if fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), "ecr:InitiateLayerUpload") {
		t.Errorf("got %v", err)
	}
}

func TestOneTokenServesAllRegistriesOfAnIdentity(t *testing.T) {
	w := newWorld(t)
	w.push(t, w.staging, "v1")
	w.push(t, w.prod, "v1")
	providers := ecr.Providers(w.options)
	for _, purpose := range []registry.Purpose{registry.Read, registry.Evidence} {
		c := w.Client(purpose, w.entries, providers)
		for _, s := range []*ecrtest.Registry{w.staging, w.prod} {
			_, err := c.Head(t.Context(), s.Repository("app"), "v1")
			must(t, err)
		}
	}
	if n := w.Actions("GetAuthorizationToken"); n != 1 {
		t.Errorf("asked for %d tokens", n)
	}
}

func TestATokenThatEndsHalfWayIsReplaced(t *testing.T) {
	w := newWorld(t)
	image := w.push(t, w.staging, "v1")
	read, promote := w.client(registry.Read), w.client(registry.Promote)
	must(t, promote.CanPush(t.Context(), w.prod.Repository("app")))
	_, err := read.Head(t.Context(), w.staging.Repository("app"), "v1")
	must(t, err)
	w.EndTokens()
	_, err = registry.Copy(t.Context(), registry.CopyRequest{
		From: read, Source: w.staging.Repository("app"), To: promote, Target: w.prod.Repository("app"), Root: image.Descriptor.Digest,
		Report: func(registry.Progress) {},
	})
	must(t, err)
	w.EndTokens()
	must(t, promote.PutManifest(t.Context(), w.prod.Repository("app"), "live", image))
	if n := w.Actions("AssumeRole"); n != 1 {
		t.Errorf("the role was taken %d times", n)
	}
}

func TestATokenIsReplacedBeforeItsEnd(t *testing.T) {
	w := newWorld(t)
	w.push(t, w.staging, "v1")
	now := time.Now()
	w.options.Now = func() time.Time { return now }
	providers := ecr.Providers(w.options)
	for range 2 {
		_, err := w.Client(registry.Read, w.entries, providers).Head(t.Context(), w.staging.Repository("app"), "v1")
		must(t, err)
		now = now.Add(12*time.Hour - time.Minute)
	}
	if n := w.Actions("GetAuthorizationToken"); n != 2 {
		t.Errorf("asked for %d tokens", n)
	}
}

func TestAPipelineTakesItsRoleByItsWebIdentity(t *testing.T) {
	w := newWorld(t)
	w.push(t, w.prod, "v1")
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, canary+"-web")
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file)
	t.Setenv("AWS_ROLE_ARN", release)
	for name, id := range map[string]config.AWSIdentity{"the environment's": {}, "named": {Role: release}} {
		w.entries[w.prod.Host] = config.Registry{Promote: &config.Identity{AWS: &id}}
		c := w.client(registry.Promote)
		ctx := registry.WithErrand(t.Context(), registry.Errand{Person: "owner"})
		_, err := c.Head(ctx, w.prod.Repository("app"), "v1")
		must(t, err)
		if subject, _ := c.Identity(w.prod.Host); subject != "arn:aws:sts::222222222222:assumed-role/release/plimsoll-owner" {
			t.Errorf("%s: %q", name, subject)
		}
	}
	if n := w.Actions("AssumeRole"); n != 0 {
		t.Errorf("the role was taken twice over")
	}
}

func TestARoleThatThePipelineHasAlreadyIsNotTakenAgain(t *testing.T) {
	w := newWorld(t)
	w.push(t, w.prod, "v1")
	first := w.client(registry.Promote)
	_, err := first.Head(t.Context(), w.prod.Repository("app"), "v1")
	must(t, err)
	key, secret, token := w.Session(release)
	t.Setenv("AWS_ACCESS_KEY_ID", key)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	t.Setenv("AWS_SESSION_TOKEN", token)
	w.entries[w.prod.Host] = config.Registry{Promote: &config.Identity{AWS: &config.AWSIdentity{Role: release}}}
	_, err = w.client(registry.Promote).Head(t.Context(), w.prod.Repository("app"), "v1")
	must(t, err)
	if n := w.Actions("AssumeRole"); n != 1 {
		t.Errorf("the role was taken %d times", n)
	}
}

func TestIdentitiesThatCannotBeHadSayWhatToDo(t *testing.T) {
	w := newWorld(t)
	w.push(t, w.prod, "v1")
	for name, c := range map[string]struct {
		id   config.AWSIdentity
		code fault.Code
		hint string
	}{
		"no such profile": {config.AWSIdentity{Profile: "gone"}, fault.Usage, "aws configure list-profiles"},
		"no credentials":  {config.AWSIdentity{}, fault.Usage, "aws sso login"},
		"a foreign role":  {config.AWSIdentity{Profile: "ro", Role: "arn:aws:iam::222222222222:role/other"}, fault.Refused, "trust policy"},
	} {
		w.entries[w.prod.Host] = config.Registry{Read: &config.Identity{AWS: &c.id}}
		_, err := w.client(registry.Read).Head(t.Context(), w.prod.Repository("app"), "v1")
		if fault.CodeOf(err) != c.code || !strings.Contains(fault.HintOf(err), c.hint) || !strings.Contains(err.Error(), w.prod.Host) {
			t.Errorf("%s: %v (%s)", name, err, fault.HintOf(err))
		}
	}
}

func TestNoSecretLeavesTheRequests(t *testing.T) {
	w := newWorld(t)
	image := w.push(t, w.staging, "v1")
	var said strings.Builder
	trace := func(o *registry.Options) {
		o.Trace = func(method, url string, _ int, _ time.Duration) { said.WriteString(method + " " + url + "\n") }
	}
	note := func(err error) {
		if err == nil {
			t.Error("no error")
			return
		}
		said.WriteString(err.Error() + fault.HintOf(err) + "\n")
	}
	promote := w.client(registry.Promote, trace)
	note(promote.PutManifest(t.Context(), w.prod.Repository("app"), "x", image))
	note(w.client(registry.Read, trace).PutManifest(t.Context(), w.prod.Repository("app"), "x", image))
	w.entries[w.prod.Host] = config.Registry{Promote: &config.Identity{AWS: &config.AWSIdentity{Profile: "ro", Role: "arn:aws:iam::222222222222:role/other"}}}
	_, err := w.client(registry.Promote, trace).Head(t.Context(), w.prod.Repository("app"), "x")
	note(err)
	if len(w.Secrets()) < 5 {
		t.Fatalf("only %d secrets", len(w.Secrets()))
	}
	for _, secret := range w.Secrets() {
		if strings.Contains(said.String(), secret) {
			t.Errorf("%q was seen in\n%s", secret, said.String())
		}
		if !strings.HasSuffix(secret, "-web") && !strings.HasSuffix(secret, "-sso") && strings.Contains(clean.Redact("x "+secret), secret) {
			t.Errorf("%q is not cut out", secret)
		}
	}
}

func TestHostsOfOthersHaveNoProvider(t *testing.T) {
	w := newWorld(t)
	for host, ours := range map[string]bool{
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com":              true,
		"123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com":     true,
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn":          true,
		"123456789012.dkr-ecr.eu-west-1.on.aws":                     true,
		"public.ecr.aws":                                            false,
		"acme.azurecr.io":                                           false,
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example": false,
	} {
		c := registry.New(registry.Options{Providers: ecr.Providers(w.options)})
		err := c.Restore(t.Context(), registry.Repository{Host: host, Path: "app"}, "sha256:x", "t")
		_, known, _ := c.Retention(t.Context(), registry.Repository{Host: host, Path: "app"})
		if known != ours || !errors.Is(err, registry.ErrUnsupported) {
			t.Errorf("%s: %v, %v", host, known, err)
		}
		c.Close()
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
