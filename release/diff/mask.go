package diff

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"

	"plimsoll/config/clean"
)

var (
	// variable is a whole entry of the environment, NAME=value.
	variable = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`) })
	// assignment is NAME=value inside a text: a build step repeats what ENV and
	// ARG set, an option may carry a password.
	assignment = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_.-]*)=("(?:[^"\\]|\\.)*"|'[^']*'|[^\s"']+)`)
	})
	// oldEnv is the ENV form without an equals sign; all that follows is the value.
	oldEnv = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)\b(ENV\s+)([A-Za-z_][A-Za-z0-9_.-]*)\s+([^\s=]\S*.*)$`)
	})
	// sums are the keyed hashes behind masked values; they are compared, not shown.
	sums = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(clean.Masked + `[0-9a-f]{16}`) })
)

// masker makes text from an image configuration fit to be shown. It masks
// before it cuts, so that no cut leaves half a secret.
type masker struct{ hash func(string) string }

// value is one text; Sum is set if Text is not the whole.
func (m masker) value(s string) Value { return m.shown(s, m.mask(s)) }

func (m masker) shown(whole, masked string) Value {
	text := clean.Text(sums().ReplaceAllString(masked, clean.Masked))
	if text == whole {
		return Value{Text: text}
	}
	return Value{Text: text, Sum: m.hash(masked)}
}

func (m masker) mask(s string) string {
	s = oldEnv().ReplaceAllStringFunc(s, func(match string) string {
		part := oldEnv().FindStringSubmatch(match)
		if !clean.SecretName(part[2]) {
			return match
		}
		return part[1] + part[2] + " " + m.masked(part[3])
	})
	return assignment().ReplaceAllStringFunc(s, func(match string) string {
		name, value, _ := strings.Cut(match, "=")
		if !clean.SecretName(name) {
			return match
		}
		return name + "=" + m.masked(strings.Trim(value, `"'`))
	})
}

func (m masker) masked(secret string) string { return clean.Masked + m.hash(secret) }

// environment has one whole string for each variable, spaces included.
func (m masker) environment(env []string) map[string]Value {
	out := make(map[string]Value, len(env))
	for _, e := range env {
		name, val, _ := strings.Cut(e, "=")
		switch {
		case clean.SecretName(name):
			out[clean.Text(name)] = Value{Text: clean.Masked, Sum: m.hash(val)}
		case variable().MatchString(name) && !strings.Contains(val, "="):
			out[clean.Text(name)] = m.shown(val, val)
		default:
			_, masked, _ := strings.Cut(m.mask(e), "=")
			out[clean.Text(name)] = m.shown(val, masked)
		}
	}
	return out
}

func (m masker) labels(in map[string]string) map[string]Value {
	out := make(map[string]Value, len(in))
	for name, val := range in {
		out[clean.Text(name)] = m.value(val)
	}
	return out
}

// argv is a command as a Dockerfile writes it: empty for none, else a JSON array.
func (m masker) argv(args []string) Value {
	masked := slices.Clone(args)
	for i := range masked {
		masked[i] = m.mask(masked[i])
	}
	return m.shown(array(args), array(masked))
}

func array(args []string) string {
	if len(args) == 0 {
		return ""
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(args) // strings always encode
	return strings.TrimSuffix(b.String(), "\n")
}

func (m masker) healthcheck(raw json.RawMessage) Value {
	var check struct {
		Test                           []string
		Interval, Timeout, StartPeriod json.Number
		Retries                        json.Number
	}
	if len(raw) == 0 || string(raw) == "null" {
		return Value{}
	}
	if json.Unmarshal(raw, &check) != nil {
		return m.value(string(raw))
	}
	v := m.argv(check.Test)
	for _, part := range []struct {
		name  string
		value json.Number
	}{{"interval", check.Interval}, {"timeout", check.Timeout}, {"start-period", check.StartPeriod}, {"retries", check.Retries}} {
		if part.value != "" {
			v.Text += " " + part.name + "=" + part.value.String()
		}
	}
	return v
}
