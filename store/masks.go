package store

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	"plimsoll/config/clean"
)

// assignment is NAME=value in the history of an image, as in "ENV NAME=value"
// and "RUN |1 NAME=value /bin/sh -c …"; the value may be quoted.
var assignment = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_.-]*)=("(?:[^"\\]|\\.)*"|'[^']*'|[^\s"']+)`)

// maskConfig masks the secrets in an image configuration: the values of
// environment variables with a telling name, in the environment and in the
// history of how the image was built. changed is false for everything else.
func (s *Store) maskConfig(raw []byte) (safe []byte, changed bool) {
	if !bytes.Contains(raw, []byte(`"rootfs"`)) && !bytes.Contains(raw, []byte(`"Env"`)) {
		return nil, false
	}
	var image struct {
		SchemaVersion json.RawMessage `json:"schemaVersion"` // of a manifest
		RootFS        json.RawMessage `json:"rootfs"`
		Config        struct {
			Env json.RawMessage
		} `json:"config"`
	}
	if json.Unmarshal(raw, &image) != nil || image.SchemaVersion != nil || image.RootFS == nil && image.Config.Env == nil {
		return nil, false
	}
	safe, err := mapStrings(raw, func(text string) string {
		out := s.maskAssignments(text)
		changed = changed || out != text
		return out
	})
	if err != nil {
		return nil, false
	}
	return safe, changed
}

func (s *Store) maskAssignments(text string) string {
	if !strings.Contains(text, "=") {
		return text
	}
	// The environment has one whole string for each variable, spaces included.
	if name, value, ok := strings.Cut(text, "="); ok && variable.MatchString(name) {
		if clean.SecretName(name) && value != "" {
			return name + "=" + s.Masked(value)
		}
		if !strings.ContainsAny(value, "=") {
			return text
		}
	}
	return assignment.ReplaceAllStringFunc(text, func(match string) string {
		name, value, _ := strings.Cut(match, "=")
		if !clean.SecretName(name) {
			return match
		}
		return name + "=" + s.Masked(strings.Trim(value, `"'`))
	})
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
