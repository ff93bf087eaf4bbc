package diff

import (
	"cmp"
	"slices"
	"strings"
)

// Change is one difference of the configuration on one platform. From or To is
// null where the entry is not there. Both masked means: the secret changed.
type Change struct {
	Field    string  `json:"field"` // env, entrypoint, cmd, user, port, label, workdir, volume, healthcheck, stop-signal
	Name     string  `json:"name"`  // of the variable, label, port or volume; "" for the others
	Platform string  `json:"platform"`
	From     *string `json:"from"`
	To       *string `json:"to"`
}

// The fields of a Change.
const (
	FieldEntrypoint  = "entrypoint"
	FieldCmd         = "cmd"
	FieldUser        = "user"
	FieldWorkdir     = "workdir"
	FieldEnv         = "env"
	FieldPort        = "port"
	FieldVolume      = "volume"
	FieldHealthcheck = "healthcheck"
	FieldStopSignal  = "stop-signal"
	FieldLabel       = "label"
)

// order is how fields are shown: what changes behaviour most comes first.
var order = []string{
	FieldEntrypoint, FieldCmd, FieldUser, FieldWorkdir, FieldEnv, FieldPort, FieldVolume,
	FieldHealthcheck, FieldStopSignal, FieldLabel,
}

type fieldKey struct{ field, name string }

// entries are all settings of a configuration, flat.
func (c Config) entries() map[fieldKey]Value {
	out := map[fieldKey]Value{}
	for field, v := range map[string]Value{
		FieldUser: c.User, FieldWorkdir: c.Workdir, FieldEntrypoint: c.Entrypoint, FieldCmd: c.Cmd,
		FieldStopSignal: c.StopSignal, FieldHealthcheck: c.Healthcheck,
	} {
		if v != (Value{}) {
			out[fieldKey{field, ""}] = v
		}
	}
	for name, v := range c.Env {
		out[fieldKey{FieldEnv, name}] = v
	}
	for name, v := range c.Labels {
		out[fieldKey{FieldLabel, name}] = v
	}
	for _, p := range c.Ports {
		out[fieldKey{FieldPort, p}] = Value{Text: p}
	}
	for _, v := range c.Volumes {
		out[fieldKey{FieldVolume, v}] = Value{Text: v}
	}
	return out
}

// changes compares the platforms that both have; without from, all of to is added.
func changes(from *Image, to Image) []Change {
	out := []Change{}
	for _, p := range to.Platforms {
		if from == nil {
			out = append(out, compareConfig(p.Name, Config{}, p.Config)...)
		} else if before := from.platform(p.Name); before != nil {
			out = append(out, compareConfig(p.Name, before.Config, p.Config)...)
		}
	}
	slices.SortStableFunc(out, func(a, b Change) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Field), slices.Index(order, b.Field)),
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.Platform, b.Platform))
	})
	return out
}

func (i Image) platform(name string) *Platform {
	for n := range i.Platforms {
		if i.Platforms[n].Name == name {
			return &i.Platforms[n]
		}
	}
	return nil
}

func compareConfig(platform string, from, to Config) []Change {
	var out []Change
	a, b := from.entries(), to.entries()
	for k, v := range a {
		after, there := b[k]
		switch {
		case !there:
			out = append(out, Change{Field: k.field, Name: k.name, Platform: platform, From: &v.Text})
		case after != v:
			out = append(out, Change{Field: k.field, Name: k.name, Platform: platform, From: &v.Text, To: &after.Text})
		}
	}
	for k, v := range b {
		if _, there := a[k]; !there {
			out = append(out, Change{Field: k.field, Name: k.name, Platform: platform, To: &v.Text})
		}
	}
	return out
}

// Remark is a change in words, said once for all platforms on which it is the same.
type Remark struct {
	Mark      string // "+" it comes, "-" it goes, "~" it changes
	Text      string
	Platforms []string // in the order of the changes
}

// Remarks says changes for people, in their order.
func Remarks(changes []Change) []Remark {
	var out []Remark
	for _, c := range changes {
		r := c.remark()
		i := slices.IndexFunc(out, func(o Remark) bool { return o.Mark == r.Mark && o.Text == r.Text })
		if i < 0 {
			i, out = len(out), append(out, r)
		}
		if c.Platform != "" {
			out[i].Platforms = append(out[i].Platforms, c.Platform)
		}
	}
	return out
}

// remark is the mark and the text of one change.
func (c Change) remark() Remark {
	what := strings.TrimSpace(c.Field + " " + c.Name)
	bare := c.Field == FieldPort || c.Field == FieldVolume // the name is all there is
	switch {
	case c.From == nil && bare:
		return Remark{Mark: "+", Text: what}
	case c.To == nil && bare:
		return Remark{Mark: "-", Text: what}
	case c.From == nil:
		return Remark{Mark: "+", Text: what + " = " + *c.To}
	case c.To == nil:
		return Remark{Mark: "-", Text: what + " = " + *c.From}
	case *c.From == *c.To:
		return Remark{Mark: "~", Text: what + ": " + *c.To + " (changed; not shown whole)"}
	}
	return Remark{Mark: "~", Text: what + ": " + *c.From + " → " + *c.To}
}
