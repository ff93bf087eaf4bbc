package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plimsoll/config"
	"plimsoll/config/fault"
)

var update = flag.Bool("update", false, "write the golden files and the generated documentation")

// badTeam is a team's directory with more files that must not be accepted.
func badTeam(t *testing.T) string {
	dir := team(t)
	put(t, dir, "keys/private.key", pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED SIGSTORE PRIVATE KEY", Bytes: []byte("hunter2")}))
	k, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "keys/p521.pub", encode(t, k.Public()))
	put(t, dir, "other.json", []byte(`{"services": []}`))
	put(t, dir, "large.json", append([]byte(trustedRoot), make([]byte, 1<<20)...))
	return dir
}

// TestBadFilesSayWhatWouldBeRight compares the whole error of every file in
// testdata/bad with the text beside it. Files named personal-… are personal.yaml.
func TestBadFilesSayWhatWouldBeRight(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 50 {
		t.Fatal(len(files), err)
	}
	dir := badTeam(t)
	for _, file := range files {
		base := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(base, func(t *testing.T) {
			_, err := loadBad(t, dir, base)
			if fault.CodeOf(err) != fault.Usage {
				t.Fatalf("exit code %d: %v", fault.CodeOf(err), err)
			}
			got := fmt.Sprintf("error: %v\nhint: %s\n", err, fault.HintOf(err))
			got = strings.ReplaceAll(got, dir+string(filepath.Separator), "")
			got = strings.ReplaceAll(got, dir, "$DIR")
			if strings.Contains(got, "hunter2") {
				t.Errorf("a secret is shown: %s", got)
			}
			golden(t, filepath.Join("bad", base+".txt"), got)
		})
	}
}

func loadBad(t *testing.T, dir, base string) (*config.Config, error) {
	raw := readTestdata(t, "bad/"+base+".yaml")
	if !strings.HasPrefix(base, "personal-") {
		return config.Load(put(t, dir, config.FileName, raw), false, "")
	}
	path := put(t, dir, config.FileName, []byte(smallest))
	return config.Load(path, false, put(t, dir, config.PersonalName, raw))
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", name), []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want := string(readTestdata(t, name)); got != want {
		t.Errorf("got:\n%s\nwant:\n%s(run with -update if the new text is better)", got, want)
	}
}

func TestFilesThatCannotBeReadAreNamed(t *testing.T) {
	dir := team(t)
	good := put(t, dir, config.FileName, []byte(smallest))
	for name, c := range map[string]struct{ path, personal, says string }{
		"missing":          {filepath.Join(dir, "nowhere.yaml"), "", "nowhere.yaml: there is no such file"},
		"a directory":      {dir, "", "it is no regular file"},
		"too large":        {put(t, dir, "large.yaml", make([]byte, 1<<20+1)), "", "more than 1048576 bytes"},
		"missing personal": {good, filepath.Join(dir, "nobody.yaml"), "nobody.yaml: there is no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(c.path, false, c.personal)
			if fault.CodeOf(err) != fault.Usage || !strings.Contains(err.Error(), c.says) || fault.HintOf(err) == "" {
				t.Errorf("%v (%s)", err, fault.HintOf(err))
			}
		})
	}
}

// TestHostileYAMLIsRefusedAtOnce: a found file is read before anybody trusts it.
func TestHostileYAMLIsRefusedAtOnce(t *testing.T) {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 9; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	many := "base: &b {" + manyKeys(4000) + "}\nservices:\n" + strings.Repeat("  - {<<: *b}\n", 1000)
	for name, text := range map[string]string{
		"aliases":       strings.ReplaceAll(bomb, "a8:", "services:"),
		"merges":        many,
		"flow nesting":  "a: " + strings.Repeat("[", 100_000),
		"list nesting":  strings.Repeat("- ", 100_000),
		"key nesting":   strings.Repeat("? ", 100_000),
		"deep blocks":   deepBlocks(),
		"anchors":       strings.Repeat("&a ", 100_000) + "x",
		"tags":          strings.Repeat("!a ", 100_000) + "x",
		"keys":          manyKeysBlock(100_000),
		"long value":    "ui: {theme: " + strings.Repeat("x", 1<<19) + "}",
		"long key":      strings.Repeat("x", 1<<19) + ": 1",
		"controls":      "ui: {theme: \"\\e[2J\\u202e\"}\n",
		"own anchor":    "a: &a [*a]\n",
		"not UTF-8":     "ui: {theme: \xff\xfe\x00}\n",
		"binary":        "\x00\x01\x02\x7fELF",
		"closing first": "]}]}]}",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, text)
			if fault.CodeOf(err) != fault.Usage {
				t.Fatalf("%v", err)
			}
			if len(err.Error()) > 8000 || strings.ContainsAny(err.Error(), "\x1b\u202e\x00") {
				t.Errorf("%d characters: %.300q", len(err.Error()), err.Error())
			}
			if f := new(fault.Error); !errors.As(err, &f) || f.Hint == "" {
				t.Errorf("no hint: %.300v", err)
			}
		})
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d: 1, ", i)
	}
	return strings.TrimSuffix(b.String(), ", ")
}

func manyKeysBlock(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d: 1\n", i)
	}
	return b.String()
}

func deepBlocks() string {
	var b strings.Builder
	for i := range 1000 {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}
