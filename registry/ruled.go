package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/fault"
)

// ErrImmutable is in the chain of an error about a tag that exists, and that
// the registry lets nobody write again.
var ErrImmutable = errors.New("the tag is immutable")

// ruled recognizes an answer that says no because of a rule or a limit of the
// repository, whoever asks; nil for another. Registries have no common code for
// that: these are the words of ECR, Harbor and Azure.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html
// https://goharbor.io/docs/main/working-with-projects/working-with-images/create-tag-immutability-rules/
// https://goharbor.io/docs/main/administration/configure-project-quotas/
// https://learn.microsoft.com/azure/container-registry/container-registry-image-lock
func ruled(h *host, status *StatusError) error {
	text := strings.ToLower(status.Detail)
	switch status.Status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusConflict, http.StatusPreconditionFailed:
	default:
		return nil
	}
	switch {
	case strings.Contains(text, "immutable"):
		return fault.New(fault.Failed, "exempt the tag from the rule that makes it immutable, or leave it where it is",
			fmt.Errorf("%w: %w", ErrImmutable, status), "%s keeps the tag as it is", h.name)
	case strings.Contains(text, "disallowed on this registry, repository or image"):
		return fault.New(fault.Failed, "unlock it if it is to change: az acr repository update --write-enabled true, for the tag, its digest or the repository", status,
			"%s has the tag, its manifest or the repository locked", h.name)
	case strings.Contains(text, "exceed the configured upper limit"), strings.Contains(strings.ToLower(status.Code), "quota"):
		return fault.New(fault.Failed, "delete what nobody needs there, or have the quota raised; then run it again", status, "%s has no room left", h.name)
	case strings.Contains(text, "soft delete"), strings.Contains(text, "soft-delete"):
		return fault.New(fault.Failed, "have it restored first: az acr manifest deleted restore --registry "+h.name+" --name REPOSITORY@DIGEST", status,
			"%s has it in its bin and takes it from nowhere else", h.name)
	case status.Code == "PROJECTPOLICYVIOLATION":
		return fault.New(fault.Failed, "it is a rule of the Harbor project (Configuration: vulnerabilities, content trust): have its administrator look at it", status,
			"%s does not give the image out", h.name)
	}
	return nil
}

// already tells whether a write that failed was of what is there: an immutable
// tag that names the manifest is done.
func (c *Client) already(ctx context.Context, repo Repository, tag string, dg digest.Digest, err error) bool {
	if !errors.Is(err, ErrImmutable) {
		return false
	}
	d, err := c.Head(ctx, repo, tag)
	return err == nil && d.Digest == dg
}
