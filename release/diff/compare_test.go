package diff_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/exp/golden"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"pgregory.net/rapid"

	"plimsoll/config"
	"plimsoll/release/diff"
)

func dg(s string) digest.Digest { return digest.FromString(s) }

func layer(name string, bytes int64, step string) diff.Layer {
	return diff.Layer{Digest: dg(name), Bytes: bytes, CreatedBy: step}
}

// gateway is an image of two platforms as prod might run it.
func gateway() diff.Image {
	image := diff.Image{Digest: dg("gateway 1"), Tags: []string{"release-1", "1.9.0"}, Contents: &diff.Contents{List: []diff.Package{
		{"deb", "debian/zlib1g", "1.3"}, {"deb", "debian/libc6", "2.41"}, {"deb", "debian/openssl", "3.0.1"},
	}}, Findings: &diff.Findings{List: []diff.Finding{
		{ID: "CVE-2026-1", Package: "openssl", Version: "3.0.1", Fixed: "3.0.2", Severity: "high", Level: config.High},
	}}}
	for _, name := range []string{"linux/amd64", "linux/arm64"} {
		image.Platforms = append(image.Platforms, diff.Platform{
			Name: name, Digest: dg(name), ConfigDigest: dg("config " + name), ConfigBytes: 1000,
			Layers: []diff.Layer{layer("base "+name, 30_000_000, "FROM alpine"), layer("app "+name, 4_000_000, "COPY gateway /")},
			Config: diff.Config{
				Platform: name, User: diff.Value{Text: "1000"}, Workdir: diff.Value{Text: "/app"}, Entrypoint: diff.Value{Text: `["/gateway"]`},
				Env:    map[string]diff.Value{"LOG": {Text: "info"}, "API_KEY": {Text: "•••", Sum: "a"}, "SAME_TOKEN": {Text: "•••", Sum: "t"}},
				Ports:  []string{"8080/tcp"},
				Labels: map[string]diff.Value{diff.LabelSource: {Text: "https://github.com/acme/gateway"}, diff.LabelRevision: {Text: "aaaaaaa"}, diff.LabelBaseName: {Text: "alpine:3.20"}, diff.LabelBaseDigest: {Text: "sha256:1111"}},
			},
		})
	}
	return image
}

// nextGateway is what replaces it: another base image, port, secret and user.
func nextGateway() diff.Image {
	image := gateway()
	image.Digest = dg("gateway 2")
	pinned := true
	image.Provenance = &diff.Base{Name: "alpine:3.21@sha256:" + strings.Repeat("2", 64), Pinned: &pinned}
	image.Tags = []string{"main-9", "v2.0.0-rc.1", "v2.0.0", "2027"}
	image.Contents = &diff.Contents{List: []diff.Package{{"deb", "debian/zlib1g", "1.4"}, {"deb", "debian/libc6", "2.41"}, {"npm", "@acme/chat", "3.0.0"}}}
	image.Findings = &diff.Findings{List: []diff.Finding{
		{ID: "CVE-2026-2", Package: "zlib", Version: "1.3", Severity: "critical", Title: "overflow", Level: config.Critical},
	}}
	for i := range image.Platforms {
		p := &image.Platforms[i]
		p.Config.User = diff.Value{Text: "root"}
		p.Config.Env = map[string]diff.Value{"API_KEY": {Text: "•••", Sum: "b"}, "SAME_TOKEN": {Text: "•••", Sum: "t"}, "REGION": {Text: "eu"}}
		p.Config.Ports = []string{"8080/tcp", "9090/tcp"}
		p.Config.Labels = map[string]diff.Value{diff.LabelSource: {Text: "https://github.com/acme/gateway"}, diff.LabelRevision: {Text: "bbbbbbb"}, diff.LabelBaseName: {Text: "alpine:3.21"}, diff.LabelBaseDigest: {Text: "sha256:2222"}}
		p.Layers = []diff.Layer{p.Layers[0], layer("app 2 "+p.Name, 5_000_000, "COPY gateway /")}
	}
	image.Platforms = append(image.Platforms, diff.Platform{
		Name: "linux/s390x", Digest: dg("s390x"), ConfigDigest: dg("config s390x"), ConfigBytes: 1000,
		Layers: []diff.Layer{layer("base s390x", 30_000_000, "FROM alpine")}, Config: diff.Config{Platform: "linux/s390x"},
	})
	return image
}

func TestTheDifferenceAsAPage(t *testing.T) {
	from := gateway()
	golden.RequireEqual(t, []byte(diff.Text(diff.Compare(&from, nextGateway()))))
}

func TestTheDifferenceAsJSON(t *testing.T) {
	from := gateway()
	raw, err := json.MarshalIndent(diff.Compare(&from, nextGateway()), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.RequireEqual(t, raw)
}

func TestTheFirstPromotionAddsEverything(t *testing.T) {
	d := diff.Compare(nil, gateway())
	golden.RequireEqual(t, []byte(diff.Text(d)))
	if d.From != nil || len(d.Layers.Added) != 4 || d.Layers.Shared != 0 || len(d.Platforms.Added) != 2 || len(d.Vulnerabilities.Introduced) != 1 {
		t.Errorf("not everything is added: %+v", d)
	}
}

func TestNoListIsNull(t *testing.T) {
	raw, err := json.Marshal(diff.Compare(nil, diff.Image{Digest: dg("x")}))
	if err != nil {
		t.Fatal(err)
	}
	if rest := strings.ReplaceAll(strings.ReplaceAll(string(raw), `"from":null`, ""), `"pinned":null`, ""); strings.Contains(rest, "null") {
		t.Errorf("a list is null: %s", raw)
	}
}

func TestBiggerChangesAreNamedInWords(t *testing.T) {
	from := gateway()
	got := diff.Bigger(diff.Compare(&from, nextGateway()), config.DefaultBigger(), config.Medium)
	want := []string{
		"base image: alpine:3.20@sha256:1111 (claimed by labels) → alpine:3.21@sha256:222222222222", "packages: new ecosystem npm", "user: 1000 → root",
		"ports: new 9090/tcp", "environment variables: new REGION, LOG is gone", "platforms: new linux/s390x",
		"major version: 1.9.0 → v2.0.0", "vulnerabilities: 1 above the allowed severity: CVE-2026-2 (critical)",
		"size: it changed by +47 %, more than 25 %",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if why := diff.Bigger(diff.Compare(&from, gateway()), config.DefaultBigger(), config.Medium); len(why) != 0 {
		t.Errorf("nothing changed, but: %v", why)
	}
	if why := diff.Bigger(diff.Compare(nil, gateway()), config.DefaultBigger(), config.Medium); len(why) != 1 {
		t.Errorf("a first promotion is a bigger change: %v", why)
	}
}

func TestOnlyTheConfiguredRulesMakeAChangeBigger(t *testing.T) {
	from := gateway()
	d := diff.Compare(&from, nextGateway())
	all := diff.Bigger(d, config.DefaultBigger(), config.Medium)
	for _, rule := range config.DefaultBigger().Rules {
		if why := diff.Bigger(d, config.Bigger{Rules: []config.BiggerRule{rule}}, config.Medium); (rule != config.BiggerEntrypoint) != (len(why) == 1) || !slices.Contains(append(all, ""), strings.Join(why, "")) {
			t.Errorf("%s: %v", rule, why)
		}
	}
	if why := diff.Bigger(d, config.Bigger{Size: 50, Layers: 90}, config.Medium); len(why) != 0 {
		t.Errorf("nothing is above the limits, but: %v", why)
	}
	if why := diff.Bigger(d, config.Bigger{Size: 10, Layers: 10}, config.Critical); len(why) != 2 {
		t.Errorf("both are above the limits: %v", why)
	}
}

func TestAClaimNeverStandsInForProvenance(t *testing.T) {
	hex := strings.Repeat("1", 64)
	proved := &diff.Base{Name: "alpine:3.20@sha256:" + hex}
	claims := func(name, hex string) diff.Image {
		return diff.Image{Platforms: []diff.Platform{{Config: diff.Config{Labels: map[string]diff.Value{diff.LabelBaseName: {Text: name}, diff.LabelBaseDigest: {Text: "sha256:" + hex}}}}}}
	}
	for name, c := range map[string]struct {
		from, to diff.Image
		changed  bool
	}{
		"proved alike":             {diff.Image{Provenance: proved}, diff.Image{Provenance: proved}, false},
		"the provenance is gone":   {diff.Image{Provenance: proved}, claims("alpine:3.20", hex), true},
		"nothing is said any more": {diff.Image{Provenance: proved}, diff.Image{}, true},
		"now proved, as claimed":   {claims("docker.io/library/alpine:3.20", hex), diff.Image{Provenance: proved}, false},
		"now proved otherwise":     {claims("alpine:3.20", strings.Repeat("2", 64)), diff.Image{Provenance: proved}, true},
		"claimed alike":            {claims("alpine:3.20", hex), claims("alpine:3.20", hex), false},
	} {
		if got := diff.Compare(&c.from, c.to).BaseImage; got.Changed() != c.changed {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestLeavingTheBillOfMaterialsOutIsNoWayPast(t *testing.T) {
	from, to := gateway(), gateway()
	to.Contents = nil
	rule := config.Bigger{Rules: []config.BiggerRule{config.BiggerEcosystem}}
	if why := diff.Bigger(diff.Compare(&from, to), rule, config.Medium); len(why) != 1 || !strings.Contains(why[0], "the new image: there is no verified bill of materials") {
		t.Errorf("%v", why)
	}
	from.Contents = nil
	if why := diff.Bigger(diff.Compare(&from, to), rule, config.Medium); len(why) != 0 {
		t.Errorf("neither says what is inside: %v", why)
	}
}

func TestTheValueOfAnOrdinaryVariableIsNoBiggerChange(t *testing.T) {
	from, to := gateway(), gateway()
	to.Platforms[0].Config.Env = map[string]diff.Value{"LOG": {Text: "debug"}, "API_KEY": {Text: "•••", Sum: "new"}, "SAME_TOKEN": {Text: "•••", Sum: "t"}}
	d := diff.Compare(&from, to)
	if len(d.Config) != 2 || len(diff.Bigger(d, config.DefaultBigger(), config.Medium)) != 0 {
		t.Errorf("%+v: %v", d.Config, diff.Bigger(d, config.DefaultBigger(), config.Medium))
	}
}

func TestWithoutAScanReportVulnerabilitiesAreNotCompared(t *testing.T) {
	from, to := gateway(), nextGateway()
	for _, unknown := range []*diff.Findings{nil, {Problem: "the scan is malformed"}} {
		to.Findings = unknown
		v := diff.Compare(&from, to).Vulnerabilities
		if v.Problem == "" || len(v.Introduced)+len(v.Fixed) != 0 {
			t.Errorf("%+v", v)
		}
	}
	to.Findings = &diff.Findings{Missing: []string{"linux/arm64"}}
	if v := diff.Compare(&from, to).Vulnerabilities; v.Problem != "" || !strings.Contains(v.Partial, "the new image: no verified scan of linux/arm64") {
		t.Errorf("%+v", v)
	}
}

// images draws images that share names, layers and settings often enough to meet.
func images() *rapid.Generator[diff.Image] {
	return rapid.Custom(func(t *rapid.T) diff.Image {
		image := diff.Image{Digest: dg(rapid.StringN(1, 3, 3).Draw(t, "digest")), Findings: &diff.Findings{}}
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"linux/amd64", "linux/arm64", "windows/amd64"}), 0, 3, rapid.ID[string]).Draw(t, "platforms") {
			p := diff.Platform{Name: name, Config: diff.Config{
				User:  diff.Value{Text: rapid.SampledFrom([]string{"", "root", "1000"}).Draw(t, "user")},
				Env:   map[string]diff.Value{},
				Ports: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"80/tcp", "443/tcp"}), 0, 2, rapid.ID[string]).Draw(t, "ports"),
			}}
			for _, v := range rapid.SliceOfN(rapid.SampledFrom([]string{"A", "B", "C"}), 0, 3).Draw(t, "env") {
				p.Config.Env[v] = diff.Value{Text: rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "value")}
			}
			for _, l := range rapid.SliceOfN(rapid.SampledFrom([]string{"1", "2", "3", "4"}), 0, 4).Draw(t, "layers") {
				p.Layers = append(p.Layers, layer(l, int64(len(l)), ""))
			}
			image.Platforms = append(image.Platforms, p)
		}
		for _, id := range rapid.SliceOfN(rapid.SampledFrom([]string{"CVE-1", "CVE-2"}), 0, 2).Draw(t, "findings") {
			image.Findings.List = append(image.Findings.List, diff.Finding{ID: id, Package: "p"})
		}
		return image
	})
}

func TestAnImageDoesNotDifferFromItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := images().Draw(t, "a")
		d := diff.Compare(&a, a)
		if !d.Empty() || d.Layers.AddedBytes != 0 || len(diff.Bigger(d, config.DefaultBigger(), config.Unknown)) != 0 {
			t.Fatalf("%+v", d)
		}
	})
}

func TestSwappingTheImagesSwapsTheAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := images().Draw(t, "a"), images().Draw(t, "b")
		there, back := diff.Compare(&a, b), diff.Compare(&b, a)
		equal := func(what string, x, y any) {
			if d := cmp.Diff(x, y); d != "" {
				t.Fatalf("%s: %s", what, d)
			}
		}
		equal("layers", there.Layers.Added, back.Layers.Removed)
		equal("shared", there.Layers.Shared, back.Layers.Shared)
		equal("platforms", there.Platforms.Added, back.Platforms.Removed)
		equal("findings", there.Vulnerabilities.Introduced, back.Vulnerabilities.Fixed)
		swapped := slices.Clone(back.Config)
		for i := range swapped {
			swapped[i].From, swapped[i].To = swapped[i].To, swapped[i].From
		}
		equal("configuration", there.Config, swapped)
	})
}
