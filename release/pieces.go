package release

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config/clean"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
)

// piece is a blob with evidence, to be read.
type piece struct {
	item  evidence.Item
	layer ocispec.Descriptor
}

// pieces reads the manifests of the sources and says which blobs hold evidence.
// A manifest that cannot be read is a piece with that problem.
func (g gathering) pieces(ctx context.Context, sources []source) []piece {
	want := make([]ocispec.Descriptor, len(sources))
	for i, s := range sources {
		want[i] = ocispec.Descriptor{MediaType: s.MediaType, Digest: s.Digest, Size: s.Size}
	}
	var out []piece
	for i, c := range g.shelf.get(ctx, want, g.shelf.manifest) {
		if c.err != nil {
			item := sources[i].item()
			item.Problem = "its manifest could not be read: " + clean.Text(c.err.Error())
			out = append(out, piece{item: item})
			continue
		}
		out = append(out, layersOf(sources[i], c.raw)...)
	}
	if g.lean {
		out = withoutBills(out)
	}
	return out
}

func (s source) item() evidence.Item {
	return evidence.Item{Subject: s.subject, Manifest: s.Digest, Form: s.form, ArtifactType: s.ArtifactType, PredicateType: s.Predicate}
}

// carrier is a manifest that may carry evidence.
type carrier struct {
	ArtifactType string               `json:"artifactType"`
	Layers       []ocispec.Descriptor `json:"layers"`
	Subject      *ocispec.Descriptor  `json:"subject"`
	Annotations  map[string]string    `json:"annotations"`
}

// layersOf are the pieces of evidence in a manifest. What is no evidence that
// we read, or says that it hangs on another digest, is shown and never read.
func layersOf(s source, raw []byte) []piece {
	item := s.item()
	var m carrier
	if err := json.Unmarshal(raw, &m); err != nil {
		item.Problem = "its manifest is no JSON"
		return []piece{{item: item}}
	}
	if item.ArtifactType == "" {
		item.ArtifactType = clean.Text(m.ArtifactType)
	}
	if item.PredicateType == "" {
		item.PredicateType = clean.Text(m.Annotations[evidence.AnnotationPredicate])
	}
	var out []piece
	switch s.form {
	case evidence.Bundle:
		if len(m.Layers) == 1 && isBundle(m.Layers[0].MediaType) && m.Subject != nil && m.Subject.Digest == s.subject {
			return []piece{{item, m.Layers[0]}}
		}
	case evidence.DSSE, evidence.BuildKit:
		if n := len(m.Layers); n > registry.MaxPerDigest { // what is left out may be a no
			item.Problem = fmt.Sprintf("its manifest has %d layers, more than the %d that are read", n, registry.MaxPerDigest)
			return []piece{{item: item}}
		}
		out = statements(item, m.Layers)
	case evidence.Other, evidence.SimpleSigning: // no gate reads them
	}
	if len(out) == 0 {
		item.Form = evidence.Other
		out = []piece{{item: item}}
	}
	return out
}

// isBundle accepts every version of the format and parameters; the bytes decide.
func isBundle(mediaType string) bool {
	return strings.HasPrefix(mediaType, "application/vnd.dev.sigstore.bundle")
}

// statements are the layers of an .att tag or a BuildKit attestation. Of
// BuildKit's, what the gates and the difference look at is read.
func statements(item evidence.Item, layers []ocispec.Descriptor) []piece {
	out := make([]piece, 0, 1)
	for _, l := range layers {
		one := item
		switch {
		case item.Form == evidence.DSSE && l.MediaType == evidence.DSSEMediaType:
			one.PredicateType = clean.Text(l.Annotations["predicateType"])
		case item.Form == evidence.BuildKit && l.MediaType == evidence.PayloadType:
			one.PredicateType = clean.Text(l.Annotations[evidence.AnnotationInToto])
			if !gates.Inside(one.PredicateType) {
				continue
			}
		default:
			continue
		}
		out = append(out, piece{one, l})
	}
	return out
}

// withoutBills leaves out BuildKit's bills of materials, which may have many
// megabytes: without them it is only not known what is in an image.
func withoutBills(pieces []piece) []piece {
	return slices.DeleteFunc(pieces, func(p piece) bool { return p.item.Form == evidence.BuildKit && gates.IsBill(p.item.PredicateType) })
}

// weigh is the bytes of all pieces, at most evidenceMost.
func weigh(pieces []piece, what string) (int64, error) {
	var total int64
	for _, p := range pieces {
		if p.layer.Size > 0 && p.layer.Size <= registry.MaxBundle {
			total += p.layer.Size
		}
	}
	if total > evidenceMost {
		return 0, fmt.Errorf("the evidence of %s is %d MiB, more than %d: %w", what, total>>20, evidenceMost>>20, registry.ErrLimit)
	}
	return total, nil
}

// read fills in the bytes.
func (g gathering) read(ctx context.Context, pieces []piece) []evidence.Item {
	items := make([]evidence.Item, len(pieces))
	var want []ocispec.Descriptor
	var at []int
	for i, p := range pieces {
		items[i] = p.item
		switch {
		case p.layer.Digest == "" || p.item.Problem != "":
		case p.layer.Digest.Validate() != nil:
			items[i].Problem = "its manifest names a blob without a usable digest"
		case p.layer.Size > registry.MaxBundle:
			items[i].Problem = fmt.Sprintf("it is %d bytes, more than %d", p.layer.Size, registry.MaxBundle)
		default:
			items[i].Layer = p.layer.Digest
			want, at = append(want, p.layer), append(at, i)
		}
	}
	for i, c := range g.shelf.get(ctx, want, g.shelf.blob(registry.MaxBundle)) {
		items[at[i]].Raw = c.raw
		if c.err != nil {
			items[at[i]].Problem = "it could not be read: " + clean.Text(c.err.Error())
		}
	}
	return items
}
