package config_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/goccy/go-yaml"

	"plimsoll/config"
	"plimsoll/config/expr"
)

// TestLinksOfTheDocumentationLeadSomewhere: every relative link of README.md and
// docs names a file that is there, and every anchor a heading.
func TestLinksOfTheDocumentationLeadSomewhere(t *testing.T) {
	for _, page := range pages(t) {
		for _, link := range links(prose(readPage(t, page))) {
			path, anchor, _ := strings.Cut(link, "#")
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), filepath.FromSlash(path))
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s leads nowhere: %v", page, link, err)
				continue
			}
			if anchor != "" && !slices.Contains(anchors(prose(readPage(t, target))), anchor) {
				t.Errorf("%s: %s has no heading #%s", page, target, anchor)
			}
		}
	}
}

// TestEveryGateHasAPage, and the index of docs/gates.md leads to it.
func TestEveryGateHasAPage(t *testing.T) {
	index := links(readPage(t, filepath.Join("..", "docs", "gates.md")))
	files, err := filepath.Glob(filepath.Join("..", "docs", "gates", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := "gates/" + filepath.Base(file); !slices.Contains(index, name) {
			t.Errorf("docs/gates.md does not lead to %s", name)
		}
	}
	gates := regexp.MustCompile("(?m)^\\| `gates\\.([a-z0-9-]+)` \\|").FindAllStringSubmatch(config.Reference(), -1)
	if len(gates) < 8 {
		t.Fatalf("gates of the reference: %q", gates)
	}
	for _, gate := range append(gates, []string{"", "policy"}, []string{"", "quarantine"}, []string{"", "overrides"}) {
		if !slices.Contains(index, "gates/"+gate[1]+".md") {
			t.Errorf("docs/gates.md does not lead to a page of %s", gate[1])
		}
	}
}

// TestFieldsOfExpressionsAreDocumented: what an expression may look at is on the page of custom gates.
func TestFieldsOfExpressionsAreDocumented(t *testing.T) {
	page := readDocs(t, "gates/custom.md")
	for _, object := range []string{"Image", "Config", "Evidence"} {
		for _, field := range expr.Fields(object) {
			if !strings.Contains(page, "`"+field+"`") {
				t.Errorf("docs/gates/custom.md does not name %s of %s", field, object)
			}
		}
	}
}

// TestEveryRoomIsOnTheMap: docs/architecture.md names every package.
func TestEveryRoomIsOnTheMap(t *testing.T) {
	page, rooms := readDocs(t, "architecture.md"), 0
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() || path == ".." {
			return err
		}
		if name := d.Name(); strings.HasPrefix(name, ".") || name == "testdata" || name == "docs" {
			return filepath.SkipDir
		}
		files, err := filepath.Glob(filepath.Join(path, "*.go"))
		if err != nil || len(files) == 0 {
			return err
		}
		rooms++
		room := filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator))) + "/"
		if !strings.Contains(page, "`"+room+"`") {
			t.Errorf("docs/architecture.md does not name %s", room)
		}
		return nil
	})
	if err != nil || rooms < 30 {
		t.Fatal(rooms, err)
	}
}

// TestConfigurationOnThePagesLoads: what README.md and the pages of gates and
// sources show of plimsoll.yaml is taken as it stands, and an editor agrees.
func TestConfigurationOnThePagesLoads(t *testing.T) {
	schema, found := compile(t), 0
	for _, page := range pages(t) {
		name := filepath.ToSlash(page)
		shown := []string{"../README.md", "../docs/sources.md", "../docs/registries.md", "../docs/aws.md", "../docs/via.md"}
		if !strings.HasPrefix(name, "../docs/gates") && !slices.Contains(shown, name) {
			continue
		}
		for _, block := range yamlBlocks(unindent(readPage(t, page))) {
			text, ok := completed(block)
			if !ok {
				continue
			}
			found++
			if _, err := config.Load(put(t, pageTeam(t), config.FileName, []byte(text)), false, ""); err != nil {
				t.Errorf("%s: %v\nin\n%s", page, err, text)
			}
			if err := schema.Validate(asJSON(t, text)); err != nil {
				t.Errorf("%s: %v\nin\n%s", page, err, text)
			}
		}
	}
	if found < 15 {
		t.Errorf("%d pieces of configuration", found)
	}
}

// pageTeam has the keys that the pages name.
func pageTeam(t *testing.T) string {
	t.Helper()
	dir := team(t)
	for _, name := range []string{"security", "builder", "pipeline"} {
		put(t, dir, "keys/"+name+".pub", publicKey(t))
	}
	return dir
}

// around is what a piece of configuration needs beside it, by key.
const around = `
trust:
  ci: {keys: [keys/ci.pub]}
  scanner: {keys: [keys/scanner.pub]}
  builder: {keys: [keys/builder.pub]}
  security: {keys: [keys/security.pub]}
  qa-leads: {people: {qa.lead@example.com: keys/qa-lead.pub}}
  release-owners: {people: {owner@example.com: keys/owner.pub}}
services:
  - {name: chat, staging: staging.example.com/chat, prod: prod.example.com/chat}
`

// completed is a piece of plimsoll.yaml as a whole file; not ok if it is something else.
func completed(block string) (text string, ok bool) {
	var piece, whole map[string]any
	if yaml.Unmarshal([]byte(block), &piece) != nil || piece == nil {
		return "", false
	}
	if err := yaml.Unmarshal([]byte(around), &whole); err != nil {
		return "", false
	}
	known := []string{"registries", "signing", "trust", "trust-root", "sources", "gates", "overrides", "records", "services"}
	for key := range piece {
		if !slices.Contains(known, key) {
			return "", false
		}
	}
	if piece["services"] == nil && piece["trust"] != nil {
		trust := whole["trust"].(map[string]any)
		maps.Copy(trust, piece["trust"].(map[string]any))
		piece["trust"] = trust
	}
	maps.Copy(whole, piece)
	raw, err := yaml.Marshal(whole)
	return string(raw), err == nil
}

// pages are README.md and everything under docs.
func pages(t *testing.T) []string {
	t.Helper()
	found := []string{filepath.Join("..", "README.md")}
	err := filepath.WalkDir(filepath.Join("..", "docs"), func(path string, _ os.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".md" {
			found = append(found, path)
		}
		return err
	})
	if err != nil || len(found) < 20 {
		t.Fatal(found, err)
	}
	return found
}

func readPage(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

var (
	fence      = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	inlineCode = regexp.MustCompile("`[^`\n]*`")
	linkTarget = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	headings   = regexp.MustCompile(`(?m)^#{1,6} +(.*)$`)
)

// prose is a page without its blocks of code.
func prose(page string) string { return fence.ReplaceAllString(page, "") }

// links are the relative links of a page.
func links(page string) []string {
	var found []string
	for _, m := range linkTarget.FindAllStringSubmatch(inlineCode.ReplaceAllString(page, "code"), -1) {
		if !strings.Contains(m[1], ":") {
			found = append(found, m[1])
		}
	}
	return found
}

// anchors are the names that GitHub gives to the headings of a page.
func anchors(page string) []string {
	seen := map[string]int{}
	var names []string
	for _, m := range headings.FindAllStringSubmatch(page, -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, m[1])
		if n := seen[name]; n > 0 {
			names = append(names, fmt.Sprintf("%s-%d", name, n))
		} else {
			names = append(names, name)
		}
		seen[name]++
	}
	return names
}

// unindent takes the indentation of lists away from blocks of code.
func unindent(page string) string {
	return fence.ReplaceAllStringFunc(page, func(block string) string {
		indent := block[:strings.Index(block, "`")]
		return strings.ReplaceAll(strings.TrimPrefix(block, indent), "\n"+indent, "\n")
	})
}
