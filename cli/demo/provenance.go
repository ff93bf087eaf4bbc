package demo

import (
	"context"
	"fmt"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/opencontainers/go-digest"

	"plimsoll/gates/evidence"
	"plimsoll/registry"
)

// object is a JSON object.
type object = map[string]any

// provenance is what a builder signs about a build, in the form of GitHub's
// attest-build-provenance: https://actions.github.io/buildtypes/workflow/v1
func provenance(b build) object {
	source := "https://github.com/acme/" + b.service
	return object{
		"buildDefinition": object{
			"buildType":          "https://actions.github.io/buildtypes/workflow/v1",
			"externalParameters": object{"workflow": object{"repository": source, "ref": "refs/heads/main", "path": ".github/workflows/build.yml"}},
			"resolvedDependencies": []object{{
				"uri": "git+" + source + "@refs/heads/main", "digest": object{"gitCommit": b.revision()},
			}},
		},
		"runDetails": object{
			"builder":  object{"id": "https://github.com/actions/runner/github-hosted"},
			"metadata": object{"invocationId": source + "/actions/runs/" + b.revision()[:8]},
		},
	}
}

// vouch signs provenance as the builder and attaches it to a digest.
func (d *Demo) vouch(ctx context.Context, b build, repo registry.Repository, dg digest.Digest) error {
	const predicateType = "https://slsa.dev/provenance/v1"
	client := d.client(registry.Evidence)
	about, err := client.Head(ctx, repo, dg.String())
	if err != nil {
		return err
	}
	statement, err := evidence.NewStatement(predicateType, repo.String(), dg, provenance(b))
	if err != nil {
		return fmt.Errorf("write the demo's provenance: %w", err)
	}
	bundle, err := evidence.Sign(ctx, d.signers[keyBuilder], statement)
	if err != nil {
		return fmt.Errorf("sign the demo's provenance: %w", err)
	}
	raw, layer := evidence.Manifest(bundle, predicateType, &about, d.clock.Now())
	for _, blob := range [][]byte{evidence.EmptyConfig(), bundle} {
		if err := client.PutBlob(ctx, repo, blob); err != nil {
			return err
		}
	}
	return client.Attach(ctx, repo, registry.Manifest{Raw: raw, Descriptor: ocispec.Descriptor{
		MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(raw), Size: int64(len(raw)), ArtifactType: layer.MediaType,
	}})
}
