package diff_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"plimsoll/config/expr"
	"plimsoll/release/diff"
)

// ask evaluates an expression over the facts of one platform.
func ask(t *testing.T, text string, image diff.Image, d *diff.Diff, tags ...string) (bool, error) {
	t.Helper()
	facts := diff.Facts("staging.example.com/gateway", image, d, tags)
	program, err := expr.Compile(text)
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]any{"image": maps.Clone(facts.Image), "config": facts.Platforms[0].Config}
	in["image"].(map[string]any)["config"] = facts.Platforms[0].Config
	if facts.Diff != nil {
		in["diff"] = facts.Diff
	}
	return program.Eval(in)
}

func TestExpressionsSeeTheImageAndTheDifference(t *testing.T) {
	from, to := gateway(), nextGateway()
	created := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	to.Platforms[0].Config.Created = &created
	d := diff.Compare(&from, to)
	for _, text := range []string{
		`image.config.user == "root" && config.entrypoint == ["/gateway"] && config.cmd == [] && config.volumes.size() == 0`,
		`config.env == {"API_KEY": "•••", "SAME_TOKEN": "•••", "REGION": "eu"}`,
		`image.repository.startsWith("staging.") && image.tags == ["v2.0.0"] && image.platforms.size() == 3 && image.sizeBytes > 0`,
		`image.created == timestamp("2026-11-20T08:00:00Z") && image.revision == "bbbbbbb" && image.version == ""`,
		`diff.from != null && diff.baseImage.fromClaimed && !diff.baseImage.toClaimed && diff.baseImage.pinned == true`,
		`diff.packages.ecosystems == ["npm"] && diff.vulnerabilities.introduced[0].severity == "critical"`,
		`diff.config.exists(c, c.field == "port" && c.name == "9090/tcp" && c.from == null) && diff.version.to == "v2.0.0"`,
		`diff.layers.shared == 2 && diff.platforms.added == ["linux/s390x"] && diff.files.added.size() == 0 && diff.size.to > diff.size.from`,
	} {
		if ok, err := ask(t, text, to, &d, "v2.0.0"); err != nil || !ok {
			t.Errorf("%s: %v, %v", text, ok, err)
		}
	}
}

func TestWhatIsNotKnownWholeIsNotAFact(t *testing.T) {
	image := gateway()
	image.Platforms[0].Config.User = diff.Value{Text: strings.Repeat("u", 500) + "…", Sum: "s"}
	image.Platforms[0].Config.Cmd = diff.Value{Text: `["/bin/sh","` + strings.Repeat("x", 480) + "…", Sum: "s"}
	for _, text := range []string{`config.user != "root"`, `!config.cmd.exists(c, c == "-x")`, `diff.to == ""`, `image.created < timestamp("2027-01-01T00:00:00Z")`} {
		if ok, err := ask(t, text, image, nil); err == nil || ok {
			t.Errorf("%s: %v, %v, want an error", text, ok, err)
		}
	}
}

// TestEveryKeyOfTheDifferenceIsDeclared keeps the schema of expressions and the JSON of the diff together.
func TestEveryKeyOfTheDifferenceIsDeclared(t *testing.T) {
	from := gateway()
	raw, err := json.Marshal(diff.Compare(&from, nextGateway()))
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	same := func(object string, in any, omitted ...string) {
		for key := range in.(map[string]any) {
			if !slices.Contains(expr.Fields(object), key) {
				t.Errorf("%s.%s is not declared", object, key)
			}
		}
		for _, name := range expr.Fields(object) {
			if _, ok := in.(map[string]any)[name]; !ok && !slices.Contains(omitted, name) {
				t.Errorf("%s.%s is declared, and the difference does not have it", object, name)
			}
		}
	}
	at := func(keys ...string) any {
		var v any = doc
		for _, k := range keys {
			if list, ok := v.([]any); ok {
				v = list[0]
			}
			v = v.(map[string]any)[k]
		}
		if list, ok := v.([]any); ok {
			return list[0]
		}
		return v
	}
	same("Diff", doc, "compareURL")
	same("Change", at("config"))
	same("Layers", at("layers"))
	same("Layer", at("layers", "added"))
	same("Packages", at("packages"), "problem", "partial")
	same("Vulnerabilities", at("vulnerabilities"), "problem", "partial")
	same("Finding", at("vulnerabilities", "introduced"), "fixedIn", "url")
	same("BaseImage", at("baseImage"))
	for object, key := range map[string]string{"Files": "files", "Platforms": "platforms", "Sizes": "size", "Revisions": "revision"} {
		same(object, at(key))
	}
}
