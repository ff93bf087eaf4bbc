package ledger

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"
)

// maxNumber is the highest number that fits into a tag.
const maxNumber = 99_999_999

const (
	doneSuffix       = "-done"
	quarantinePrefix = "quarantine-"
	policyPrefix     = "policy-"
)

var (
	recordTag     = regexp.MustCompile(`^(.+)-([0-9]{8})-([0-9a-f]{8})(-done)?$`)
	quarantineTag = regexp.MustCompile(`^quarantine-([0-9a-f]{16})-([0-9a-f]{8})$`)
	policyTag     = regexp.MustCompile(`^policy-([0-9a-f]{16})-([0-9a-f]{8})$`)
)

type kind int

const (
	stray     kind = iota // nothing of ours
	foreign               // a completion of another channel
	elsewhere             // a record of another channel
	record
	completion
	quarantine
	policy
)

// name is what a tag of the ledger says.
type name struct {
	tag    string
	kind   kind
	number int    // of a record or completion
	where  string // its channel
	hex    string // first 8 of the manifest digest; of the record's in a completion
	image  string // first 16 hex of the image digest, of a quarantine; of the policy digest, of a policy
}

// parseTag reads a tag as seen from one channel.
func parseTag(tag, channel string) name {
	if m := quarantineTag.FindStringSubmatch(tag); m != nil {
		return name{tag: tag, kind: quarantine, image: m[1], hex: m[2]}
	}
	if m := policyTag.FindStringSubmatch(tag); m != nil {
		return name{tag: tag, kind: policy, image: m[1], hex: m[2]}
	}
	m := recordTag.FindStringSubmatch(tag)
	if m == nil {
		return name{tag: tag, kind: stray}
	}
	number, err := strconv.Atoi(m[2])
	n := name{tag: tag, kind: record, number: number, where: m[1], hex: m[3]}
	switch {
	case err != nil || number < 1:
		n.kind = stray
	case m[1] != channel && m[4] != "":
		n.kind = foreign
	case m[1] != channel:
		n.kind = elsewhere
	case m[4] != "":
		n.kind = completion
	}
	return n
}

// of is the tag of the record that a completion is about.
func (n name) of() string { return strings.TrimSuffix(n.tag, doneSuffix) }

// pins tells whether the tag may name that manifest.
func (n name) pins(manifest digest.Digest) bool {
	return n.kind == completion || strings.HasPrefix(manifest.Encoded(), n.hex)
}

func tagOfRecord(channel string, number int, manifest digest.Digest) string {
	return fmt.Sprintf("%s-%08d-%s", channel, number, manifest.Encoded()[:8])
}

func tagOfQuarantine(image, manifest digest.Digest) string {
	return quarantinePrefix + image.Encoded()[:16] + "-" + manifest.Encoded()[:8]
}

func tagOfPolicy(policy, manifest digest.Digest) string {
	return policyPrefix + policy.Encoded()[:16] + "-" + manifest.Encoded()[:8]
}
