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
	for text, want := range map[string]bool{
		`image.config.user != "" && image.config.user != "root"`: true,
		`config.user == "0"`:                                                                               false,
		`image.tags.exists(t, t.startsWith("v1."))`:                                                        true,
		`image.sizeBytes < 20 * 1000 * 1000`:                                                               true,
		`now - image.created < duration("72h")`:                                                            false,
		`image.perPlatform.all(p, image.perPlatform[p].workingDir == "/app")`:                              true,
		`"LOG" in config.env && !has(config.env.DEBUG)`:                                                    true,
		`diff.from == null`:                                                                                true,
		`diff.baseImage.pinned == true`:                                                                    false,
		`diff.vulnerabilities.introduced.all(v, v.severity != "critical" && v.fixedIn == "")`:              true,
		`diff.vulnerabilities.introduced.exists(v, v.package == "zlib")`:                                   true,
		`evidence.exists(e, e.group == "ci" && e.predicate.licenses.all(l, l in ["MIT", "BSD-3-Clause"]))`: true,
		`evidence.filter(e, e.predicateType.matches("^https://example[.]com/")).size() == 1 && evidence[0].person == ""`:   true,
		`evidence.all(e, e.predicate.count > 1 && e.predicate.ok == true)`:                                                 true,
		`config.exposedPorts.all(p, int(p.split("/")[0]) > 1024) && image.labels.team.upperAscii() == "CHAT"`:              true,
		`["1.2.0"].exists(v, image.version == v) && timestamp("2026-11-24T12:00:00Z") == now && evidence[0].signedAt<=now`: true,
	} {
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
