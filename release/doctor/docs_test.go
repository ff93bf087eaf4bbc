package doctor_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryFactIsInTheDocs finds the ids in the source: other programs rely on them.
func TestEveryFactIsInTheDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile(`(?:question\{|cannotWrite\(ctx, |around\(ctx, )"([a-z-]+)"`)
	ids := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range id.FindAllSubmatch(source, -1) {
			ids++
			if !strings.Contains(string(page), "`"+string(m[1])+"`") {
				t.Errorf("docs/doctor.md does not tell of %s", m[1])
			}
		}
	}
	if ids < 25 {
		t.Errorf("only %d ids were found", ids)
	}
}
