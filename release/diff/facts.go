package diff

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"plimsoll/config/clean"
	"plimsoll/gates"
)

// Facts are what custom gates may look at: the image, of a repository and with
// its tags, and its difference from prod. A nil difference is one that could not
// be told; the first promotion has one, from nothing. A text that could not be
// kept whole, other than a masked secret, is left out: a rule over half a text
// would be a guess.
func Facts(repository string, image Image, d *Diff, tags []string) gates.Facts {
	facts := gates.Facts{Image: map[string]any{
		"repository": repository, "digest": image.Digest.String(), "tags": list(tags), "sizeBytes": image.Size(),
		"platforms": list(image.Names()), "labels": image.labelFacts(),
	}}
	for name, label := range map[string]string{"revision": LabelRevision, "version": LabelVersion} {
		if v := image.label(label); v.whole() {
			facts.Image[name] = v.Text
		}
	}
	if at := image.Created(); at != nil {
		facts.Image["created"] = at.Format(time.RFC3339Nano)
	}
	for _, p := range image.Platforms {
		facts.Platforms = append(facts.Platforms, gates.PlatformFacts{Name: p.Name, Config: p.Config.facts()})
	}
	if d != nil {
		facts.Diff = d.facts()
	}
	return facts
}

// whole tells whether the text is all there is, or what is left out is a secret.
func (v Value) whole() bool {
	return v.Sum == "" || strings.Contains(v.Text, clean.Masked) && !strings.HasSuffix(v.Text, "…")
}

// facts is a configuration as expressions see it.
func (c Config) facts() map[string]any {
	out := map[string]any{
		"env": texts(c.Env), "labels": texts(c.Labels), "exposedPorts": list(c.Ports), "volumes": list(c.Volumes),
	}
	for name, v := range map[string]Value{"user": c.User, "workingDir": c.Workdir, "stopSignal": c.StopSignal} {
		if v.whole() {
			out[name] = v.Text
		}
	}
	for name, v := range map[string]Value{"entrypoint": c.Entrypoint, "cmd": c.Cmd} {
		if args, ok := v.arguments(); ok {
			out[name] = args
		}
	}
	return out
}

// arguments is a command as a list; not ok if it could not be kept whole.
func (v Value) arguments() ([]any, bool) {
	args := []any{}
	if v.Text == "" && v.Sum == "" {
		return args, true
	}
	return args, v.whole() && json.Unmarshal([]byte(v.Text), &args) == nil
}

// labelFacts are the labels of all platforms; where they differ, the first platform's.
func (i Image) labelFacts() map[string]any {
	out := map[string]any{}
	for _, p := range slices.Backward(i.Platforms) {
		for name, v := range texts(p.Config.Labels) {
			out[name] = v
		}
	}
	return out
}

// label is a label of the first platform that has it.
func (i Image) label(name string) Value {
	for _, p := range i.Platforms {
		if v, ok := p.Config.Labels[name]; ok {
			return v
		}
	}
	return Value{}
}

func texts(in map[string]Value) map[string]any {
	out := make(map[string]any, len(in))
	for name, v := range in {
		if v.whole() {
			out[name] = v.Text
		}
	}
	return out
}

func list(in []string) []any {
	out := make([]any, 0, len(in))
	for _, s := range in {
		out = append(out, s)
	}
	return out
}

// facts is the difference as JSON says it; nil, which is unknown, if it does not.
func (d Diff) facts() map[string]any {
	raw, err := json.Marshal(d)
	if err != nil {
		return nil
	}
	var out map[string]any
	if json.Unmarshal(raw, &out) != nil {
		return nil
	}
	return out
}
