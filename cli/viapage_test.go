package cli_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"plimsoll/release/via/viatest"
)

// promoteStep is the script of the step that promotes, and its environment, as docs/via.md has them.
func promoteStep(t *testing.T, page string) (script string, env map[string]string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "docs", "via.md"))
	if err != nil {
		t.Fatal(err)
	}
	title := map[string]string{github: "# .github/workflows/promote.yml", azure: "# azure-pipelines.yml"}[page]
	_, rest, _ := strings.Cut(string(raw), "```yaml\n"+title+"\n")
	block, _, _ := strings.Cut(rest, "```")
	var whole map[string]any
	if err := yaml.Unmarshal([]byte(block), &whole); err != nil || whole == nil {
		t.Fatalf("%s: %v", title, err)
	}
	declared(t, whole)
	var found map[string]any
	walk(whole, func(one map[string]any) {
		if one["name"] == "Promote" || one["displayName"] == "Promote" {
			found = one
		}
	})
	env = map[string]string{}
	for name, v := range found["env"].(map[string]any) {
		env[name] = fmt.Sprint(v)
	}
	if page == azure {
		return found["inputs"].(map[string]any)["inlineScript"].(string), env
	}
	return found["run"].(string), env
}

// declared sees to it that a pipeline takes what Plimsoll sends, and no more.
func declared(t *testing.T, pipeline map[string]any) {
	t.Helper()
	var names []string
	if list, ok := pipeline["parameters"].([]any); ok {
		for _, p := range list {
			names = append(names, p.(map[string]any)["name"].(string))
		}
	} else {
		names = slices.Collect(maps.Keys(pipeline["on"].(map[string]any)["workflow_dispatch"].(map[string]any)["inputs"].(map[string]any)))
	}
	slices.Sort(names)
	if want := slices.Sorted(slices.Values(viatest.Inputs())); !slices.Equal(names, want) {
		t.Errorf("the page declares %v, not %v", names, want)
	}
}

// walk visits every map of a document.
func walk(v any, visit func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		visit(v)
		for _, one := range v {
			walk(one, visit)
		}
	case []any:
		for _, one := range v {
			walk(one, visit)
		}
	}
}
