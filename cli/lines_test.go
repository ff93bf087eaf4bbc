package cli_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"plimsoll/cli"
)

var (
	continued  = regexp.MustCompile(`\\\n *`)
	codeBlock  = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	codeSpan   = regexp.MustCompile("`[^`\n]+`")
	expression = regexp.MustCompile(`\$\{\{[^}]*\}\}`)
	ourCommand = regexp.MustCompile(`(^|[:;&|(] *)plimsoll((?: +(?:'[^']*'|"(?:[^"\\]|\\.)*"|\$\([^)]*\)|[^\s'"|;&<>()#]+|=))*)`)
	ourWords   = regexp.MustCompile(`(?:'[^']*'|"(?:[^"\\]|\\.)*"|\$\([^)]*\)|[^\s'"]+)+`)
)

// TestCommandLinesOfTheDocumentationAreOnes: each plimsoll … in code on a page
// names a command and flags that are there, and in a block its arguments, too.
func TestCommandLinesOfTheDocumentationAreOnes(t *testing.T) {
	found := 0
	check := func(page, code string, whole bool) {
		for _, m := range ourCommand.FindAllStringSubmatch(expression.ReplaceAllString(code, "X"), -1) {
			found++
			if why := wrong(ourWords.FindAllString(m[2], -1), whole && m[1] == ""); why != "" {
				t.Errorf("%s: plimsoll%s: %s", page, m[2], why)
			}
		}
	}
	for _, page := range documents(t) {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range codeBlock.FindAllString(string(raw), -1) {
			for line := range strings.Lines(continued.ReplaceAllString(block, " ")) {
				check(page, strings.TrimLeft(strings.TrimSpace(line), "$ "), true)
			}
		}
		for _, span := range codeSpan.FindAllString(codeBlock.ReplaceAllString(string(raw), ""), -1) {
			check(page, strings.Trim(span, "`"), false)
		}
	}
	if found < 100 {
		t.Errorf("%d command lines", found)
	}
}

// wrong says what is wrong with a command line; whole: its arguments are all there.
func wrong(words []string, whole bool) string {
	cmd, rest, err := cli.Command().Find(words)
	if err != nil {
		return err.Error()
	}
	cmd.InitDefaultVersionFlag()
	switch err := cmd.ParseFlags(rest); {
	case err != nil && !whole && strings.Contains(err.Error(), "needs an argument"):
		return "" // only named
	case err != nil:
		return err.Error()
	case !whole:
		return ""
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		return err.Error()
	}
	return ""
}

// documents are README.md and the pages that people wrote.
func documents(t *testing.T) []string {
	t.Helper()
	pages := []string{filepath.Join("..", "README.md")}
	err := filepath.WalkDir(filepath.Join("..", "docs"), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "commands":
			return filepath.SkipDir // made from the commands themselves
		case filepath.Ext(path) == ".md":
			pages = append(pages, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}
