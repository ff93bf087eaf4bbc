package clean_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"

	"plimsoll/config/clean"

	"pgregory.net/rapid"
)

func TestTextCannotReachTheTerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                     "plain",
		"two\nlines\tand\r\nmore":   "two lines and  more",
		"\x1b[2J\x1b]0;owned\x07ok": "[2J]0;ownedok",
		"c1 \u009b31m":              "c1 31m",
		"abc\u202egnp.exe":          "abcgnp.exe",
		"\ufeffmark \u2028 \u2066x": "mark  x",
		"bad \xff\xfe bytes":        "bad  bytes",
		"ünïcode ✓ 日本":              "ünïcode ✓ 日本",
	} {
		if got := clean.Text(in); got != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
	}
}

func TestTextIsAlwaysHarmlessAndShort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := string(rapid.SliceOfN(rapid.Byte(), 0, 3*clean.Limit).Draw(t, "in"))
		out := clean.Text(in)
		if !utf8.ValidString(out) || utf8.RuneCountInString(out) > clean.Limit+1 || strings.ContainsFunc(out, unicode.IsControl) {
			t.Fatalf("%q", out)
		}
		if again := clean.Text(out); utf8.RuneCountInString(out) <= clean.Limit && again != out {
			t.Fatalf("cleaning twice changes %q to %q", out, again)
		}
	})
}

func TestTextMarksThatItWasCut(t *testing.T) {
	if got := clean.Text(strings.Repeat("é", clean.Limit+1)); got != strings.Repeat("é", clean.Limit)+"…" {
		t.Error(utf8.RuneCountInString(got))
	}
	if got := clean.Text(strings.Repeat("é", clean.Limit)); strings.HasSuffix(got, "…") {
		t.Error("nothing was cut")
	}
}

func TestLineDropsControls(t *testing.T) {
	if got := clean.Line("a\x1b[31m\tb\u202e"); got != "a[31m\tb" {
		t.Errorf("%q", got)
	}
}

func TestRegisteredSecretsAreCutOut(t *testing.T) {
	const secret = "s3cr/et+value=="
	clean.Secret(`quo"ted&secret`)
	clean.Secret(secret)
	clean.Secret("abc")
	for in, want := range map[string]string{
		"password " + secret + " refused":              "password " + clean.Masked + " refused",
		"https://x/?t=s3cr%2Fet%2Bvalue%3D%3D&a=1":     "https://x/?t=" + clean.Masked + "&a=1",
		`{"message":"quo\"ted\u0026secret"}`:           `{"message":"` + clean.Masked + `"}`,
		"Authorization: Basic dTpzM2NyL2V0K3ZhbHVlPT0": "Authorization: Basic dTpzM2NyL2V0K3ZhbHVlPT0",
		"abc is too short to be cut out everywhere":    "abc is too short to be cut out everywhere",
	} {
		if got := clean.Redact(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// TestTheLongerSecretIsCutFirst: else the rest of a secret that begins with
// another one would be shown.
func TestTheLongerSecretIsCutFirst(t *testing.T) {
	clean.Secret("prefix-1234")
	clean.Secret("prefix-1234-and-the-rest")
	for range 50 { // the order of a map differs from run to run
		if got := clean.Redact("x prefix-1234-and-the-rest y"); got != "x "+clean.Masked+" y" {
			t.Fatal(got)
		}
	}
}

func TestSecretsMayBeRegisteredWhileOthersRedact(t *testing.T) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			clean.Secret(fmt.Sprintf("concurrent-%d", i))
			clean.Redact("concurrent-1")
		})
	}
	wg.Wait()
}

func TestSecretNamesOfEnvironmentVariables(t *testing.T) {
	for name, want := range map[string]bool{
		"DB_PASSWORD": true, "GITHUB_TOKEN": true, "api_key": true, "AWS_SECRET": true, "Authorization": true, "GOOGLE_CREDENTIALS": true,
		"PATH": false, "PORT": false, "LANG": false,
	} {
		if clean.SecretName(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
