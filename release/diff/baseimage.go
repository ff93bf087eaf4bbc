package diff

import "strings"

// BaseImage is what the images are built on, as name@digest: what verified
// provenance says, else what the labels of the image claim.
type BaseImage struct {
	From        string `json:"from"` // "" if nothing says
	To          string `json:"to"`
	FromClaimed bool   `json:"fromClaimed"` // From is what labels claim: whoever built the image wrote them, and nobody signed them
	ToClaimed   bool   `json:"toClaimed"`
	Pinned      *bool  `json:"pinned"` // by digest in the build of To; null if no provenance says
}

func baseImage(from, to Image) BaseImage {
	var b BaseImage
	b.From, b.FromClaimed = from.base()
	b.To, b.ToClaimed = to.base()
	if to.Provenance != nil {
		b.Pinned = to.Provenance.Pinned
	}
	return b
}

// base is what the provenance says, else what the labels claim.
func (i Image) base() (name string, claimed bool) {
	if i.Provenance != nil && i.Provenance.Name != "" {
		return i.Provenance.Name, false
	}
	name, dg := i.Label(LabelBaseName), i.Label(LabelBaseDigest)
	if name != "" && dg != "" {
		name += "@"
	}
	return name + dg, name+dg != ""
}

// Changed tells whether the new image is built on something else, as far as is
// known. A claim of the image before is taken for true if the provenance of the new
// one names the same digest; a claim never stands in for provenance that the image
// before had.
func (b BaseImage) Changed() bool {
	if b.FromClaimed == b.ToClaimed || b.ToClaimed {
		return b.From != b.To || b.FromClaimed != b.ToClaimed
	}
	_, dg, ok := strings.Cut(b.From, "@")
	return !ok || !strings.Contains(b.To, "@"+dg)
}

// sayBase is one side for people, with its digests cut short.
func sayBase(name string, claimed bool) string {
	switch {
	case name == "":
		return "unknown"
	case claimed:
		return brief(name) + " (claimed by labels)"
	}
	return brief(name)
}

// brief cuts the digests in a text to 12 digits.
func brief(s string) string {
	const mark, shown = "@sha256:", 12
	parts := strings.Split(s, mark)
	for i := 1; i < len(parts); i++ {
		hex := len(parts[i]) - len(strings.TrimLeft(parts[i], "0123456789abcdef"))
		if hex > shown {
			parts[i] = parts[i][:shown] + parts[i][hex:]
		}
	}
	return strings.Join(parts, mark)
}
