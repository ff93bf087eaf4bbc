package config_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/config/internal/keydocs"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestGeneratedDocumentationIsCurrent fails if the table of keys changed and
// nobody ran go generate ./config.
func TestGeneratedDocumentationIsCurrent(t *testing.T) {
	if got := readDocs(t, "plimsoll.schema.json"); got != string(config.Schema()) {
		t.Error("docs/plimsoll.schema.json is old: run go generate ./config")
	}
	page := readDocs(t, "configuration.md")
	want, err := keydocs.Insert(page, config.Reference())
	if err != nil {
		t.Fatal(err)
	}
	if page != want {
		t.Error("docs/configuration.md is old: run go generate ./config")
	}
}

func TestExamplesOfTheDocumentationLoadAndMatchTheSchema(t *testing.T) {
	schema := compile(t)
	examples := []string{"# plimsoll.yaml\n" + string(readTestdata(t, "design.yaml"))}
	examples = append(examples, yamlBlocks(readDocs(t, "configuration.md"))...)
	if len(examples) < 5 {
		t.Fatalf("%d examples", len(examples))
	}
	for _, text := range examples {
		dir := team(t)
		switch name, _, _ := strings.Cut(text, "\n"); name {
		case "# plimsoll.yaml":
			if _, err := config.Load(put(t, dir, config.FileName, []byte(text)), false, ""); err != nil {
				t.Errorf("%v\nin\n%s", err, text)
			}
			if err := schema.Validate(asJSON(t, text)); err != nil {
				t.Errorf("%v\nin\n%s", err, text)
			}
		case "# personal.yaml":
			path := put(t, dir, config.FileName, []byte(smallest))
			if _, err := config.Load(path, false, put(t, dir, config.PersonalName, []byte(text))); err != nil {
				t.Errorf("%v\nin\n%s", err, text)
			}
		default:
			t.Errorf("an example must begin with the name of its file:\n%s", text)
		}
	}
}

// TestSchemaRefusesWhatItsTableRefuses: whatever the loader refuses by its
// table, an editor refuses by the schema; the rest is named here.
func TestSchemaRefusesWhatItsTableRefuses(t *testing.T) {
	beyond := map[string]string{
		"allow-alone": "between keys", "alias-of-nothing": "YAML", "bad-kms": "code", "bad-regexp": "code", "bad-template": "code",
		"ca-is-a-key": "files", "ca-missing": "files", "custom-name-taken": "between keys", "duplicate-identity": "between keys",
		"duplicate-key": "YAML", "duplicate-service": "between keys", "duration-overflow": "code", "duration-zero": "code", "bad-date": "code",
		"empty": "YAML", "freeze-backwards": "between keys", "git-path-outside": "code", "git-with-password": "code", "group-without-trust": "between keys",
		"key-certificate": "files", "key-curve": "files", "key-directory": "files", "key-missing": "files", "key-network": "code",
		"key-never-valid": "between keys", "key-not-pem": "files", "key-private": "files", "key-shared": "files", "ledger-elsewhere": "between keys",
		"ledger-is-prod": "between keys", "ledger-shared": "between keys", "not-yaml": "YAML", "only-comment": "YAML", "plain-http": "between keys",
		"quorum-out-of-reach": "between keys", "reserved-channel": "code", "retention-short": "code", "sign-off-without-people": "between keys",
		"staging-is-prod": "between keys", "tab": "YAML", "template-loop": "code", "template-syntax": "code", "two-documents": "YAML",
		"two-ledgers": "between keys", "two-tenants": "between keys", "unknown-group": "between keys", "yaml-tag": "YAML", "merge-of-text": "YAML",
		"base-image-stars": "code", "bigger-always": "between keys", "bigger-nothing": "between keys", "cron-comma": "code", "cron-never": "code",
		"cron-sunday-seven": "code", "custom-cut-off": "code", "custom-double-quoted": "code", "custom-escaped": "code", "custom-folded": "code",
		"custom-literal": "code", "custom-named-quarantine": "between keys", "custom-no-cel": "code", "custom-not-bool": "code",
		"custom-single-quoted": "code", "custom-unknown-field": "code", "freeze-for-seconds": "code", "freeze-for-too-long": "code",
		"kms-aws-alias": "code", "kms-elsewhere": "code", "kms-shared": "between keys", "kms-vault-name": "code", "override-by-a-machine": "between keys",
		"override-by-unknown": "between keys", "override-of-all-custom": "between keys", "override-of-anothers-gate": "between keys",
		"override-of-nothing": "between keys", "override-of-policy": "between keys", "override-of-quarantine": "between keys",
		"pattern-fits-all": "code", "pattern-fits-github": "code", "pattern-open": "code", "pattern-quotes-the-end": "code",
		"provenance-branch-glob": "code", "provenance-branch-ref": "code", "provenance-source": "code", "root-missing": "files",
		"root-not-json": "files", "root-of-something": "files", "root-of-tuf": "files", "root-too-large": "files", "source-api-plain": "code",
		"source-ca": "files", "source-header-alone": "between keys", "source-keep": "code", "source-organization": "code", "source-path": "code",
		"source-states": "between keys", "source-template": "code", "source-timeout": "code", "source-total-alone": "between keys",
		"source-two-tokens": "between keys", "source-url-loopback": "between keys", "source-url-not-plain": "between keys",
		"source-url-open-host": "code", "source-url-password": "code", "source-url-plain": "between keys", "source-without-sources": "between keys",
		"base-age-of-anything": "between keys",
		"base-age-of-any-host": "between keys",
		"e2e-by-a-scanner":     "between keys",
		"e2e-by-a-registry":    "between keys",
		"client-plain-http":    "between keys",
		"harbor-of-a-cloud":    "between keys",
		"source-without-state": "between keys", "source-state-alone": "between keys",
		"tuf-plain": "code", "tuf-root-is-a-trusted-root": "files", "tuf-without-root": "between keys", "unknown-provenance-group": "between keys",
		"unknown-soak-group": "between keys", "unknown-source": "between keys", "unknown-vex-group": "between keys", "zone-local": "code", "zone-unknown": "code",
	}
	schema := compile(t)
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		base := strings.TrimSuffix(filepath.Base(file), ".yaml")
		if strings.HasPrefix(base, "personal-") || beyond[base] == "YAML" {
			continue
		}
		err := schema.Validate(asJSON(t, string(readTestdata(t, "bad/"+base+".yaml"))))
		if (err == nil) != (beyond[base] != "") {
			t.Errorf("%s: listed as %q, the schema says: %v", base, beyond[base], err)
		}
	}
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("plimsoll.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("plimsoll.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON reads YAML as an editor does, not as our loader does.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, text)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func readDocs(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func yamlBlocks(page string) []string {
	var out []string
	for _, part := range strings.Split(page, "```yaml\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		out = append(out, block)
	}
	return out
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(smallest))
	for _, pattern := range []string{"testdata/*.yaml", "testdata/bad/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(raw)
		}
	}
	dir := team(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := put(t, dir, config.FileName, raw)
		for _, personal := range []string{"", path} {
			c, err := config.Load(path, true, personal)
			switch {
			case err != nil && fault.CodeOf(err) != fault.Usage:
				t.Fatalf("another exit code than 2: %v", err)
			case err != nil && strings.ContainsAny(err.Error(), "\x1b\u202e"):
				t.Fatalf("an escape sequence in %q", err)
			case err == nil && len(c.Services) == 0:
				t.Fatal("a configuration without a service")
			case err == nil:
				if _, err := json.Marshal(c.Services[0].Gates); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
