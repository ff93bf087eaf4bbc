package expr_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"plimsoll/config/expr"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// facts are of an image that runs as 1000, and of its change.
func facts() map[string]any {
	conf := map[string]any{
		"user": "1000", "entrypoint": []string{"/chat"}, "cmd": []any{}, "env": map[string]any{"LOG": "info"},
		"exposedPorts": []any{"8080/tcp"}, "workingDir": "/app", "volumes": nil, "stopSignal": "", "labels": map[string]any{},
	}
	return map[string]any{
		"image": map[string]any{
			"repository": "staging.example.com/chat", "digest": "sha256:1", "tags": []string{"v1.2.0"}, "created": "2026-11-20T12:00:00Z",
			"sizeBytes": float64(12_000_000), "platforms": []any{"linux/amd64"}, "platform": "linux/amd64", "revision": "abc", "version": "1.2.0",
			"labels": map[string]string{"team": "chat"}, "config": conf, "perPlatform": map[string]any{"linux/amd64": conf},
		},
		"config": conf,
		"diff": map[string]any{
			"from": nil, "to": "sha256:1", "size": map[string]any{"from": 0, "to": float64(12_000_000)},
			"baseImage": map[string]any{"from": "", "to": "alpine:3.21", "pinned": nil},
			"vulnerabilities": map[string]any{"fixed": []any{}, "introduced": []any{
				map[string]any{"id": "CVE-2026-1", "package": "zlib", "version": "1.3", "severity": "high"},
			}},
		},
		"evidence": []map[string]any{{
			"predicateType": "https://example.com/license/v1", "group": "ci", "signedAt": noon, "subject": "sha256:1",
			"digest": "sha256:e", "predicate": map[string]any{"licenses": []any{"MIT", "BSD-3-Clause"}, "count": float64(2), "ok": true},
		}},
		"now": noon,
	}
}

func TestExpressionsOverTheFacts(t *testing.T) {
	for _, c := range []struct {
		text string
		want bool
	}{
		{`image.config.user != "" && image.config.user != "root"`, true},
		{`config.user == "0"`, false},
		{`image.tags.exists(t, t.startsWith("v1."))`, true},
		{`image.sizeBytes < 20 * 1000 * 1000`, true},
		{`now - image.created < duration("72h")`, false},
		{`image.perPlatform.all(p, image.perPlatform[p].workingDir == "/app")`, true},
		{`"LOG" in config.env && !has(config.env.DEBUG)`, true},
		{`diff.from == null`, true},
		{`diff.baseImage.pinned == true`, false},
		{`diff.vulnerabilities.introduced.all(v, v.severity != "critical" && v.fixedIn == "")`, true},
		{`diff.vulnerabilities.introduced.exists(v, v.package == "zlib")`, true},
		{`evidence.exists(e, e.group == "ci" && e.predicate.licenses.all(l, l in ["MIT", "BSD-3-Clause"]))`, true},
		{`evidence.filter(e, e.predicateType.matches("^https://example[.]com/")).size() == 1 && evidence[0].person == ""`, true},
		{`evidence.all(e, e.predicate.count > 1 && e.predicate.ok == true)`, true},
		{`config.exposedPorts.all(p, int(p.split("/")[0]) > 1024) && image.labels.team.upperAscii() == "CHAT"`, true},
		{`["1.2.0"].exists(v, image.version == v) && timestamp("2026-11-24T12:00:00Z") == now && evidence[0].signedAt<=now`, true},
	} {
		text, want := c.text, c.want
		program, err := expr.Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := program.Eval(facts()); err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestAMistakeIsFoundAtLoadWithItsPosition(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "1:1: the expression is empty",
		`image.config.usr != "root"`: "1:13: undefined field 'usr'",
		"image.config.user != \"\" &&\n  diff.sizes.to > 0": "2:7: undefined field 'sizes'",
		`imgae.config.user == ""`:                           "1:1: undeclared reference to 'imgae'",
		`image.config.user == 0`:                            "1:19: found no matching overload for '_==_'",
		`image.sizeBytes`:                                   "1:1: the result is int",
		`evidence[0].predicate.ok`:                          "1:1: the result may be anything",
		`image.config.user ==`:                              "1:21: Syntax error",
		`evidence.exists(e, e.signer=="")`:                  "1:21: undefined field 'signer'",
		`image.version.matches("(")`:                        "1:23: invalid matches argument",
		`now > timestamp("tomorrow")`:                       "1:17: invalid timestamp argument",
		`diff.config.all(c, c.from == 1)`:                   "1:27: found no matching overload",
	} {
		_, err := expr.Compile(text)
		var at *expr.Error
		if !errors.As(err, &at) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s…", text, err, want)
		}
	}
}

func TestWhatCannotBeAnsweredIsAnErrorAndNeverTrue(t *testing.T) {
	for text, change := range map[string]func(f map[string]any){
		`image.config.labels.team != "x"`:                  nil, // no such label
		`evidence.all(e, e.predicate.licences.size() < 9)`: nil, // no such key in the predicate
		`!has(evidence[0].predicate.count.high)`:           nil, // a number has no fields
		`evidence[1].group == ""`:                          nil,
		`1 / (size(image.tags) - 1) == 0`:                  nil,
		`diff.to != ""`:                                    func(f map[string]any) { delete(f, "diff") },
		`diff.size.to < 1`:                                 func(f map[string]any) { f["diff"] = nil },
		`image.revision != "x"`:                            func(f map[string]any) { delete(f["image"].(map[string]any), "revision") },
		`image.sizeBytes != 1`:                             func(f map[string]any) { f["image"].(map[string]any)["sizeBytes"] = "many" },
		`image.sizeBytes < 3`:                              func(f map[string]any) { f["image"].(map[string]any)["sizeBytes"] = 1.5 },
		`evidence.all(e, e.predicate.all(k, true))`:        func(f map[string]any) { f["evidence"].([]map[string]any)[0]["predicate"] = expr.Object([]byte("[1]")) },
		`image.tags.all(a, image.tags.all(b, image.tags.all(c, image.tags.all(d, a != b + c + d + "x"))))`: func(f map[string]any) {
			many := make([]string, 100)
			for i := range many {
				many[i] = strings.Repeat("t", i)
			}
			f["image"].(map[string]any)["tags"] = many
		},
	} {
		program, err := expr.Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		f := facts()
		if change != nil {
			change(f)
		}
		if got, err := program.Eval(f); err == nil || got {
			t.Errorf("%s: got %v, %v, want an error", text, got, err)
		}
	}
}

func TestAPredicateIsTakenApartAsCELHasJSON(t *testing.T) {
	f := facts()
	f["evidence"].([]map[string]any)[0]["predicate"] = expr.Object([]byte(` {"n":3,"big":1e999,"list":[{"a":null}],"s":{"t":"x"}}`))
	for _, text := range []string{
		`evidence[0].predicate.n == 3 && evidence[0].predicate.big > 1.0e308`,
		`evidence[0].predicate.list.all(l, l.a == null) && has(evidence[0].predicate.s.t) && !has(evidence[0].predicate.t)`,
		`evidence.exists(e, "n" in e.predicate && size(e.predicate) == 4 && e.predicate["s"] == {"t": "x"})`,
		`evidence[0].predicate.exists(k, k == "list") && type(evidence[0].predicate) == map`,
	} {
		program, err := expr.Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := program.Eval(f); err != nil || !got {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
}

func TestExplainNamesTheFactsAndTheirValues(t *testing.T) {
	program, err := expr.Compile(`image.config.user == "root" || image.labels["team"] == image.version && has(diff.from) ||
		image.tags.exists(t, t == config.user) || image.config.env.DEBUG == "" || evidence.size() > 5`)
	if err != nil {
		t.Fatal(err)
	}
	want := `image.config.user is "1000"
image.labels["team"] is "chat"
image.version is "1.2.0"
diff.from is null
image.tags is ["v1.2.0"]
image.config.env.DEBUG is not known`
	if got := strings.Join(program.Explain(facts()), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for variable, reads := range map[string]bool{"image": true, "diff": true, "evidence": true, "now": false} {
		if program.Reads(variable) != reads {
			t.Errorf("Reads(%q) is %v", variable, !reads)
		}
	}
}

func TestLimitsOfAnExpression(t *testing.T) {
	for _, text := range []string{
		"true" + strings.Repeat(" && true", expr.MaxSize/8),
		strings.Repeat("(", 300) + "true" + strings.Repeat(")", 300),
		`image.version.matches("(a{100}){100}")`,
		"true\xff",
	} {
		var at *expr.Error
		if _, err := expr.Compile(text); !errors.As(err, &at) {
			t.Errorf("%.40s…: got %v, want an error with a position", text, err)
		}
	}
}

func FuzzCompileAndEval(f *testing.F) {
	for _, seed := range []string{
		`image.config.user != "" && image.config.user != "root"`, `evidence.exists(e, e.predicate.x[0] > 1.5)`,
		`diff.from == null || diff.size.to - diff.size.from < 10`, `image.tags.map(t, t.split("."))[0].size() == 3`,
		`has(config.env.A) ? config.labels["x"].matches("a+") : now > timestamp("2026-01-01T00:00:00Z")`, `"%d".format([1]) == "1"`,
	} {
		f.Add(seed, `{"x":[1,{"y":"z"}]}`)
	}
	f.Fuzz(func(t *testing.T, text, predicate string) {
		program, err := expr.Compile(text)
		if err != nil {
			var at *expr.Error
			if !errors.As(err, &at) || at.Line < 1 || at.Column < 1 || at.Message == "" {
				t.Fatalf("%q: an error without a position: %v", text, err)
			}
			return
		}
		facts := facts()
		facts["evidence"].([]map[string]any)[0]["predicate"] = expr.Object([]byte(predicate))
		got, err := program.Eval(facts)
		if got && err != nil {
			t.Fatal("true with an error")
		}
		again, _ := program.Eval(facts)
		if err == nil && again != got {
			t.Fatalf("%q is %v, then %v", text, got, again)
		}
		program.Explain(facts)
	})
}
