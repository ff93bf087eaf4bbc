package diff

import "github.com/opencontainers/go-digest"

// Layers is which layers travel: those of all platforms, each digest once.
type Layers struct {
	Shared       int     `json:"shared"`
	Added        []Layer `json:"added"`
	Removed      []Layer `json:"removed"`
	SharedBytes  int64   `json:"sharedBytes"`
	AddedBytes   int64   `json:"addedBytes"`
	RemovedBytes int64   `json:"removedBytes"`
}

func layers(from, to Image) Layers {
	before, after := from.layers(), to.layers()
	out := Layers{Added: []Layer{}, Removed: []Layer{}}
	had := digests(before)
	for _, l := range after {
		if had[l.Digest] {
			out.Shared++
			out.SharedBytes += l.Bytes
			continue
		}
		out.Added = append(out.Added, l)
		out.AddedBytes += l.Bytes
	}
	has := digests(after)
	for _, l := range before {
		if !has[l.Digest] {
			out.Removed = append(out.Removed, l)
			out.RemovedBytes += l.Bytes
		}
	}
	return out
}

// layers are those of all platforms, each once, in their order.
func (i Image) layers() []Layer {
	var out []Layer
	seen := map[digest.Digest]bool{}
	for _, p := range i.Platforms {
		for _, l := range p.Layers {
			if !seen[l.Digest] {
				seen[l.Digest] = true
				out = append(out, l)
			}
		}
	}
	return out
}

func digests(ls []Layer) map[digest.Digest]bool {
	out := make(map[digest.Digest]bool, len(ls))
	for _, l := range ls {
		out[l.Digest] = true
	}
	return out
}
